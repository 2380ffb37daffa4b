import dataclasses

import pytest
from cases import attention_record, frame_of, model_record
from matplotlib.text import Text

from halobench.report import colour
from halobench.report.contract import REPORTS
from halobench.results.derived import with_metrics

TIMES = (0.1, 0.2, 0.2, 0.4, 0.4, 0.5)  # the median is 0.3 s, its 95 % interval 0.1 to 0.5 s
TIMED_OUT = {"samples": (), "status": "timeout"}
HOLLOW = "white"


def shown(name, *records):
    return REPORTS[name](with_metrics(frame_of(*records)))


def compiled(record):
    return dataclasses.replace(record, case=dataclasses.replace(record.case, mode="compiled"))


def points(axes):
    """By implementation the places of its points along x, in the order they are drawn."""
    named = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
    found = {}
    for line in named:
        found.setdefault(line.get_label(), []).extend(float(x) for x in line.get_xdata())
    return found


def sizes(axes):
    return [tick.get_text().strip() for tick in axes.get_yticklabels()]


def default_sweep():
    """About what a sweep measures by default: some models at two sizes, all at two batches."""
    names = [*(f"halonet_h{i}" for i in range(4)), "timm/halonet26t", "timm/halo2botnet50ts_256"]
    both = [*names, "timm/resnet50", "timm/swin_tiny_patch4_window7_224"]
    return [
        model_record(name, implementation, image_size=size, batch=batch, direction=direction)
        for name in both
        for implementation in (("haloed_blocked", "haloed_chunked", "original") if name in names else ("",))
        for size in ((128, 256) if name in both[::3] else (256,))
        for batch in (1, 2)
        for direction in ("inference", "training")
    ]


def test_throughput_is_batch_over_time_with_its_interval():
    (axes,) = shown("models_throughput", model_record(batch=3, samples=TIMES)).axes
    assert points(axes) == {"haloed_blocked": [pytest.approx(10)]}
    assert axes.collections[0].get_segments()[0][:, 0].tolist() == pytest.approx([30, 6])


def test_throughput_has_panels_a_direction_over_size_and_over_batch():
    figure = shown("models_throughput", *default_sweep())
    assert [axes.get_title() for axes in figure.axes] == [
        "inference\nover image size, batch 2",
        "training\nover image size, batch 2",
        "inference\nover batch",
        "training\nover batch",
    ]


def test_throughput_over_size_has_a_line_a_size_and_names_a_model_once():
    records = [model_record(image_size=size, samples=(2 / size,)) for size in (256, 128)]
    (axes,) = shown("models_throughput", *records, model_record("timm/resnet50", "", image_size=224)).axes
    assert sizes(axes) == ["halonet_h0   128 px", "256 px", "timm/resnet50   224 px"]
    assert points(axes) == {"haloed_blocked": [128, 256], "as it is": [pytest.approx(10)]}


def test_throughput_over_batch_is_at_the_largest_image_of_a_model():
    records = [
        model_record(image_size=size, batch=batch, samples=(1 / size,))
        for size in (128, 256)
        for batch in (1, 4)
    ]
    over_size, over_batch = shown("models_throughput", *records).axes
    assert points(over_size) == {"haloed_blocked": [4 * 128, 4 * 256]}
    assert sizes(over_batch) == ["halonet_h0, 256 px   batch 1", "batch 4"]
    assert points(over_batch) == {"haloed_blocked": [256, 4 * 256]}


def test_throughput_says_how_many_cases_it_does_not_show():
    records = [model_record(image_size=size, batch=batch) for size in (128, 256) for batch in (1, 2)]
    title = shown("models_throughput", *records).get_suptitle()
    assert "not shown, at other sizes or settings: 1," in title


def test_throughput_of_a_compiled_model_has_lines_of_its_own_and_the_same_colour():
    (axes,) = shown("models_throughput", model_record(), compiled(model_record(samples=(0.1,) * 6))).axes
    assert sizes(axes) == ["halonet_h0   128 px", "halonet_h0, compiled   128 px"]
    assert points(axes) == {"haloed_blocked": [pytest.approx(10), pytest.approx(20)]}
    assert {line.get_color() for line in axes.lines if line.get_label() == "haloed_blocked"} == {
        colour("haloed_blocked")
    }


