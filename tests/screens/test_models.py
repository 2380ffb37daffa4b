import contextlib
import io
import re

import pandas as pd
import pytest

from halobench.errors import UnknownName, UsageError
from halobench.models import flop_crosscheck, zoo
from halobench.models.flop_count import FlopCount
from halobench.models.flop_crosscheck import Counts
from halobench.screens import models

FEW = ["halonet_h0", "timm/resnet50", "timm/halonet_h1"]
COUNTED = FlopCount({"": 200}, by_torch=200, by_torch_within=0, activations=7, problems=[], params=5)


@pytest.fixture
def shown(capsys):
    def show(names, csv=None):
        assert models.show(names, csv) == 0
        return capsys.readouterr().out

    return show


@pytest.fixture
def quick(monkeypatch):
    """Without counting."""
    monkeypatch.setattr(flop_crosscheck, "counts", lambda model: Counts(COUNTED, by_fvcore=220, besides=20))


def row(out, name):
    (line,) = (line for line in out.splitlines() if line.split()[:1] == [name])
    return " ".join(line.split())


@pytest.fixture(scope="module")
def few(once):
    """What is printed of a few models, and the file; they are counted once."""

    def counting(folder):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            assert models.show(FEW, folder / "models.csv") == 0
        return out.getvalue(), f"{folder}/models.csv"

    said, file = once("few-models", counting)
    return said, pd.read_csv(file).set_index("model")


def test_a_row_has_what_was_published_beside_what_is_counted(few):
    out, _ = few
    assert row(out, "timm/resnet50") == "timm/resnet50 25.6 M 25.6 M 8.18 8.18 8.22 11.1 M 224 80.4% [2]"
    differ = "s 6.8% n 0.6%"
    assert row(out, "halonet_h0") == f"halonet_h0 5.49 M 5.5 M 4.28 4.57 4.59 {differ} 33 M 256 77.9% [1]"
    assert row(out, "timm/halonet_h1").endswith(" 256 -")


def test_figures_that_nobody_read_in_their_source_say_so(few):
    first, second = (line for line in few[0].splitlines() if re.match(r"\[\d\]", line))
    assert first.startswith("[1] arXiv 2103.12731 table A2")
    assert first.endswith("(second hand, not verified)")
    assert second == "[2] timm aa4b5850 results/results-imagenet.csv, with resnet50.a1_in1k"


def test_the_file_has_every_digit(few):
    _, table = few
    assert table["params"]["timm/resnet50"] == 25_557_032
    parts = table["flop_slots"] + table["flop_normalisation"] - table["flop_unknown"]
    assert (table["flop"] + parts == table["flop_fvcore"]).all()
    assert not table["verified"]["halonet_h0"]


def test_a_file_is_not_written_over(tmp_path):
    (tmp_path / "mine.csv").write_text("mine")
    with pytest.raises(UsageError, match=r"mine\.csv exists already"):
        models.show(FEW, tmp_path / "mine.csv")


@pytest.mark.parametrize("error", [RuntimeError, AssertionError], ids=["needs data", "takes no such image"])
def test_what_can_not_be_counted_is_a_row_with_the_reason(monkeypatch, shown, error):
    def refuse(model):
        raise error("too big\nat all")

    monkeypatch.setattr(flop_crosscheck, "counts", refuse)
    out = shown(["timm/resnet50"])
    assert row(out, "timm/resnet50") == "timm/resnet50 - 25.6 M - - - - - 224 80.4% [1]"
    assert out.splitlines()[-1] == "not counted: timm/resnet50, too big"


def test_an_unknown_name_is_answered_before_anything_is_counted(monkeypatch):
    monkeypatch.setattr(flop_crosscheck, "counts", None)
    with pytest.raises(UnknownName, match=r"no model 'halonet_h9'; there are: halonet_h0"):
        models.show(["halonet_h0", "halonet_h9"], None)


def test_without_names_there_is_a_row_for_every_listed_model(quick, shown):
    out = shown(None)
    assert all(row(out, name) for name in zoo.LISTED)
    assert max(map(len, out.split("GFLOP by")[0].splitlines())) <= 120
