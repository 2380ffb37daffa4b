import dataclasses
import json
import os
import random
import subprocess
import sys
import tarfile

import pandas as pd
import pytest

from halobench import isolate
from halobench.attention import autotune
from halobench.attention.implementation import IMPLEMENTATIONS, Implementation, runs_anywhere
from halobench.attention.problem_sets import STANDARD
from halobench.campaign import check_log, merge, runner, speed, steps, summary
from halobench.campaign.check_log import Asked
from halobench.campaign.runner import chosen, go_on, must_go, show_plan
from halobench.campaign.steps import PARTS, Step
from halobench.campaign.summary import entries
from halobench.campaign.sweeps import Setup, folders, sweep
from halobench.commands import campaign
from halobench.deadline import NEVER, Deadline, OutOfTime
from halobench.errors import UsageError
from halobench.isolate import ChildFailure
from halobench.results.environment import environment
from halobench.results.folder import ENVIRONMENT
from halobench.results.record import Record
from halobench.results.store import Store
from halobench.sweep.executors import process


@pytest.fixture
def setup(tmp_path, monkeypatch):
    monkeypatch.setenv(autotune.CACHE, str(tmp_path))  # a campaign has its own, of the whole process
    return Setup(tmp_path / "campaign", "cpu", small=True)


@pytest.fixture
def asked(monkeypatch):
    """The cases that a sweep measures."""
    cases = []

    def measure(case, settings, timeout):
        cases.append(case.id)
        return Record(case=case, status="ok", samples=(1e-3,) * 6)

    measure.cases = cases
    monkeypatch.setattr(process, "measure", measure)
    return measure


def parts(**calls):
    """Parts that do these, at no cost."""
    return {
        name: Step(f"about {name}", lambda setup, deadline, do=do: do(), lambda setup: 7.0, 0.0)
        for name, do in calls.items()
    }


def carried(setup, parts, budget, say):
    """`go_on`, its archive beside the folder."""
    return go_on(setup, parts, budget, say, setup.out.with_name("campaign.tar.gz"))


def said(lines):
    """What is said of parts, without the size of the archive."""
    return [line for line in lines if "campaign.tar.gz" not in line]


def broken():
    raise RuntimeError("no such kernel\nand a long story")


def test_a_part_that_fails_does_not_stop_the_next(setup):
    found = carried(setup, parts(first=broken, second=lambda: "fine"), 100, print)
    assert [(entry["status"], entry["detail"]) for entry in found.values()] == [
        ("failed", "RuntimeError: no such kernel"),
        ("done", "fine"),
    ]


def test_what_is_done_is_not_done_again_and_what_failed_is(setup):
    calls = []
    both = parts(good=lambda: calls.append("good") or "fine", bad=lambda: calls.append("bad") or broken())
    carried(setup, both, 100, print)
    carried(setup, both, 100, print)
    assert calls == ["good", "bad", "bad"]


def test_tuning_tells_what_was_found_a_problem(registered, setup, monkeypatch):
    def measure(case, settings, timeout):
        assert (settings.autotune, case.direction) == ("try", "forward_backward")
        return Record(case=case, status="ok", config="forward chunk=64")

    monkeypatch.setattr(process, "measure", measure)
    assert steps.tune(setup, NEVER).startswith("nothing to tune: triton_fused ")
    entry = dataclasses.replace(IMPLEMENTATIONS["triton_fused"], unsupported=runs_anywhere)
    registered(IMPLEMENTATIONS, "triton_fused", entry)
    told = steps.tune(setup, NEVER).split("; ")
    assert told == [f"{title}: forward chunk=64 (ok)" for title in steps.TUNED]


def test_the_report_is_never_done(setup):
    calls = []
    for _ in range(2):
        carried(setup, parts(report=lambda: calls.append(1) or "written"), 100, print)
    assert len(calls) == 2


def test_a_part_that_does_not_fit_any_more_is_left_for_the_next_call(setup):
    long = Step("long", lambda *_: "fine", lambda setup: 60.0, least_s=60.0)
    lines = []
    (entry,) = carried(setup, {"long": long}, 10, lines.append).values()
    assert (entry["status"], entry["seconds"]) == ("left", 0.0)
    assert said(lines)[0] == "long: left, 0 s, left for the next call: needs 60 s at least, 10 s are left"
    assert carried(setup, {"long": long}, 100, print)["long"]["status"] == "done"