def test_throughput_of_implementations_lies_side_by_side_in_a_line():
    (axes,) = shown(
        "models_throughput", model_record("m", "somebody_elses"), model_record("m", "original")
    ).axes
    heights = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert heights["original"] == [pytest.approx(-0.175)]
    assert heights["somebody_elses"] == [pytest.approx(0.175)]


def test_names_beside_the_lines_do_not_cover_each_other():
    figure = shown("models_throughput", *default_sweep())
    figure.draw_without_rendering()
    for axes in figure.axes[::2]:
        boxes = [Text.get_window_extent(tick) for tick in axes.get_yticklabels()]
        assert all(not a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
        assert all(box.x0 >= 0 for box in boxes)


@pytest.mark.parametrize("records", [[], [model_record(**TIMED_OUT)], [attention_record()]])
def test_throughput_says_so_when_no_model_was_measured(records):
    assert shown("models_throughput", *records) == "No model was measured.\n"


def accuracies(axes):
    """By implementation its points: milliseconds, top-1, and whether they are hollow."""
    named = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
    return {
        line.get_label(): (*map(float, line.get_xydata()[0]), line.get_markerfacecolor() == HOLLOW)
        for line in named
    }


def test_accuracy_over_time_is_at_the_time_of_one_image_and_hollow_where_second_hand():
    (axes,) = shown(
        "accuracy_over_time",
        model_record("halonet_h0", image_size=256, batch=2, samples=(0.3,)),
        model_record("timm/halonet26t", "original", image_size=256, batch=2, samples=(0.1,)),
    ).axes
    assert accuracies(axes) == {
        "haloed_blocked": (pytest.approx(150), 0.779, True),
        "original": (pytest.approx(50), 0.79134, False),
    }
    assert axes.get_xlabel() == "time of an image [ms]"


def test_accuracy_belongs_to_an_image_size_and_what_is_left_out_is_counted():
    figure = shown(
        "accuracy_over_time",
        model_record(image_size=256),
        model_record(image_size=128),
        model_record(image_size=224),
        model_record("unpublished", image_size=224),
        model_record(image_size=256, direction="training"),
    )
    assert [len(line.get_xdata()) for line in figure.axes[0].lines] == [1, 1]
    assert " ".join(figure.get_suptitle().splitlines()[1:]) == (
        "Measured but left out: 2 at another image size than that of the published accuracy, "
        "1 without a published accuracy."
    )


def test_accuracy_over_time_has_a_panel_a_place_with_the_most_first():
    figure = shown(
        "accuracy_over_time",
        *(compiled(model_record(name, image_size=256)) for name in ("halonet_h0", "halonet_h1")),
        *(model_record(name, image_size=256, batch=1) for name in ("halonet_h0", "halonet_h1", "halonet_h2")),
    )
    assert [axes.get_title() for axes in figure.axes] == [
        "batch 1, float32, cpu, 2 threads",
        "batch 2, compiled, float32, cpu, 2 threads",
    ]


def test_accuracy_over_time_leaves_out_places_of_a_single_model_beside_those_of_several():
    figure = shown(
        "accuracy_over_time",
        *(model_record(name, image_size=256, batch=1) for name in ("halonet_h0", "halonet_h1")),
        model_record(image_size=256, batch=2),
    )
    assert [axes.get_title() for axes in figure.axes] == ["batch 1, float32, cpu, 2 threads"]
    assert figure.get_suptitle().endswith("Measured but left out: 1 at other settings.")


def test_accuracy_over_time_shows_no_more_than_four_places_and_counts_the_others():
    records = [model_record(image_size=256, batch=batch) for batch in (1, 2, 4, 8, 16)]
    figure = shown("accuracy_over_time", *records)
    assert len(figure.axes) == 4
    assert figure.get_suptitle().endswith("Measured but left out: 1 at other settings.")


def test_accuracy_over_time_names_a_model_once_at_its_fastest():
    figure = shown(
        "accuracy_over_time",
        model_record(image_size=256, samples=(0.4,)),
        model_record(implementation="somebody_elses", image_size=256, samples=(0.2,)),
    )
    (label,) = figure.axes[0].texts
    assert (label.get_text(), label.xy) == ("halonet_h0", (100, 0.779))


def test_the_step_joins_models_that_no_other_beats():
    times = {"timm/efficientnet_b0": (224, 0.1), "timm/halonet26t": (256, 0.3), "halonet_h1": (256, 0.2)}
    records = [
        model_record(name, "somebody_elses", image_size=size, batch=1, samples=(time,))
        for name, (size, time) in times.items()
    ]
    (axes,) = shown("accuracy_over_time", *records).axes
    (step,) = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    assert step.get_xydata().tolist() == [[100, 0.77698], [200, 0.799]]


def fronts(figure):
    return [line for line in figure.axes[0].lines if line.get_drawstyle() == "steps-post"]


def legend(figure):
    return [note.get_text() for note in figure.legends[0].get_texts()]


def test_models_that_were_trained_on_more_data_have_a_front_of_their_own():
    figure = shown(
        "accuracy_over_time",
        model_record("halonet_h4_base128", image_size=384, batch=1, samples=(0.1,)),
        model_record("halonet_h7", image_size=600, batch=1, samples=(0.2,)),
    )
    steps = {line.get_linestyle(): line.get_xydata().tolist() for line in fronts(figure)}
    assert steps == {"-": [[200, 0.849]], "--": [[100, 0.856]]}
    assert legend(figure)[-2:] == [
        "Pareto front: none that is faster is as accurate",
        "dashed: of models trained on ImageNet-21k first",
    ]


def test_of_models_that_take_the_same_time_the_most_accurate_is_on_the_front():
    names = ("halonet_h0", "halonet_h2", "halonet_h1")
    figure = shown("accuracy_over_time", *(model_record(name, image_size=256, batch=1) for name in names))
    assert [line.get_xydata().tolist() for line in fronts(figure)] == [[[200, 0.804]]]
    assert not any("21k" in words for words in legend(figure))


def test_accuracy_over_memory_is_at_the_peak_over_the_images_and_has_its_front():
    figure = shown(
        "accuracy_over_memory",
        model_record("halonet_h0", image_size=256, batch=4, peak_bytes=8 * 2**20),
        model_record("halonet_h1", image_size=256, batch=4, peak_bytes=16 * 2**20),
        model_record("halonet_h2", image_size=256, batch=4, peak_bytes=12 * 2**20),
        model_record("halonet_h3", image_size=320, batch=4, peak_bytes=None),
    )
    (axes,) = figure.axes
    assert accuracies(axes) == {"haloed_blocked": (2, 0.779, True)}
    assert [line.get_xydata().tolist() for line in fronts(figure)] == [[[2, 0.779], [3, 0.804]]]
    assert axes.get_xlabel() == "peak memory over images in the batch [MiB]"
    assert figure.get_suptitle().endswith("Measured but left out: 1 without a value on this axis.")
    assert "Pareto front: none that needs less is as accurate" in legend(figure)


@pytest.mark.parametrize("name", ["accuracy_over_time", "accuracy_over_memory"])
@pytest.mark.parametrize(
    "records",
    [[], [model_record(image_size=256, **TIMED_OUT)], [attention_record()]],
    ids=["nothing", "timed out", "attention only"],
)
def test_accuracy_over_what_it_costs_says_so_when_nothing_was_measured(name, records):
    assert shown(name, *records) == "No model was measured where its accuracy is known.\n"


def test_accuracy_over_time_says_why_nothing_is_left():
    said = shown("accuracy_over_time", model_record(image_size=64), model_record("unpublished"))
    assert said == (
        "No model was measured where its accuracy is known. Measured but left out: 1 at another image size "
        "than that of the published accuracy, 1 without a published accuracy.\n"
    )
