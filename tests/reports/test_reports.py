import dataclasses

import pandas as pd
import pytest
from cases import attention_record, frame_of, model_record
from matplotlib.figure import Figure
from matplotlib.text import Text

from halobench.report import output, style
from halobench.report.contract import REPORTS
from halobench.results.derived import with_metrics
from halobench.results.published import published
from halobench.results.record import Work

TIMES = (1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 6e-3, 7e-3)  # the median is 4 ms, its 95 % interval 1 to 7 ms
FAILED = {"samples": (), "status": "oom", "reason": "needs 9 GiB | of 8"}


def shown(name, *records):
    return REPORTS[name](with_metrics(frame_of(*records)))


def on_gpu(record):
    return dataclasses.replace(record, case=dataclasses.replace(record.case, device="cuda"))


def lines(axes):
    """What is drawn, by its name in the legend."""
    named = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in named}


def words(figure):
    return [note.get_text() for axes in figure.axes for note in axes.texts]


FRAMES = {
    "empty": [],
    "nothing ok": [attention_record(**FAILED), model_record(samples=(), status="timeout")],
    "one case of attention": [attention_record(samples=(1e-3,))],
    "one model": [model_record(samples=(0.1, 0.2))],
    "no counts": [attention_record(peak_bytes=None, work=Work()), model_record(peak_bytes=None, work=Work())],
    "everything": [
        attention_record("naive_global", samples=TIMES),
        attention_record("naive_global", height=64, width=48, **FAILED),
        attention_record("somebody_elses", height=64, width=48, border="zero", stride=2, samples=TIMES),
        on_gpu(attention_record("haloed_blocked", direction="forward_backward", samples=TIMES)),
        model_record("timm/halonet26t", "original", direction="training"),
        model_record("timm/resnet50", "", dtype="bfloat16"),
        model_record("unpublished"),
    ],
}


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("records", FRAMES.values(), ids=FRAMES)
def test_every_report_copes_with_every_frame(name, records, tmp_path):
    rendered = shown(name, *records)
    assert output.save(name, rendered, tmp_path)
    (suffixes,) = ({path.suffix for path in folder.iterdir()} for folder in tmp_path.iterdir())
    assert suffixes == ({".svg", ".png"} if isinstance(rendered, Figure) else {".md"})
    assert isinstance(rendered, Figure) or rendered.endswith("\n")


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_has_a_title_and_something_to_say_of_an_empty_frame(name):
    assert REPORTS[name].title != name
    assert shown(name) != ""


def test_a_saved_figure_is_the_same_each_time(tmp_path):
    kept = []
    for _ in range(2):
        output.save("time_over_resolution", shown("time_over_resolution", attention_record()), tmp_path)
        kept.append((tmp_path / "figures" / "time_over_resolution.svg").read_bytes())
    assert kept[0] == kept[1]


def test_known_implementations_differ_in_colour_and_marker():
    looks = [(style.colour(name), style.marker(name)) for name in style.COLOURS]
    assert len({colour for colour, _ in looks}) == len({marker for _, marker in looks}) == len(looks)
    assert style.ordered(["zebra", "sdpa_blocked", "naive_global", "zebra"]) == [
        "naive_global",
        "sdpa_blocked",
        "zebra",
    ]


def test_time_over_resolution_draws_a_line_each_at_the_most_measured_block_and_halo():
    figure = shown(
        "time_over_resolution",
        attention_record("sdpa_blocked", height=64, width=64, samples=(4e-3,)),
        attention_record("sdpa_blocked", height=16, width=16, samples=(1e-3,)),
        attention_record("sdpa_blocked", height=16, width=16, samples=(9e-3,), block=4),
        attention_record("haloed_blocked", height=16, width=16, samples=(2e-3,)),
    )
    (axes,) = figure.axes
    assert lines(axes) == {"sdpa_blocked": ([16, 64], [1, 4]), "haloed_blocked": ([16], [2])}
    assert axes.get_ylabel().endswith("[ms]")
    assert figure.get_suptitle().endswith("b8 h3, batch 2, 4 heads, dim 16, float32, cpu, 2 threads")


def test_time_over_resolution_names_maps_and_panels():
    figure = shown(
        "time_over_resolution",
        attention_record(height=8, width=8),
        attention_record(height=64, width=48),
        *(attention_record(border="zero", height=side, width=side) for side in (8, 16)),
        *(attention_record(direction="forward_backward", height=side, width=side) for side in (8, 16)),
    )
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["forward, border mask", "forward, border zero", "forward + backward, border mask"]
    assert [tick.get_text() for tick in figure.axes[2].get_xticklabels()] == ["8x8", "16x16", "64x48"]


