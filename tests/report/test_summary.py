from dataclasses import replace

import pytest
from cases import attention_record, frame_of, model_record

from halobench.report import summary


def both(slow=(4e-3,), fast=(1e-3,), **fields):
    """The baseline and another implementation on one problem."""
    return [
        attention_record("naive_global", samples=slow, **fields),
        attention_record("sdpa_blocked", samples=fast, **fields),
    ]


def test_a_run_says_what_is_fastest_by_how_much_and_where():
    assert summary.sentence(frame_of(*both())) == (
        "fastest here: sdpa_blocked, on 1 of 1 problems; 4x over naive_global "
        "at 16x16, b8 h3, mask, batch 2, float32, forward, cpu, 2 threads"
    )


def test_the_largest_problem_is_the_one_that_is_told():
    sizes = {16: 8e-3, 48: 6e-3, 32: 4e-3}
    records = [record for side, slow in sizes.items() for record in both((slow,), height=side, width=side)]
    assert "on 3 of 3 problems; 6x over naive_global at 48x48" in summary.sentence(frame_of(*records))


def test_the_best_of_the_others_is_told_beside_the_baseline():
    records = [*both(), attention_record("haloed_chunked", samples=(2e-3,))]
    said = summary.sentence(frame_of(*records))
    assert "; 4x over naive_global and 2x over haloed_chunked at " in said


def test_the_baseline_itself_may_be_fastest():
    said = summary.sentence(frame_of(*both(slow=(1e-3,), fast=(2e-3,))))
    assert said.startswith("fastest here: naive_global, on 1 of 1 problems; 2x over sdpa_blocked at")


def test_what_wins_most_problems_is_fastest():
    records = both() + both(batch=4) + both(slow=(1e-3,), fast=(9e-3,), batch=8)
    assert summary.sentence(frame_of(*records)).startswith("fastest here: sdpa_blocked, on 2 of 3 problems")


def test_without_another_the_time_is_told_and_nobody_wins():
    said = summary.sentence(frame_of(attention_record("sdpa_blocked", samples=(1.5e-3,))))
    assert said == "measured: sdpa_blocked/forward/2x4x16x16d16/b8h3/mask/none/float32/cpu2, 1.5 ms"


def test_cases_that_ask_different_things_are_not_compared():
    models = [model_record(name, "", samples=(0.1,)) for name in ("timm/resnet26t", "timm/resnet50")]
    assert summary.sentence(frame_of(*models)) == "measured: 2 cases, no two on the same problem"


def test_what_was_not_measured_wins_nothing():
    broken = attention_record("haloed_chunked", status="wrong", samples=(), reason="out is off")
    assert "over haloed_chunked" not in summary.sentence(frame_of(*both(), broken))


def test_attention_is_told_before_models():
    assert "sdpa_blocked" in summary.sentence(frame_of(model_record(), *both()))


def test_of_models_the_implementation_inside_is_told():
    records = [model_record(samples=(0.4,)), model_record(implementation="haloed_chunked", samples=(0.1,))]
    assert summary.sentence(frame_of(*records)) == (
        "fastest here: haloed_chunked, on 1 of 1 problems; 4x over haloed_blocked "
        "at halonet_h0, 128 px, batch 2, float32, inference, cpu, 2 threads"
    )


def test_a_model_that_nothing_competes_with_wins_nothing():
    alone = [model_record("timm/resnet50", "", samples=(0.01,), batch=batch) for batch in (1, 2)]
    pair = [model_record(), model_record(implementation="haloed_chunked", samples=(0.1,))]
    said = summary.sentence(frame_of(*alone, *pair))
    assert said.startswith("fastest here: haloed_chunked, on 1 of 1 problems; 2x over haloed_blocked")


@pytest.mark.parametrize("records", [[], both(slow=(), fast=(), status="oom")], ids=["no case", "no time"])
def test_a_run_without_a_time_says_so(records):
    assert summary.sentence(frame_of(*records)) == "nothing was measured"


def test_a_table_names_what_differs_in_rows_and_what_is_shared_above():
    shared, header, rows = summary.table(frame_of(*both(), *both(border="zero")))
    assert shared == ("16x16, b8 h3, batch 2, 4 heads, dim 16, float32, forward, cpu, 2 threads")
    assert header == ["problem", "naive_global", "sdpa_blocked"]
    assert [row[0] for row in rows] == [("mask", False), ("zero", False)]


@pytest.mark.parametrize(
    ("device", "threads", "said"),
    [("cpu", 1, "cpu, 1 thread"), ("cuda", 1, "cuda"), ("cpu", 2, "cpu, 2 threads")],
)
def test_threads_are_told_of_a_cpu_only_and_one_is_one_thread(device, threads, said):
    records = [replace(one, case=replace(one.case, device=device, threads=threads)) for one in both()]
    assert summary.table(frame_of(*records))[0].endswith(f"forward, {said}")
    assert summary.sentence(frame_of(*records)).endswith(f"forward, {said}")


def test_the_fastest_of_a_row_is_marked():
    _, _, rows = summary.table(frame_of(*both(), *both(slow=(1e-3,), fast=(2e-3,), batch=4)))
    assert [row[1:] for row in rows] == [
        [("4 ms", False), ("1 ms", True)],
        [("1 ms", True), ("2 ms", False)],
    ]


def test_a_cell_without_a_time_has_the_status_or_a_dash():
    records = [attention_record(status="oom", samples=()), attention_record("sdpa_blocked", batch=4)]
    _, _, rows = summary.table(frame_of(*records))
    assert [[text for text, _ in row[1:]] for row in rows] == [["oom", "-"], ["-", "1 ms"]]


def test_models_have_a_row_each():
    records = [model_record(), model_record("timm/resnet50", "", samples=(0.1,))]
    shared, header, rows = summary.table(frame_of(*records))
    assert header == ["problem", "haloed_blocked", "as it is"]
    assert [row[0][0] for row in rows] == ["halonet_h0", "timm/resnet50"]
    assert shared.startswith("128 px, batch 2")
