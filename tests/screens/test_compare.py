import json
import re

import pandas as pd
import pytest
from cases import attention_record

from halobench.errors import UsageError
from halobench.results.store import Store
from halobench.screens import compare

SAMPLES = (1.0, 1.01, 0.99, 1.02, 0.98, 1.0) * 3
NAMES = ("haloed_blocked", "sdpa_blocked", "naive_global")
ENVIRONMENT = {"cpu": "one", "cores": 2, "commit": "a", "packages": {"halobench": "0.1", "torch": "2.14"}}


@pytest.fixture
def run(tmp_path):
    """A folder with the records given."""

    def store(name, records, **environment):
        made = Store.create(tmp_path / name, dict.fromkeys(record.case for record in records))
        for record in records:
            made.add(record)
        (tmp_path / name / "environment.json").write_text(json.dumps(ENVIRONMENT | environment))
        return tmp_path / name

    return store


def records(**factors):
    return [
        attention_record(name, samples=tuple(factors.get(name, 1) * sample for sample in SAMPLES))
        for name in NAMES
    ]


@pytest.fixture
def baseline(run):
    return run("a", records())


def show(before, after, threshold=0.05, everything=False, out=None):
    return compare.show(before, after, threshold, everything, out)


def test_a_run_beside_itself_has_changed_nowhere(baseline, capsys):
    assert show(baseline, baseline) == 0
    assert capsys.readouterr().out.splitlines() == [
        "3 cases: 3 same",
        "changes up to 5.0% are let pass; 3 by the samples of one process (--replicates 5 would say more); "
        "with less than 8 cases nothing tells how much the two runs differ as such",
    ]


def test_what_became_slower_is_shown_first_and_makes_the_exit_code_1(baseline, run, capsys):
    after = run("b", records(haloed_blocked=0.5, sdpa_blocked=1.5))
    assert show(baseline, after) == 1
    out = capsys.readouterr().out
    shown = [line for line in out.splitlines() if line.startswith("│")]
    assert [word for word in re.findall(r"\w+", "".join(shown)) if word in NAMES] == [
        "sdpa_blocked",
        "haloed_blocked",
    ]
    assert [word for word in ("1.5x", "slower", "500 ms", "0.5x", "faster") if word not in out] == []
    assert "3 cases: 1 slower, 1 same, 1 faster" in out


def test_what_became_faster_is_fine(baseline, run):
    assert show(baseline, run("b", records(haloed_blocked=0.5))) == 0
    assert show(run("c", records(haloed_blocked=1.5)), baseline) == 0


def test_all_shows_every_case_with_the_reason(baseline, run, capsys):
    after = run("b", [*records()[:2], attention_record("naive_global", samples=(1.0,) * 3)])
    assert show(baseline, after, everything=True) == 0
    words = re.sub(r"[│┃\s]+", "", capsys.readouterr().out)
    assert all(name in words for name in NAMES)
    assert "toofew" in words
    assert "3cases:2same,1unknown(toofewsamples)" in words


def test_what_is_newly_wrong_is_named_and_makes_the_exit_code_1(baseline, run, capsys):
    wrong = attention_record("naive_global", status="wrong", samples=(), reason="out is off by 1")
    assert show(baseline, run("b", [*records()[:2], wrong])) == 1
    out = capsys.readouterr().out
    (row,) = (line for line in out.splitlines() if line.startswith("│ naive_global"))
    assert [cell.strip() for cell in row.split("│")[2:6]] == ["ok", "wrong", "-", "-"]
    (line,) = (line for line in out.splitlines() if line.startswith("broken: "))
    assert line == f"broken: {wrong.case.id}, was ok, now wrong (out is off by 1)"


def test_memory_that_grew_is_shown_and_does_not_fail(baseline, run, capsys):
    more = attention_record("naive_global", samples=SAMPLES, peak_bytes=2**21)
    assert show(baseline, run("b", [*records()[:2], more])) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "same" in line and "│" in line)
    assert row.split("│")[-2].strip() == "2x"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"cpu": "two"}, "different environment: cpu was one, now two"),
        ({"packages": {"torch": "2.15"}}, "packages was {'torch': '2.14'}, now {'torch': '2.15'}"),
    ],
    ids=["processor", "packages"],
)
def test_runs_of_different_machines_are_refused_and_nothing_is_printed(baseline, run, capsys, changed, said):
    with pytest.raises(UsageError, match="nothing to compare") as refused:
        show(baseline, run("b", records(), **changed))
    assert said in str(refused.value)
    assert capsys.readouterr().out == ""


def test_what_is_compared_may_differ(baseline, run):
    packages = ENVIRONMENT["packages"] | {"halobench": "0.2"}
    assert show(baseline, run("b", records(), commit="b", packages=packages)) == 0


def test_runs_without_a_common_case_are_refused(run):
    before, after = (run(name, [attention_record(name)]) for name in NAMES[:2])
    with pytest.raises(UsageError, match=r"only in the .*; only in the "):
        show(before, after)


def test_every_case_goes_to_a_new_file(baseline, run, tmp_path):
    out = tmp_path / "verdicts.csv"
    show(baseline, run("b", records(sdpa_blocked=1.5)), out=out)
    table = pd.read_csv(out)
    assert sorted(table["verdict"]) == ["same", "same", "slower"]
    assert table["ratio"][0] == pytest.approx(1.5)


def test_a_file_is_not_written_over(baseline, tmp_path):
    out = tmp_path / "mine.csv"
    out.write_text("mine")
    with pytest.raises(UsageError, match=r"mine\.csv exists already"):
        show(baseline, baseline, out=out)
    assert out.read_text() == "mine"


def test_a_file_in_no_folder_is_refused(baseline, tmp_path):
    with pytest.raises(UsageError, match="there is no folder"):
        show(baseline, baseline, out=tmp_path / "no" / "mine.csv")


def test_what_the_verdicts_stand_on_is_said(run, capsys):
    folder = run("a", [attention_record(f"n{n}", replicate=place) for n in range(8) for place in range(2)])
    show(folder, folder)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "changes up to 5.0% are let pass; 8 cases by the medians of their processes"