def test_a_panel_with_a_single_size_is_left_out_beside_one_with_several():
    sizes = (attention_record(height=side, width=side) for side in (8, 16))
    figure = shown("time_over_resolution", *sizes, attention_record(border="zero"))
    assert [axes.get_title() for axes in figure.axes] == ["forward, border mask"]


def test_intervals_are_drawn_around_the_median():
    (axes,) = shown("time_over_resolution", attention_record(samples=TIMES)).axes
    (interval,) = axes.collections
    assert interval.get_segments()[0].tolist() == [[16, pytest.approx(1)], [16, pytest.approx(7)]]


def test_memory_over_resolution_is_in_mebibytes():
    (axes,) = shown("memory_over_resolution", attention_record("sdpa_blocked", peak_bytes=3 * 2**20)).axes
    assert lines(axes) == {"sdpa_blocked": ([16], [3])}
    assert axes.get_ylabel().endswith("[MiB]")


def test_time_over_block_halo_has_small_windows_first():
    figure = shown(
        "time_over_block_halo",
        attention_record("sdpa_blocked", block=8, halo=3, samples=(3e-3,)),
        attention_record("sdpa_blocked", block=4, halo=1, samples=(1e-3,)),
        attention_record("sdpa_blocked", block=4, halo=3, samples=(2e-3,)),
    )
    (axes,) = figure.axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["b4 h1", "b4 h3", "b8 h3"]
    assert sorted(zip(*lines(axes)["sdpa_blocked"], strict=True)) == [(0, 1), (1, 2), (2, 3)]


def test_implementations_stand_side_by_side_in_a_category():
    names, halos = ("naive_global", "sdpa_blocked"), (1, 3)
    records = [attention_record(name, halo=halo, samples=(1e-3,)) for name in names for halo in halos]
    (axes,) = shown("time_over_block_halo", *records).axes
    found = {name: places for name, (places, _) in lines(axes).items()}
    assert found["naive_global"] == pytest.approx([-0.175, 0.825])
    assert found["sdpa_blocked"] == pytest.approx([0.175, 1.175])


def test_flops_shows_what_is_executed_and_a_mark_at_what_is_useful():
    work = Work(flop=2 * 10**9, flop_executed=5 * 10**9)
    left, right = shown("flops", attention_record("sdpa_blocked", work=work)).axes
    assert lines(left) == lines(right) == {"sdpa_blocked": ([0], [5])}
    assert left.collections[0].get_segments()[0][:, 1].tolist() == [2, 2]
    assert left.get_ylabel() == "floating point operations [GFLOP]"


def test_speedup_has_the_fastest_in_bold_and_a_mean_over_what_all_did():
    table = shown(
        "speedup",
        attention_record("naive_global", halo=1, samples=(4.0,)),
        attention_record("haloed_blocked", halo=1, samples=(2.0,)),
        attention_record("naive_global", halo=2, samples=(1.0,)),
        attention_record("haloed_blocked", halo=2, samples=(2.0,)),
        attention_record("naive_global", halo=3, **FAILED),
        attention_record("haloed_blocked", halo=3, samples=(2.5,)),
    )
    assert "over 2 of 3 problems" in table
    assert table.splitlines()[2:] == [
        "| map | border | direction | block | halo | naive_global | haloed_blocked |",
        "| :-- | :-- | :-- | --: | --: | --: | --: |",
        "| 16x16 | mask | forward | 8 | 1 | 1x | **2x** |",
        "| 16x16 | mask | forward | 8 | 2 | **1x** | 0.5x |",
        "| 16x16 | mask | forward | 8 | 3 | oom | **2.5 s** |",
        "| **geometric mean** |  |  |  |  | 1x | 1x |",
    ]


def test_speedup_has_a_table_a_device_and_a_column_for_what_else_differs():
    table = shown(
        "speedup",
        on_gpu(attention_record(dtype="float32")),
        on_gpu(attention_record(dtype="bfloat16")),
        attention_record(),
    )
    assert [line.partition(":")[0] for line in table.splitlines() if line.startswith("On")] == [
        "On b8 h3, batch 2, cuda",
        "On b8 h3, batch 2, cpu, 2 threads",
    ]
    assert "| map | border | direction | dtype | haloed_blocked |" in table


