"""Reports of published figures: beside those measured, and accuracy over what costs the same anywhere."""

import pandas as pd
import pytest
from cases import attention_record, frame_of, model_record

from halobench.report.contract import REPORTS
from halobench.results.derived import with_metrics
from halobench.results.published import published
from halobench.results.record import Work

SPREAD = (0.1, 0.2, 0.2, 0.4, 0.4, 0.5)  # the median is 0.3 s, its 95 % interval 0.1 to 0.5 s
PANELS = [
    "published in papers",
    "published by timm, trained and measured there",
    "published, trained on ImageNet-21k first",
]
PAPER_FRONT = {  # accuracy by millions of parameters: B0 and H0, B1 and H1, ... but for B6 and B7
    **{5.3: 0.771, 5.5: 0.779, 7.8: 0.791, 8.1: 0.799, 9.2: 0.801, 9.4: 0.804, 12: 0.816, 12.3: 0.819},
    **{19: 0.829, 19.1: 0.833, 30: 0.836, 30.7: 0.84, 43.4: 0.844, 67: 0.849},
}


def shown(name, *records):
    return REPORTS[name](with_metrics(frame_of(*records)))


def front(axes):
    (line,) = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    return line.get_xydata().tolist()


def points(axes):
    """Of families, by place: whether the marker is hollow."""
    return {
        (float(x), float(y)): line.get_markerfacecolor() == "white"
        for line in axes.lines
        if line.get_linestyle() == "None" and line.get_markersize() == 6
        for x, y in line.get_xydata()
    }


def legend(figure):
    return [note.get_text() for note in figure.legends[0].get_texts()]


def of_digits(*points):
    """What brings its own points: by family and name, parameters and accuracy."""
    return pd.DataFrame(
        {"model": name, "family": family, "label": name, "params": params, "top1": accuracy}
        | {"image_size": 8, "source": "scikit-learn's digits", "verified": True}
        for family, name, params, accuracy in points
    )


def test_what_was_trained_on_more_data_has_a_panel_of_its_own():
    figure = shown("accuracy_over_params")
    assert [axes.get_title() for axes in figure.axes] == [
        f"Accuracy over parameters, {words}" for words in PANELS
    ]
    *_, more = figure.axes
    assert points(more) == {
        **{(85e6, accuracy): False for accuracy in (0.854, 0.856, 0.858)},
        **{(87e6, accuracy): False for accuracy in (0.855, 0.858)},
        **{(300e6, accuracy): True for accuracy in (0.852, 0.853)},
        (928e6, 0.854): True,
    }


def test_the_front_of_parameters_joins_what_no_smaller_model_reaches():
    papers, _, more = shown("accuracy_over_params").axes
    assert front(papers) == [[pytest.approx(size * 1e6), top1] for size, top1 in PAPER_FRONT.items()]
    assert front(more) == [[85e6, 0.858]]


def test_the_legend_explains_the_front_and_rings_only_if_there_are_any():
    plain, ringed = (
        legend(shown("accuracy_over_params")),
        legend(shown("accuracy_over_params", model_record())),
    )
    assert "Pareto front: none that is smaller is as accurate" in plain
    assert set(ringed) - set(plain) == {"ringed: measured in this run"}
    assert set(published()["family"]) <= set(plain)


def test_points_of_ones_own_stand_alone_and_the_axis_says_on_which_data():
    frame = of_digits(
        ("halo", "small", 1000, 0.95), ("halo", "large", 4000, 0.98), ("convolution", "plain", 2000, 0.94)
    )
    figure = REPORTS["accuracy_over_params"](frame)
    (axes,) = figure.axes
    assert points(axes) == {(1000, 0.95): False, (4000, 0.98): False, (2000, 0.94): False}
    assert front(axes) == [[1000, 0.95], [4000, 0.98]]
    assert sorted(note.get_text() for note in axes.texts) == ["large", "plain", "small"]
    assert axes.get_ylabel() == "top-1 accuracy on scikit-learn's digits [%]"
    assert axes.get_title() == "Accuracy over parameters"
    assert legend(figure) == ["convolution", "halo", "Pareto front: none that is smaller is as accurate"]


def test_families_of_ones_own_differ_in_look():
    frame = of_digits(*((f"family {i}", f"model {i}", 1000 * (i + 1), 0.9) for i in range(4)))
    figure = REPORTS["accuracy_over_params"](frame)
    looks = {(line.get_color(), line.get_marker()) for line in figure.legends[0].get_lines()[:4]}
    assert len(looks) == 4


