import re

import pandas as pd
import pytest

from halobench import models_table
from halobench.models import counting, zoo

FEW = ["halonet_h0", "timm/resnet50", "timm/halonet_h1"]


@pytest.fixture
def shown(capsys):
    def show(names, csv=None):
        assert models_table.show(names, csv) == 0
        return capsys.readouterr().out

    return show


def row(out, name):
    (line,) = (line for line in out.splitlines() if line.startswith(f"│ {name} "))
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_a_row_has_what_was_published_beside_what_is_counted(shown):
    out = shown(FEW)
    assert row(out, "timm/resnet50")[1:] == [
        "25.6 M",
        "8.18 GFLOP",
        "8.18 GFLOP",
        "224 px",
        "no",
        "80.4% [2]",
    ]
    assert row(out, "halonet_h0")[4:] == ["256 px", "yes", "77.9% [1]"]
    assert row(out, "timm/halonet_h1")[-1] == "-"


def test_figures_that_nobody_read_in_their_source_say_so(shown):
    first, second = (line for line in shown(FEW).splitlines() if re.match(r"\[\d\]", line))
    assert first.startswith("[1] arXiv 2103.12731 table A2")
    assert first.endswith("(second hand, not verified)")
    assert second == "[2] timm aa4b5850 results/results-imagenet.csv"


def test_the_file_has_every_digit(shown, tmp_path):
    shown(FEW, tmp_path / "models.csv")
    table = pd.read_csv(tmp_path / "models.csv").set_index("model")
    assert table["params"]["timm/resnet50"] == 25_557_032
    assert (table["flop_executed"] >= table["flop"]).all()
    assert not table["verified"]["halonet_h0"]


def test_a_file_is_not_written_over(tmp_path):
    (tmp_path / "mine.csv").write_text("mine")
    with pytest.raises(FileExistsError, match=r"mine\.csv exists already"):
        models_table.show(FEW, tmp_path / "mine.csv")


@pytest.mark.parametrize("error", [RuntimeError, AssertionError], ids=["needs data", "takes no such image"])
def test_what_can_not_be_counted_is_a_row_with_the_reason(monkeypatch, shown, error):
    def refuse(*asked):
        raise error("too big")

    monkeypatch.setattr(counting, "work", refuse)
    out = shown(["timm/resnet50"])
    assert row(out, "timm/resnet50")[1:5] == ["-", "-", "-", "224 px"]
    assert out.splitlines()[-1] == "not counted: timm/resnet50, not from shapes alone: too big"


def test_an_unknown_name_is_answered_before_anything_is_counted(monkeypatch):
    monkeypatch.setattr(counting, "work", None)
    with pytest.raises(KeyError, match=r"no model 'halonet_h9'; there are: halonet_h0"):
        models_table.show(["halonet_h0", "halonet_h9"], None)


def test_without_names_there_is_a_row_for_every_listed_model(monkeypatch, shown):
    monkeypatch.setattr(counting, "work", lambda *asked: counting.Work(flop=1, flop_executed=1, params=1))
    out = shown(None)
    assert [row(out, name)[0] for name in zoo.LISTED] == list(zoo.LISTED)
