import dataclasses
import json

import pandas as pd
import pytest
from cases import model_record

from halobench import isolate
from halobench.case import parse
from halobench.errors import UnknownName, UsageError
from halobench.isolate import ChildFailure
from halobench.profiling import breakdown
from halobench.profiling import figure as parts_figure
from halobench.profiling.modules import Part
from halobench.results.record import Work
from halobench.screens import explain
from halobench.sweep.executors import process

ATTENTION = "haloed_blocked/forward/1x1x8x8d8/b4h1/mask/none/float32/cpu1"
FOUND = [
    Part("stem", "stage", 10, 300, (0.01, 0.01, 0.01), 2**20, 1),
    Part("stages.0", "stage", 80, 600, (0.08, 0.08, 0.08), 2**22, 1),
    Part("stem", "convolution", 10, 300, (0.01,), 2**20, 1),
    Part("stages.0.0", "attention", 60, 500, (0.02,), 2**21, 2),
    Part("stages.0.1", "attention", 10, 50, (0.03,), 2**22, 1),
]


@pytest.fixture
def table():
    record = model_record(samples=(0.1,) * 6, work=Work(flop=1000, params=100), peak_bytes=2**23)
    return breakdown.tabled(FOUND, record)


def rows(table, by):
    return {
        row["part"]: [row["params"], row["flop"], row["time_s"], row["peak_bytes"]]
        for row in table[table["by"] == by].to_dict("records")
    }


def approx(values):
    return [pytest.approx(value, nan_ok=True) for value in values]


def test_stages_and_what_is_between_them_make_up_the_whole(table):
    found = rows(table, "stage")
    assert found["stages.0"] == [80, 600, 0.08, 2**22]
    assert found["between the stages"] == approx([10, 100, 0.01, float("nan")])


def test_kinds_and_the_rest_make_up_the_whole(table):
    found = rows(table, "kind")
    assert list(found) == ["attention", "convolution", "the rest"]
    assert found["attention"] == approx([70, 550, 2 * 0.02 + 0.03, 2**22])  # the largest, not the sum
    assert found["the rest"] == approx([20, 150, 0.02, float("nan")])


def test_every_layer_is_there_with_its_samples(table):
    assert rows(table, "attention")["stages.0.0"] == [60, 500, 0.04, 2**21]
    stem = table[(table["by"] == "stage") & (table["part"] == "stem")]
    assert stem["samples"].iloc[0] == "0.01 0.01 0.01"


def test_the_figure_has_a_bar_a_part_in_the_units_of_its_axes(table):
    figure = parts_figure.figure(table, "a case")
    stages = figure.axes[:4]
    widths = [[bar.get_width() for bar in axes.patches] for axes in stages]
    assert widths[1] == pytest.approx([300e-9, 600e-9, 100e-9])
    assert widths[2] == pytest.approx([10, 80, 10])
    assert widths[3] == pytest.approx([1, 4, 0])
    assert [axes.get_xlabel() for axes in figure.axes[-4:]] == [
        "parameters [M]",
        "work [GFLOP]",
        "time [ms]",
        "peak memory [MiB]",
    ]


@pytest.mark.slow
def test_a_model_is_explained(tmp_path, capsys):
    name = "halonet_h0/haloed_blocked/inference/1x64px/float32/cpu1"
    assert explain.show(name, tmp_path / "out", 1e-3, ["explain"]) == 0
    said = capsys.readouterr().out
    assert all(words in said for words in ("stages.3", "between the stages", "the rest", "aten::"))
    table = pd.read_csv(tmp_path / "out/parts.csv")
    assert table.loc[table["by"] == "stage", "flop"].sum() == table["flop"][0]
    assert (table["by"] == "attention").sum() == 16
    assert json.loads((tmp_path / "out/trace.json").read_text())["traceEvents"]
    assert (tmp_path / "out/figures/parts.png").exists()


def test_an_attention_case_is_explained_by_its_operators(capsys):
    assert explain.show(ATTENTION, None, 1e-3, ["explain"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(ATTENTION)
    assert "aten::bmm" in said


def test_what_can_not_be_measured_is_said(monkeypatch, capsys):
    record = model_record(status="oom", samples=(), reason="too large")
    case = dataclasses.replace(record.case, threads=1)
    monkeypatch.setattr(process, "measure", lambda *asked: dataclasses.replace(record, case=case))
    assert explain.show(case.id, None, 1e-3, ["explain"]) == 1
    assert capsys.readouterr().out.strip() == f"{case.id}: oom (too large)"


def test_a_profile_that_ends_without_a_result_is_said(monkeypatch, capsys):
    monkeypatch.setattr(
        isolate, "run_isolated", lambda call, limit, **_: ChildFailure("timeout", "no result after 600 s")
    )
    monkeypatch.setattr(process, "measure", lambda case, *asked: model_record())
    assert explain.show(ATTENTION, None, 1e-3, ["explain"]) == 1
    assert "timeout: no result after 600 s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("halonet_h0", UsageError, "is not the id of a case, such as"),
        ("nobodys/auto/inference/1x64px/float32/cpu1", UnknownName, "no model 'nobodys'"),
        (ATTENTION.replace("haloed_blocked", "nobodys"), UnknownName, "nobodys"),
        ("halonet_h0/auto/inference/1x64px/compiled/float32/cpu1", UsageError, "has no parts"),
        ("halonet_h0/original/inference/1x64px/float32/cpu1", UsageError, "needs an implementation"),
    ],
)
def test_bad_use_is_one_line_before_anything_is_measured(monkeypatch, name, error, message):
    monkeypatch.setattr(process, "measure", None)
    with pytest.raises(error, match=message):
        explain.show(name, None, 1e-3, ["explain"])


def test_a_folder_is_not_written_into_twice(tmp_path):
    assert parse(ATTENTION)
    with pytest.raises(UsageError):
        explain.show(ATTENTION, tmp_path, 1e-3, ["explain"])