def test_no_points_of_ones_own_is_said():
    assert REPORTS["accuracy_over_params"](of_digits().reindex(columns=["family", "params", "top1"])) == (
        "There are no accuracies to show.\n"
    )


def work(flop):
    return {"work": Work(flop=flop, params=5_488_000)}


def test_accuracy_over_flops_is_at_the_useful_work_of_one_image_whatever_is_inside():
    figure = shown(
        "accuracy_over_flops",
        model_record("halonet_h1", image_size=256, batch=4, **work(8 * 10**9)),
        model_record("halonet_h1", "original", image_size=256, batch=2, **work(4 * 10**9)),
        model_record("halonet_h2", image_size=256, batch=1, **work(3 * 10**9)),
        model_record("halonet_h0", image_size=256, batch=1, **work(5 * 10**9)),
        model_record("halonet_h7", image_size=600, batch=1, direction="training", **work(10**9)),
        model_record("halonet_h7", image_size=128, batch=1, **work(10**9)),
    )
    (axes,) = figure.axes
    assert points(axes) == {(2, 0.799): True, (3, 0.804): True, (5, 0.779): True}
    assert front(axes) == [[2, 0.799], [3, 0.804]]
    assert axes.get_xlabel() == "useful operations of an image [GFLOP], a multiply-add is 2"
    assert [note.get_text() for note in axes.texts] == ["H2", "H1", "H0"]


def test_accuracy_over_flops_has_the_panels_of_what_was_measured():
    records = [model_record("halonet_h4_base128", image_size=384), model_record("halonet_h0", image_size=256)]
    figure = shown("accuracy_over_flops", *records)
    assert [axes.get_title() for axes in figure.axes] == [
        f"Accuracy over operations, {words}" for words in (PANELS[0], PANELS[2])
    ]


@pytest.mark.parametrize(
    "records",
    [[], [model_record(image_size=128)], [attention_record()]],
    ids=["nothing", "at another image size", "attention only"],
)
def test_accuracy_over_flops_says_so_when_there_is_none(records):
    said = "No model was measured at the image size of a published accuracy.\n"
    assert shown("accuracy_over_flops", *records) == said


def test_parameters_counted_stand_beside_those_printed():
    table = shown(
        "paper_parameters",
        model_record("halonet_h0"),
        model_record("halonet_h0", batch=4),
        model_record("halonet_h4_base128", **work(1)),
        model_record("timm/resnet50", ""),
    )
    assert table.splitlines()[2:] == [
        "| network | model | printed | counted | difference | of the printed |",
        "| :-- | :-- | --: | --: | --: | --: |",
        "| H0 | halonet_h0 | 5.5 M | 5.49 M | -12 k | -0.2% |",
        "| H4 base 128, 384 px | halonet_h4_base128 | 85 M | 5.49 M | -79.5 M | -93.5% |",
    ]


@pytest.mark.parametrize("records", [[], [model_record("timm/resnet50", "")]], ids=["nothing", "of timm"])
def test_parameters_of_nothing_of_the_paper(records):
    said = "No network was measured of which the paper prints the parameters.\n"
    assert shown("paper_parameters", *records) == said


def detector(model, implementation="", **fields):
    return model_record(model, implementation, direction="training", image_size=1024, **fields)


def test_speeds_of_the_paper_stand_beside_those_measured_at_like_settings():
    table = shown(
        "paper_speeds",
        detector("resnet50_se", samples=(0.2,) * 6),
        detector("resnet50_local_b8", "haloed_blocked", samples=SPREAD),
        detector("resnet50_local_b8", "original", samples=(0.5,)),
        detector("resnet50_local_b32", "haloed_blocked", batch=4),
        model_record("resnet101_se", "", direction="training", image_size=512),
    )
    assert table.splitlines()[2:] == [
        "Table 5, over R50 SE; here batch 2, float32, training, cpu, 2 threads. The paper does not say "
        "that this is training; its differences match its hours of training.",
        "",
        "| network | model | image [px] | paper, TPUv3 | haloed_blocked | original | as it is |",
        "| :-- | :-- | --: | --: | --: | --: | --: |",
        "| R50 in the literature | timm/resnet50 | 1024 | 0.917x | - | - | - |",
        "| R50 SE | resnet50_se | 1024 | 1x | - | - | 1x |",
        "| R50 SE attention b8 h3 | resnet50_local_b8 | 1024 | 1.21x | 1.5x ±66.7% | 2.5x | - |",
        "| R50 SE attention b32 h3 | resnet50_local_b32 | 1024 | 1.37x | - | - | - |",
        "| R101 SE | resnet101_se | 1024 | 1.66x | - | - | - |",
        "| R101 SE attention b8 h3 | resnet101_local_b8 | 1024 | 1.79x | - | - | - |",
    ]