def looks_at_the_clock(needs_s):
    """A part that needs so long, and does not begin what it cannot end."""

    def do(setup, deadline):
        if deadline.left_s < needs_s:
            raise OutOfTime("1 of 2")
        return "at last"

    return do


def test_a_part_ends_at_its_deadline_and_the_next_call_goes_on(setup):
    slow = {"slow": Step("slow", looks_at_the_clock(30), lambda setup: 1.0, 0.0)}
    entry = carried(setup, slow, 20, print)["slow"]
    assert (entry["status"], entry["detail"]) == ("unfinished", "out of time, the next call goes on. 1 of 2")
    assert carried(setup, slow, 100, print)["slow"]["status"] == "done"


def test_a_part_makes_room_for_the_next_and_goes_on_after_it(setup):
    done = []
    slow = Step("slow", looks_at_the_clock(30), lambda setup: 1.0, 0.0, most_s=20)
    found = carried(setup, {"slow": slow} | parts(next=lambda: done.append(1) or "fine"), 100, print)
    assert done == [1]
    assert [(name, entry["status"], entry["detail"]) for name, entry in found.items()] == [
        ("slow", "done", "at last"),
        ("next", "done", "fine"),
    ]


@pytest.mark.parametrize(("told", "seconds"), [("12m", 720), ("90s", 90), ("90", 90), ("1.5m", 90)])
def test_a_time_has_a_unit_or_is_in_seconds(told, seconds):
    assert runner.duration("budget", told) == seconds


@pytest.mark.parametrize("told", ["", "m", "0", "0m", "-5", "1h", "5 m", "nan", "1e3"])
def test_what_is_no_time_is_refused(told):
    with pytest.raises(UsageError, match=r"budget: .* must be a time such as 12m, 90s or 90"):
        runner.duration("budget", told)


def test_whatever_ends_a_call_the_archive_holds_what_the_parts_before_have_found(setup):
    def taken_away():
        raise KeyboardInterrupt

    two = parts(first=lambda: (setup.out / "first.json").write_text("found") and "fine", second=taken_away)
    with pytest.raises(KeyboardInterrupt):
        carried(setup, two, 100, print)
    with tarfile.open(setup.out.with_name("campaign.tar.gz")) as tar:
        assert tar.extractfile("campaign/first.json").read() == b"found"
        assert b"| first | done |" in tar.extractfile("campaign/summary.md").read()