def test_models_shows_cost_and_published_accuracy():
    table = shown(
        "models",
        model_record("halonet_h7", "original", samples=(0.5,), image_size=600),
        model_record("halonet_h0", ""),
        model_record("halonet_h0", "", image_size=256),
    )
    assert table.splitlines()[2:] == [
        "| model | implementation | direction | image [px] | batch | time | images/s | peak memory "
        "| operations | parameters | top-1 |",
        "| :-- | :-- | :-- | --: | --: | --: | --: | --: | --: | --: | --: |",
        "| halonet_h0 | - | inference | 128 | 2 | 200 ms ±0.0% | 10 | 64 MiB | 1 GFLOP | 5.49 M | - |",
        "| halonet_h0 | - | inference | 256 | 2 | 200 ms ±0.0% | 10 | 64 MiB | 1 GFLOP | 5.49 M | 77.9%† |",
        "| halonet_h7 | original | inference | 600 | 2 | 500 ms | 4 | 64 MiB | 1 GFLOP | 5.49 M | 84.9% |",
    ]


def test_not_measured_says_why_with_what_is_broken_first():
    table = shown(
        "not_measured",
        attention_record("sdpa_blocked", halo=1, **FAILED),
        attention_record("naive_global", halo=1, **FAILED),
        model_record("halonet_h0", samples=(), status="wrong", reason="error 0.1"),
        attention_record(),
    )
    assert table.splitlines() == [
        "3 of 4 planned cases, what is broken first.",
        "",
        "| status | reason | of | for example | cases |",
        "| :-- | :-- | :-- | :-- | --: |",
        "| wrong | error 0.1 | halonet_h0 | halonet_h0/haloed_blocked/inference/2x128px/float32/cpu2 | 1 |",
        "| oom | needs 9 GiB \\| of 8 | naive_global, sdpa_blocked "
        "| sdpa_blocked/forward/2x4x16x16d16/b8h1/mask/none/float32/cpu2 | 2 |",
    ]


def test_not_measured_is_glad_when_nothing_is_missing():
    assert shown("not_measured", attention_record()) == "Everything that was planned was measured.\n"


def test_accuracy_over_params_labels_the_paper_models_and_rings_what_was_measured():
    figure = shown("accuracy_over_params", model_record("halonet_h3"))
    assert {f"H{i}" for i in range(8)} | {f"B{i}" for i in range(8)} | {"halonet26t"} <= set(words(figure))
    rings = [line for axes in figure.axes for line in axes.lines if line.get_markersize() == 12]
    assert [list(line.get_xdata()) for line in rings if len(line.get_xdata())] == [[12.3e6]]


def test_accuracy_over_params_fills_the_markers_of_verified_figures():
    figure = shown("accuracy_over_params")
    drawn = {
        (x, y): line.get_markerfacecolor()
        for axes in (figure.axes[0], figure.axes[2])
        for line in axes.lines
        if line.get_markersize() == 6 and line.get_linestyle() == "None"
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    known = published()[~published()["family"].str.endswith("(timm)")].dropna(subset=["params", "top1"])
    hollow = {(row.params, row.top1): not row.verified for row in known.itertuples()}
    assert {point: fill == "white" for point, fill in drawn.items()} == hollow


def test_labels_do_not_cover_each_other():
    figure = shown("accuracy_over_params")
    figure.draw_without_rendering()
    for axes in figure.axes:
        boxes = [Text.get_window_extent(note) for note in axes.texts]
        pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
        assert pairs == []


def test_published_sources_has_a_row_a_figure():
    table = shown("published_sources").splitlines()
    assert table[0] == "| family | model | source | read there | image [px] | parameters | top-1 |"
    assert len(table) == 2 + len(published())


def test_reports_say_so_when_nothing_is_published(monkeypatch):
    for name in ("accuracy_over_params", "published_sources"):
        monkeypatch.setitem(
            REPORTS[name].render.__globals__, "published", lambda: pd.DataFrame(published().iloc[:0])
        )
        assert shown(name).startswith("There are no published")


def test_of_an_interrupted_run_no_other_kind_is_left(tmp_path):
    output.save("ratios", "No case.\n", tmp_path)
    output.save("ratios", Figure(), tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["ratios.png", "ratios.svg"]


def test_an_unknown_implementation_looks_like_no_known_one():
    looks = {(style.colour(name), style.marker(name)) for name in style.COLOURS}
    for name in ("tile_loop", "mine", "fused", "halo2"):
        assert (style.colour(name), style.marker(name)) not in looks
