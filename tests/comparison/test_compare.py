import json
import math
from itertools import combinations
from pathlib import Path

import pandas as pd
import pytest
from cases import attention_record
from hypothesis import given, settings
from hypothesis import strategies as st
from noise import MACHINES, called

from halobench.comparison import compare
from halobench.errors import UsageError
from halobench.results.record import SEVERITY

SAME_CODE = json.loads((Path(__file__).parents[1] / "runs" / "same_code.json").read_text())["cases"]
STEADY = (1.0, 1.01, 0.99, 1.02, 0.98, 1.0) * 3


def one(before, after, **options):
    """The only row of a comparison of the records of one case."""
    sides = [compare.side([records[0].case] if records else [], records) for records in (before, after)]
    (row,) = compare.compare(*sides, **options).to_dict("records")
    return row


def processes(*times, **fields):
    """Records of one case, one a process."""
    return [
        attention_record(samples=(time,) * 3, replicate=place, **fields) for place, time in enumerate(times)
    ]


def scaled(samples, factor):
    return [attention_record(samples=tuple(factor * sample for sample in samples))]


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.2, "slower"), (1 / 1.2, "faster"), (1.01, "same"), (1.0, "same")]
)
def test_one_process_a_side_is_judged_by_its_samples(factor, verdict):
    row = one(scaled(STEADY, 1), scaled(STEADY, factor))
    assert (row["verdict"], row["unit"], row["count_before"]) == (verdict, "samples", 18)
    assert row["ratio"] == pytest.approx(factor)
    assert row["ratio_low"] <= row["ratio"] <= row["ratio_high"]


def test_several_processes_are_judged_by_their_medians():
    row = one(processes(1.0, 1.01, 0.99), processes(1.2, 1.21, 1.19))
    assert (row["verdict"], row["unit"], row["count_after"]) == ("slower", "processes", 3)
    assert (row["time_before_s"], row["time_after_s"]) == pytest.approx((1, 1.2), rel=1e-3)


def test_samples_that_agree_do_not_hide_that_processes_differ():
    row = one(processes(1.0, 1.3), processes(1.2, 1.5))
    assert row["verdict"] == "unknown"
    assert row["reason"].startswith("too noisy: ")


def test_a_change_within_the_threshold_is_not_called_however_sure_it_is():
    before, after = (scaled(STEADY * 20, factor) for factor in (1, 1.04))
    assert one(before, after)["verdict"] == "same"
    assert one(before, after, threshold=0.02)["verdict"] == "slower"


@pytest.mark.parametrize("threshold", [-0.1, math.nan, math.inf])
def test_a_threshold_that_means_nothing_is_refused(threshold):
    with pytest.raises(UsageError, match=f"threshold: {threshold} must be 0 or more"):
        one(scaled(STEADY, 1), scaled(STEADY, 1), threshold=threshold)


def test_less_than_six_samples_have_no_verdict():
    row = one(scaled(STEADY, 1), scaled(STEADY[:5], 2))
    assert (row["verdict"], row["reason"]) == (
        "unknown",
        "too few samples: 18 and 5, 6 are the least",
    )


@pytest.mark.parametrize("time", [0.0, -1e-3])
def test_a_time_that_cannot_be_leaves_its_case_open_and_no_other(time):
    before, after = attention_record(samples=STEADY), attention_record(samples=(time, *STEADY[1:]))
    other = attention_record("sdpa_blocked", samples=STEADY)
    sides = [compare.side([record.case, other.case], [record, other]) for record in (before, after)]
    table = compare.compare(*sides).set_index("case")
    assert table.loc[before.case.id, ["verdict", "reason"]].tolist() == ["unknown", "a time of zero or less"]
    assert table.loc[other.case.id, "verdict"] == "same"


def test_another_environment_leaves_every_time_open():
    row = one(scaled(STEADY, 1), scaled(STEADY, 2), different=["cpu was one, now two"])
    assert (row["verdict"], row["reason"]) == ("unknown", "different environment: cpu was one, now two")
    assert math.isnan(row["ratio"])


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [([], processes(1), "only in the new run"), (processes(1), [], "only in the baseline")],
    ids=["new", "gone"],
)
def test_a_case_of_one_run_only_is_said(before, after, reason):
    row = one(before, after)
    assert (row["verdict"], row["reason"], row["broken"]) == ("unknown", reason, False)


@pytest.mark.parametrize(
    ("was", "now", "broken"),
    [
        ("ok", "wrong", True),
        ("ok", "timeout", True),
        ("oom", "crashed", True),
        ("ok", "pruned", False),
        ("wrong", "failed", False),
        ("oom", "timeout", False),
        ("wrong", "ok", False),
    ],
)
def test_broken_is_what_was_better_before(was, now, broken):
    before, after = ([attention_record(status=status, samples=(), reason="why")] for status in (was, now))
    row = one(before, after)
    assert (row["broken"], row["verdict"]) == (broken, "unknown")
    assert row["reason"] == f"not measured in both: was {was}, now {now} (why)"


def test_what_is_wrong_in_a_new_case_is_broken_too():
    assert one([], [attention_record(status="wrong", samples=())])["broken"]