def test_an_archive_that_is_too_large_goes_without_what_can_be_made_again(tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    chance = random.Random(0)
    for name, size in {"samples.jsonl": 5_000, "page.html": 4_000, "figure.png": 3_000}.items():
        (out / name).write_bytes(chance.randbytes(size))
    monkeypatch.setattr(summary, "MOST_BYTES", 9_000)
    said = summary.pack(out, tmp_path / "all.tar.gz")
    assert said.endswith(", without page.html")
    with tarfile.open(tmp_path / "all.tar.gz") as tar:
        assert sorted(tar.getnames()) == ["out/figure.png", "out/samples.jsonl"]


def test_a_summary_that_is_too_long_is_cut_at_a_line_and_says_so():
    cut = summary._cut("a line of it\n" * 2000)
    assert len(cut) <= summary.MOST_CHARACTERS
    assert cut.endswith("a line of it\n… cut off here: the rest is in the archive.\n")
    assert summary._cut("short\n") == "short\n"


ASKED = [Asked("haloed_blocked", "float32", title) for title in ("no halo", "zero border", "one position")]


@pytest.fixture
def children(monkeypatch):
    """Children that are calls in this process; one that is told of ends as a child would."""
    spoilt = {}

    def apart(call, timeout):
        share, device, file = call.args
        for place, each in enumerate(share):
            if each.problem in spoilt:
                check_log.tell(share[:place], device, file)
                return spoilt.pop(each.problem)
        return call()

    monkeypatch.setattr(isolate, "run_isolated", apart)
    return spoilt


def test_a_child_that_ends_costs_its_problem_a_line_and_a_new_one_goes_on(children, tmp_path):
    children["zero border"] = ChildFailure("crashed", "an illegal access")
    check_log.tell_all(ASKED, "cpu", tmp_path / "lines", 1)
    found = [(line.problem, line.status, line.reason) for line in check_log.read(tmp_path / "lines")]
    assert found == [
        ("no halo", "right", ""),
        ("zero border", "crashed", "an illegal access"),
        ("one position", "right", ""),
    ]


def test_an_error_that_stays_with_the_process_ends_it_and_the_next_problem_is_asked(
    children, tmp_path, monkeypatch
):
    spoilt = []

    def verdict(asked, device):
        if asked.problem == "no halo":
            spoilt.append(asked)
        failed = bool(spoilt)
        return check_log.CheckResult(**asked._asdict(), status="failed" if failed else "right")

    monkeypatch.setattr(check_log, "verdict", verdict)
    monkeypatch.setattr(check_log, "answers", lambda device: not spoilt or spoilt.clear())
    check_log.tell_all(ASKED, "cpu", tmp_path / "lines", 1)
    assert [line.status for line in check_log.read(tmp_path / "lines")] == ["failed", "right", "right"]


def test_what_was_cut_off_while_it_was_written_spoils_no_line_behind_it(tmp_path):
    file = tmp_path / "speed.jsonl"
    file.write_text('{"problem": "whole"}\n{"problem": "cut o')
    speed.add({"problem": "next"}, file)
    assert [found["problem"] for found in speed.read(file)] == ["whole", "next"]


def test_when_time_is_up_children_end_after_the_problem_they_are_at(children, tmp_path, monkeypatch):
    def verdict(asked, device):
        if asked.problem == "zero border":
            (tmp_path / "lines.stop").touch()
        return check_log.CheckResult(**asked._asdict(), status="right")

    monkeypatch.setattr(check_log, "verdict", verdict)
    check_log.tell_all(ASKED, "cpu", tmp_path / "lines.jsonl", 1)
    assert [line.problem for line in check_log.read(tmp_path / "lines.jsonl")] == ["no halo", "zero border"]
    check_log.tell_all(ASKED, "cpu", tmp_path / "lines.jsonl", 1)
    assert len(check_log.read(tmp_path / "lines.jsonl")) == 3


def test_the_problem_that_a_deadline_ends_has_no_line(children, tmp_path):
    asked = []

    class AfterOne(Deadline):
        over = property(lambda self: bool(asked))

    def late(call, timeout):
        asked.append(call)
        check_log.tell(ASKED[:1], "cpu", tmp_path / "lines")
        return ChildFailure("timeout", "no result after 1 s")

    isolate.run_isolated = late  # the fixture puts it back
    assert not check_log.tell_all(ASKED, "cpu", tmp_path / "lines", 1, AfterOne())
    assert [line.problem for line in check_log.read(tmp_path / "lines")] == ["no halo"]


def test_what_has_a_line_is_not_asked_again(children, tmp_path):
    check_log.add(check_log.CheckResult(**ASKED[0]._asdict(), status="right"), tmp_path / "lines")
    check_log.tell_all(ASKED, "cpu", tmp_path / "lines", 2)
    assert len((tmp_path / "lines").read_text().splitlines()) == 3


@pytest.fixture
def measured(tmp_path):
    """A campaign of one problem, packed."""
    out = tmp_path / "out"
    out.mkdir()
    problem = speed.small(STANDARD["32x32 n8 d16 b8h3"])
    names = ("haloed_blocked", "sdpa_blocked", "triton_fused")
    found = speed.measure("one", problem, names, "cpu", "channels_last")
    speed.add(found, out / summary.SPEED)
    here = environment([]) | {"gpu": {"name": "NVIDIA X100"}, "started": "2026-01-02T03:04:05+00:00"}
    (out / "ceilings.json").write_text(json.dumps({"environment": here, "ceilings": {}, "failed": {}}))
    (out / "campaign.json").write_text("{}")
    check_log.tell([ASKED[0]], "cpu", out / "check.jsonl")
    summary.write(out, {})
    summary.pack(out, tmp_path / "all.tar.gz")
    return found, tmp_path / "all.tar.gz"


def test_a_problem_is_measured_in_turn_and_what_can_not_be_says_why(measured):
    found, _ = measured
    rows = {(row["implementation"], row["direction"]): row for row in found["rows"]}
    assert len(rows) == 6
    assert rows["triton_fused", "forward"]["reason"].startswith("needs a GPU")
    for direction in speed.DIRECTIONS:
        taken = rows["sdpa_blocked", direction]["samples"]
        assert {sample["round"] for sample in taken} == set(range(speed.ROUNDS))
        assert all(sample["device_s"] > 0 for sample in taken)


def test_what_becomes_wrong_while_it_is_timed_has_a_reason_and_no_samples(registered):
    problem, calls = speed.small(STANDARD["32x32 n8 d16 b8h3"]), []

    def drifting(q, k, v, position, problem):
        calls.append(1)
        return IMPLEMENTATIONS["haloed_blocked"].attend(q, k, v, position, problem) * (
            1 if len(calls) < 5 else 2
        )

    registered(IMPLEMENTATIONS, "drifting", Implementation("drifting", drifting))
    found = speed.measure("one", problem, ("drifting",), "cpu", "channels_last")
    assert all(row["reason"].startswith("after it was timed: ") for row in found["rows"])
    assert not any(row["samples"] for row in found["rows"])


def test_a_campaign_of_another_machine_is_kept_with_a_page_a_figure_and_a_line(measured, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{merge.BEGIN}{merge.END}after\n")
    (tmp_path / "measured" / "x100-2026-01-02").mkdir(parents=True)
    (tmp_path / "measured" / "x100-2026-01-02" / "findings.md").write_text("What was learnt.\n")
    for _ in range(2):  # the second time changes nothing
        folder = merge.merge(measured[1], tmp_path / "measured", readme)
    assert folder.name == "x100-2026-01-02"
    page = (folder / "README.md").read_text()
    assert page.startswith("# NVIDIA X100, 2026-01-02\n")
    assert "What was learnt." in page
    frame = pd.read_parquet(folder / "results.parquet")
    assert set(frame.loc[frame["device_s"].notna(), "implementation"]) == {"haloed_blocked", "sdpa_blocked"}
    assert frame.loc[frame["implementation"] == "triton_fused", "reason"].str.startswith("needs a GPU").all()
    assert pd.read_csv(folder / "check.csv")["status"].tolist() == ["right"] * 6
    assert (folder / "speed.png").read_bytes().startswith(b"\x89PNG")
    words = readme.read_text()
    assert words.startswith("before\n")
    assert words.endswith("after\n")
    assert words.count("[NVIDIA X100, 2026-01-02](measured/x100-2026-01-02/README.md)") == 1


def test_without_a_measured_gpu_readme_says_so(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(merge.BEGIN + merge.END)
    (tmp_path / "measured").mkdir()
    merge._list(tmp_path / "measured", readme)
    assert merge.NONE in readme.read_text()


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_what_is_no_campaign_is_not_kept(content, tmp_path):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UsageError, match="cannot be read"):
        merge.merge(tmp_path / "file", tmp_path, tmp_path / "README.md")


def test_the_seconds_of_all_calls_add_up(setup):
    setup.out.mkdir()
    known = {"slow": {"status": "unfinished", "seconds": 40.0, "detail": "", "device": "cpu"}}
    (setup.out / "campaign.json").write_text(json.dumps(known))
    assert 40 < carried(setup, parts(slow=lambda: "fine"), 100, print)["slow"]["seconds"] < 50


def test_a_sweep_goes_on_where_it_was_stopped(setup, asked):
    setup.out.mkdir()

    class AfterOne(Deadline):
        over = property(lambda self: bool(asked.cases))

    with pytest.raises(OutOfTime, match="1 of 4 cases: 1 ok"):
        sweep(setup, AfterOne(), name="attention")
    assert sweep(setup, NEVER, name="attention") == "4 of 4 cases: 4 ok"
    assert len(asked.cases) == len(set(asked.cases)) == 4


def test_what_another_machine_began_is_begun_again_beside_it(setup, asked):
    sweep(setup, NEVER, name="attention")
    path = setup.out / "attention" / ENVIRONMENT
    path.write_text(json.dumps(json.loads(path.read_text()) | {"cpu": "another"}))
    sweep(setup, NEVER, name="attention")
    assert [folder.name for folder in folders(setup.out, "attention")] == ["attention", "attention-2"]
    assert [len(Store(folder).records()) for folder in folders(setup.out, "attention")] == [4, 4]


def test_a_check_that_was_interrupted_counts_once(tmp_path):
    for status in ("wrong", "right"):
        line = check_log.CheckResult(implementation="one", dtype="float32", problem="no halo", status=status)
        check_log.add(line, tmp_path / "lines")
    assert [line.status for line in check_log.read(tmp_path / "lines")] == ["right"]


def test_parts_come_in_the_order_of_the_campaign():
    assert list(chosen("report,tests,check")) == ["check", "tests", "report"]
    assert list(chosen("all")) == list(PARTS)


def test_an_unknown_part_is_refused_with_the_known():
    with pytest.raises(UsageError, match="part: 'modells' must be all, or of check, ptxas, ceilings"):
        chosen("modells")


def test_a_campaign_stays_on_its_device(setup):
    carried(setup, parts(first=lambda: "fine"), 100, print)
    with pytest.raises(UsageError, match="holds a campaign on cpu, not on cuda"):
        must_go_on_cuda(setup)


def must_go_on_cuda(setup):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "devices", lambda: ("cuda", "cpu"))
        must_go(Setup(setup.out, "cuda", small=False))


def test_the_plan_says_how_long_a_part_takes_and_what_came_of_it(setup, capsys):
    carried(setup, parts(first=lambda: "fine"), 100, lambda line: None)
    show_plan(setup, parts(first=broken, second=broken), print)
    assert capsys.readouterr().out == (
        "first: about 7 s, about first, done: fine\nsecond: about 7 s, about second\n"
    )


@pytest.mark.parametrize("name", ["attention", "models"])
def test_a_sweep_is_planned_to_fit_into_a_call(name, tmp_path):
    on_a_gpu = Setup(tmp_path, "cuda", small=False)
    assert 200 < PARTS[name].estimate(on_a_gpu) <= runner.duration("call", "9m")


def test_without_a_gpu_the_command_says_what_can_be_done(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "devices", lambda: ("cpu",))
    with pytest.raises(UsageError, match="this machine has no cuda; --dry-run tries everything on the CPU"):
        campaign.run(tmp_path / "none")


@pytest.mark.slow
def test_a_dry_run_does_every_part(tmp_path):
    command = [sys.executable, "-m", "halobench", "campaign", "--dry-run", "--out", str(tmp_path)]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=one_thread, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {name: entry["status"] for name, entry in entries(tmp_path).items()} == dict.fromkeys(
        PARTS, "done"
    )
    assert len(json.loads((tmp_path / "ceilings.json").read_text())["ceilings"]) == 16
    assert "haloed_blocked, forward: 1x the speed" in (tmp_path / "summary.md").read_text()
    assert (tmp_path / "models" / "report.html").exists()


def told_row(name, direction, *seconds):
    """Of the part `speed`: one cold sample a round."""
    samples = [{"kind": "cold", "round": n, "device_s": t, "host_s": t} for n, t in enumerate(seconds)]
    return {"implementation": name, "direction": direction, "reason": "", "samples": samples}


@pytest.fixture
def twice_as_fast():
    rows = [
        told_row(name, direction, *(factor * t for t in (1.0, 2.0, 4.0)))
        for direction in speed.DIRECTIONS
        for name, factor in {"triton_fused": 1.0, "sdpa_blocked": 2.0, "timm_halo": 3.0}.items()
    ]
    return {"problem": "one", "id": "one", "rows": rows}


def test_the_summary_says_how_many_times_as_long_others_take(twice_as_fast, tmp_path):
    speed.add(twice_as_fast, tmp_path / summary.SPEED)
    row = next(line for line in summary._speed(tmp_path) if line.startswith("| one | forward |"))
    assert "| 2x (2x to 2x) | not asked | 3x (3x to 3x) |" in row


def test_the_line_in_readme_is_of_the_fastest_other(twice_as_fast, tmp_path):
    merge.samples([twice_as_fast]).to_parquet(tmp_path / "results.parquet")
    said = merge._claim(tmp_path)
    assert said.startswith(": the fastest of sdpa_blocked and timm_halo takes forward 2x to 2x, ")


def test_the_budget_is_that_of_all_calls(tmp_path, monkeypatch):
    monkeypatch.setenv(autotune.CACHE, str(tmp_path))
    known = {"check": {"status": "done", "seconds": 700.0, "detail": "", "device": "cpu"}}
    (tmp_path / "campaign.json").write_text(
        json.dumps({"check": known["check"] | {"commit": runner.commit()}})
    )
    asked = []

    def go_on(setup, parts, budget, say, archive):
        asked.append(budget)
        summary.write(setup.out, {})
        return {}

    monkeypatch.setattr(runner, "go_on", go_on)
    monkeypatch.setattr(isolate, "preload", lambda modules: None)
    for budget in ("12m", "60m"):
        assert campaign.run(tmp_path, dry_run=True, budget=budget) == 0
    assert asked == [20, 540]
