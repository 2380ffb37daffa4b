import pytest
from cases import attention_record, frame_of, model_record

from halobench.report.contract import REPORTS
from halobench.results.derived import with_metrics

SERIES = (3e-3, 1e-3, 2e-3, 2e-3, 2e-3, 4e-3)  # the median is 2 ms, its 95 % interval 1 to 4 ms


def shown(*records):
    return REPORTS["samples"](with_metrics(frame_of(*records)))


def test_every_sample_is_a_point_of_the_spread_in_milliseconds():
    spread, _ = shown(attention_record(samples=SERIES)).axes
    assert list(spread.lines[0].get_xdata()) == pytest.approx([3, 1, 2, 2, 2, 4])
    interval, median = spread.collections
    assert interval.get_segments()[0][:, 0].tolist() == pytest.approx([1, 4])
    assert median.get_segments()[0][:, 0].tolist() == pytest.approx([2, 2])


def test_points_of_a_spread_lie_apart_and_always_in_the_same_way():
    heights = [list(shown(attention_record(samples=SERIES)).axes[0].lines[0].get_ydata()) for _ in "ab"]
    assert heights[0] == heights[1]
    assert len(set(heights[0])) == len(SERIES)


def test_the_order_shows_each_sample_over_the_median_at_its_place():
    _, order = shown(attention_record(samples=SERIES)).axes
    assert list(order.lines[0].get_xdata()) == [1, 2, 3, 4, 5, 6]
    assert list(order.lines[0].get_ydata()) == pytest.approx([1.5, 0.5, 1, 1, 1, 2])


def test_the_running_median_shows_a_warm_up_and_no_single_outlier():
    warm_up = (2e-3,) * 10 + (1e-3,) * 40 + (9e-3,) + (1e-3,) * 49
    _, order = shown(attention_record(samples=warm_up)).axes
    running = order.lines[1].get_ydata()
    assert running[0] == pytest.approx(2)
    assert max(running[20:]) == pytest.approx(1)


def test_an_implementation_has_a_line_with_its_name_and_how_much_was_measured():
    figure = shown(attention_record("sdpa_blocked", samples=(2.0,)), attention_record("naive_global"))
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == [
        "naive_global\n1 ms ±0.0%\n6 samples",
        "sdpa_blocked\n2 s\n1 sample",
    ]


def test_the_problem_is_the_largest_of_those_with_most_implementations():
    two = [attention_record(name, height=side, width=side) for name in "ab" for side in (16, 32)]
    figure = shown(*two, attention_record("a", height=64, width=64), model_record())
    assert "\n32x32, b8 h3, mask, batch 2, 4 heads, dim 16, float32, forward, cpu" in figure.get_suptitle()


def test_forward_alone_is_taken_though_its_work_is_counted_less():
    figure = shown(
        attention_record(direction="forward_backward", samples=(3e-3,) * 6),
        attention_record(direction="forward", samples=(1e-3,) * 18),
    )
    assert "float32, forward, cpu" in figure.get_suptitle()


def test_models_are_shown_where_no_attention_was_measured():
    figure = shown(model_record("timm/resnet50", ""), attention_record(samples=(), status="oom"))
    assert figure.get_suptitle().endswith(
        "timm/resnet50, 128 px, batch 2, float32, inference, cpu, 2 threads"
    )
    assert figure.axes[0].get_ylabel().startswith("as it is\n")


def test_many_samples_are_kept_as_an_image():
    spread, order = shown(attention_record(samples=(1e-3, 2e-3) * 501)).axes
    assert spread.lines[0].get_rasterized()
    assert order.lines[0].get_rasterized()


@pytest.mark.parametrize("records", [[], [attention_record(samples=(), status="oom")]], ids=["none", "oom"])
def test_it_says_so_when_nothing_was_sampled(records):
    assert shown(*records) == "No case has samples.\n"