def test_of_processes_the_worst_status_counts():
    records = [*processes(1, 1), attention_record(status="crashed", samples=(), replicate=2)]
    row = one(processes(1, 1), records)
    assert (row["status_after"], row["broken"]) == ("crashed", True)


def test_peak_memory_is_a_ratio_without_a_test():
    row = one(processes(1, 1, peak_bytes=200), processes(1, 1, peak_bytes=300))
    assert (row["memory_ratio"], row["peak_bytes_before"]) == (1.5, 200)
    assert math.isnan(one(processes(1, 1, peak_bytes=None), processes(1, 1))["memory_ratio"])


def test_the_largest_ratio_stands_first_and_the_open_ones_last():
    cases = {"a": 1.0, "b": 1.5, "c": 0.5, "d": 2.0}
    before, after = (
        [
            attention_record(name, samples=[s * (f if grown else 1) for s in STEADY])
            for name, f in cases.items()
        ]
        for grown in (False, True)
    )
    after[3] = attention_record("d", status="oom", samples=())
    table = compare.compare(*(compare.side([r.case for r in rs], rs) for rs in (before, after)))
    assert [case.partition("/")[0] for case in table["case"]] == ["b", "a", "c", "d"]


def test_a_case_that_was_never_reached_is_not_measured():
    record = attention_record()
    table = compare.compare(compare.side([record.case], []), compare.side([record.case], [record]))
    assert "was pruned, now ok (not reached" in table["reason"][0]


times = st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=30)
runs = st.dictionaries(
    st.sampled_from("abcdefghijkl"),
    st.tuples(st.sampled_from(SEVERITY), st.lists(times, min_size=1, max_size=3)),
)


def any_side(run):
    rows = [
        {"status": status, "reason": "", "error": 0.0, "peak_bytes": 1.0, "series": series}
        for status, series in run.values()
    ]
    return pd.DataFrame(rows, index=list(run), columns=["status", "reason", "error", "peak_bytes", "series"])


@settings(deadline=None, max_examples=50)
@given(runs)
def test_a_run_beside_itself_is_the_same_wherever_it_was_measured(run):
    table = compare.compare(any_side(run), any_side(run)).set_index("case")
    assert not table["broken"].any()
    for case, row in table.iterrows():
        status, series = run[case]
        enough = len(series) > 1 or len(series[0]) >= 6
        assert row["verdict"] == ("same" if status == "ok" and enough else "unknown")


@settings(deadline=None, max_examples=50)
@given(runs, runs)
def test_exchanging_the_runs_inverts_ratios_and_verdicts(before, after):
    there = compare.compare(any_side(before), any_side(after)).set_index("case")
    back = compare.compare(any_side(after), any_side(before)).set_index("case").loc[there.index]
    inverse = {"faster": "slower", "slower": "faster", "same": "same", "unknown": "unknown"}
    assert list(there["verdict"].map(inverse)) == list(back["verdict"])
    product = (there["ratio"] * back["ratio"]).dropna()
    assert product.to_numpy() == pytest.approx(1)
    assert list(there["ratio"].isna()) == list(back["ratio"].isna())


QUIET = [name for name in MACHINES if MACHINES[name].hour < compare.THRESHOLD]


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("machine", QUIET)
def test_false_alarms_are_rarer_than_promised(machine, count):
    alarms, _ = called(MACHINES[machine], processes=count, rounds=40)
    assert alarms <= compare.FALSE_ALARMS


def test_a_change_of_a_fifth_of_the_cases_is_found():
    alarms, found = called(MACHINES["quiet virtual machine"], processes=1, growth=1.3, changed=8, rounds=10)
    assert alarms <= 0.1
    assert found > 0.9


def test_code_that_became_slower_everywhere_is_found():
    _, found = called(MACHINES["quiet virtual machine"], processes=1, growth=1.3, changed=40, rounds=5)
    assert found > 0.9


def test_a_slower_hour_can_not_be_told_from_slower_code():
    """What `docs/method.md` says that two stored runs cannot show."""
    alarms, _ = called(MACHINES["runners that differ"], processes=5, rounds=10)
    assert alarms > compare.FALSE_ALARMS


def measured(process):
    """The same code on a machine that others used too, as one process saw it."""
    rows = [
        {"status": "ok", "reason": "", "error": 0.0, "peak_bytes": 1.0, "series": [tuple(processes[process])]}
        for processes in SAME_CODE.values()
    ]
    return pd.DataFrame(rows, index=list(SAME_CODE))


@pytest.fixture(scope="module")
def comparisons():
    return [compare.compare(measured(a), measured(b)) for a, b in combinations(range(10), 2)]


def test_measured_noise_alarms_less_often_than_promised(comparisons):
    alarms = [table["verdict"].isin(["slower", "faster"]).any() for table in comparisons]
    assert sum(alarms) <= compare.FALSE_ALARMS * len(alarms)


def test_measured_noise_would_alarm_by_ratio_alone(comparisons):
    beyond = [(table["ratio"] > 1 + compare.THRESHOLD).any() for table in comparisons]
    assert sum(beyond) > 0.9 * len(beyond)
