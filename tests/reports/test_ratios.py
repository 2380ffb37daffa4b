import dataclasses

import pytest
from cases import attention_record, frame_of, model_record
from matplotlib.figure import Figure
from matplotlib.text import Text

from halobench.axes import FIELDS, SAID
from halobench.report.contract import REPORTS
from halobench.results.derived import with_metrics

MISSING = {"samples": (), "status": "unsupported", "reason": "needs a GPU"}


def shown(*records):
    return REPORTS["ratios"](with_metrics(frame_of(*records)))


def cells(axes):
    """By problem and implementation, what is written there."""
    problems = [tick.get_text() for tick in axes.get_yticklabels()]
    names = [tick.get_text() for tick in axes.get_xticklabels()]
    places = {note.get_position(): note.get_text() for note in axes.texts}
    return {(problems[int(y)], names[int(x)]): words for (x, y), words in places.items()}


def sweep(names, sides=(8, 16), directions=("forward", "forward_backward")):
    return [
        attention_record(name, height=side, width=side, direction=direction)
        for name in names
        for side in sides
        for direction in directions
    ]


def test_each_cell_is_the_time_over_the_fastest_of_its_problem():
    (axes,) = shown(
        attention_record("naive_global", samples=(6e-3,)),
        attention_record("sdpa_blocked", samples=(2e-3,)),
        attention_record("naive_global", halo=1, samples=(5e-3,)),
        attention_record("sdpa_blocked", halo=1, samples=(8e-3,)),
    ).axes[:-1]
    assert cells(axes) == {
        ("16x16, b8 h1", "naive_global"): "1x",
        ("16x16, b8 h1", "sdpa_blocked"): "1.6x",
        ("16x16, b8 h3", "naive_global"): "3x",
        ("16x16, b8 h3", "sdpa_blocked"): "1x",
    }


def test_what_was_not_measured_is_hatched_and_says_what_happened():
    (axes,) = shown(attention_record(), attention_record("triton_fused", **MISSING)).axes[:-1]
    assert cells(axes)["16x16, b8 h3", "triton_fused"] == "unsupp."
    assert [cell.get_hatch() for cell in axes.patches] == [None, "////"]


def test_slower_is_darker_and_the_fastest_is_bold():
    times = {"haloed_blocked": 1e-3, "sdpa_blocked": 5e-3, "naive_global": 20e-3}
    (axes,) = shown(*(attention_record(name, samples=(time,)) for name, time in times.items())).axes[:-1]
    lightness = [sum(cell.get_facecolor()[:3]) for cell in axes.patches]
    assert lightness == sorted(lightness, reverse=True)
    assert [note.get_fontweight() for note in axes.texts] == ["bold", "normal", "normal"]


def test_a_problem_is_told_by_what_differs_and_the_title_has_the_rest():
    figure = shown(attention_record(border="mask"), attention_record(border="zero", dtype="bfloat16"))
    labels = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert labels == ["16x16, b8 h3, mask, float32", "16x16, b8 h3, zero, bfloat16"]
    assert figure.get_suptitle().endswith("batch 2, 4 heads, dim 16, cpu, 2 threads")


def test_every_column_of_a_problem_can_be_told():
    assert {name for fields in SAID.values() for name in fields} == set(FIELDS) - {"implementation"}


def test_directions_stand_side_by_side_where_cells_are_wide_enough():
    few, many = shown(*sweep("ab")), shown(*sweep("abcdefghi"))
    places = [[axes.get_position() for axes in figure.axes[:2]] for figure in (few, many)]
    assert places[0][0].y0 == places[0][1].y0
    assert places[1][0].x0 == places[1][1].x0


@pytest.mark.parametrize("names", ["ab", "abcdefghijkl"], ids=["two implementations", "twelve"])
def test_words_fit_into_their_cells_with_forty_problems(names):
    records = sweep(names, sides=range(8, 48))
    last = dataclasses.replace(records[-1], status="implausible", samples=())
    figure = shown(*records[:-1], last)
    figure.draw_without_rendering()
    (cell, *_), (*_, note) = figure.axes[1].patches, figure.axes[1].texts
    assert note.get_text() == "implaus."
    box, words = cell.get_window_extent(), Text.get_window_extent(note)
    assert words.width < box.width
    assert words.height < box.height


@pytest.mark.parametrize(
    "records",
    [[], [model_record()], [attention_record(**MISSING)]],
    ids=["nothing", "a model", "nothing that ran"],
)
def test_it_says_so_when_no_attention_was_measured(records):
    assert shown(*records) == "No case of attention was measured.\n"


def test_somebody_elses_implementation_has_a_column():
    figure = shown(attention_record("somebody_elses"), attention_record())
    assert isinstance(figure, Figure)
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == [
        "haloed_blocked",
        "somebody_elses",
    ]