def test_speeds_of_the_paper_have_a_table_a_setting():
    records = [detector(name, batch=batch) for name in ("resnet50_se", "resnet101_se") for batch in (2, 4)]
    starts = [line for line in shown("paper_speeds", *records).splitlines() if line.startswith("Table")]
    assert [line.partition(", float32")[0] for line in starts] == [
        f"Table 5, over R50 SE; here batch {batch}" for batch in (2, 4)
    ]


@pytest.mark.parametrize(
    "records",
    [
        [],
        [detector("resnet50_se")],
        [detector("resnet101_se")],
        [detector("resnet50_se"), detector("resnet101_se", dtype="bfloat16")],
    ],
    ids=["nothing", "the reference only", "no reference", "at other settings"],
)
def test_speeds_of_the_paper_are_not_shown_without_something_beside_them(records):
    assert shown("paper_speeds", *records).startswith("No network of the paper's tables 4 to 6 was measured")


def timms(model, implementation="", **fields):
    asked = {"image_size": 256, "direction": "training", "device": "cuda"}
    return model_record(f"timm/{model}", implementation, **asked | fields)


def measured(axes):
    """By implementation the ratio along x; timm's own are in the legend only."""
    named = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
    return {line.get_label(): line.get_xdata().tolist() for line in named}


def test_speeds_of_timm_are_over_resnet50_and_so_are_those_measured():
    figure = shown(
        "timm_throughput",
        timms("resnet50", image_size=224, samples=(0.1,)),
        timms("halonet_h1", "original", samples=(0.4,)),
        timms("halonet_h1", "haloed_blocked", samples=(0.2,)),
        timms("halonet_h1", "triton_fused", samples=(0.1,), batch=4),
    )
    (axes,) = figure.axes
    assert measured(axes) == {"original": [0.25], "haloed_blocked": [0.5]}
    (theirs,) = [line for line in axes.lines if line.get_marker() == "v"]
    assert sorted(theirs.get_xdata()) == pytest.approx([176.7 / 1218.01, 177.48 / 826.06])  # in NHWC, in NCHW
    assert theirs.get_markerfacecolor() == "white"
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["halonet_h1"]
    assert legend(figure) == ["haloed_blocked", "original", "timm, RTX 3090, eager"]


def test_the_interval_of_a_ratio_is_that_of_both_medians():
    (axes,) = shown(
        "timm_throughput",
        timms("resnet50", image_size=224, samples=SPREAD),
        timms("halonet26t", "original", samples=(0.4, 0.5, 0.6, 0.6, 0.7, 0.8)),
    ).axes
    (interval,) = axes.collections
    assert sorted(interval.get_segments()[0][:, 0]) == pytest.approx([0.1 / 0.8, 0.5 / 0.4])


def test_speeds_of_timm_are_shown_for_the_same_kind_of_device_fastest_first():
    figure = shown(
        "timm_throughput",
        *(
            timms(name, direction="inference", device="cpu", image_size=size)
            for name, size in (("halonet_h1", 256), ("resnet50", 224), ("halonet26t", 256))
        ),
    )
    assert legend(figure)[1:] == ["timm, Core i7-12700H, compiled", "timm, Core i9-10940X, compiled"]
    labels = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert labels == ["halonet26t", "halonet_h1"]


@pytest.mark.parametrize(
    "records",
    [
        [],
        [timms("halonet26t", "original")],
        [timms("resnet50", image_size=224)],
        [timms("resnet50"), timms("halonet26t", "original")],
        [timms("resnet50", image_size=224), timms("halonet26t", "original", dtype="bfloat16")],
        [timms("resnet50", image_size=224, device="cpu"), timms("halonet26t", "original", device="cpu")],
    ],
    ids=[
        "nothing",
        "no resnet50",
        "resnet50 only",
        "at another image size",
        "at other settings",
        "no training on a CPU",
    ],
)
def test_speeds_of_timm_are_not_shown_without_resnet50_beside_them(records):
    assert shown("timm_throughput", *records).startswith("No network whose speed timm publishes was measured")


def test_models_marks_accuracies_that_took_more_data():
    table = shown(
        "models",
        model_record("halonet_h4_base128", image_size=384),
        model_record("timm/vit_large_patch16_384", "", image_size=384),
        model_record("halonet_h7", image_size=600),
    )
    marked = [line.split("|")[-2].strip() for line in table.splitlines()[4:]]
    assert marked == ["85.6%‡", "84.9%", "85.2%†‡"]
