import pytest
from cases import attention_record, frame_of, model_record

from halobench.results.derived import METRICS, problem_columns, with_metrics
from halobench.results.record import Work


def measured(*records):
    return with_metrics(frame_of(*records))


def test_throughput_is_useful_work_over_the_median():
    record = attention_record(samples=(1e-3, 2e-3, 9e-3), work=Work(flop=4 * 10**9, flop_executed=10**12))
    assert measured(record)["throughput"].tolist() == pytest.approx([2.0])


def test_bandwidth_counts_queries_keys_values_and_outputs():
    (row,) = measured(attention_record(samples=(1e-3,))).itertuples()
    assert row.bandwidth == pytest.approx(4 * (2 * 4 * 16 * 16 * 16) * 4 / 1e-3 / 1e9)


def test_waste_is_executed_over_useful_work():
    assert measured(attention_record(work=Work(flop=100, flop_executed=250)))["waste"].tolist() == [2.5]


def test_images_per_second_is_of_models_only():
    frame = measured(model_record(batch=3, samples=(0.5,)), attention_record())
    assert frame["images_per_second"][0] == pytest.approx(6.0)
    assert frame["images_per_second"].isna().tolist() == [False, True]


def test_speedup_is_against_the_baseline_on_the_same_problem():
    frame = measured(
        attention_record("naive_global", halo=1, samples=(4.0,)),
        attention_record("haloed_blocked", halo=1, samples=(1.0,)),
        attention_record("naive_global", halo=2, samples=(6.0,)),
        attention_record("haloed_blocked", halo=2, samples=(3.0,)),
    )
    assert frame["speedup"].tolist() == [1, 4, 1, 2]


def test_there_is_no_speedup_where_the_baseline_has_no_time():
    frame = measured(
        attention_record("naive_global", samples=(), status="oom"),
        attention_record("naive_global", samples=(4.0,), direction="forward_backward"),
        attention_record("haloed_blocked", samples=(1.0,)),
    )
    assert frame["speedup"].isna().tolist() == [True, False, True]


def test_what_was_asked_is_every_column_of_a_case_but_the_implementation():
    asked = problem_columns(measured(attention_record(), model_record()))
    assert {"workload", "model", "device", "threads", "dtype", "block", "image_size", "layout"} <= set(asked)
    assert not {"case", "implementation", "time_s", "status", "flop", "speedup"} & set(asked)


@pytest.mark.parametrize("name", METRICS)
def test_what_was_not_measured_stays_nan(name):
    frame = measured(attention_record(status="failed", samples=(), work=Work()))
    assert frame[name].isna().all()


@pytest.mark.parametrize("name", METRICS)
def test_an_empty_frame_has_every_metric(name):
    assert measured()[name].empty
