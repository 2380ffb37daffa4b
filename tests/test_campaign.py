import dataclasses
import json
import os
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from halobench import campaign, campaign_parts, execute, tuning, verdicts, worker
from halobench.attention import ATTENTIONS, runs_anywhere
from halobench.campaign import chosen, go_on, main, must_go, show_plan
from halobench.campaign_parts import PARTS, Part
from halobench.campaign_summary import entries
from halobench.campaign_sweep import OutOfTime, Setup, folders, sweep
from halobench.record import Record
from halobench.store import Store


@pytest.fixture
def setup(tmp_path, monkeypatch):
    monkeypatch.setenv(tuning.CACHE, str(tmp_path))  # a campaign has its own, of the whole process
    return Setup(tmp_path / "campaign", "cpu", small=True)


@pytest.fixture
def asked(monkeypatch):
    """The cases that a sweep measures; the list of statuses can be made to end early."""
    cases = []

    def measure(case, settings, timeout):
        if len(cases) == measure.most:
            raise OutOfTime
        cases.append(case.id)
        return Record(case=case, status="ok", samples=(1e-3,) * 6)

    measure.most, measure.cases = None, cases
    monkeypatch.setattr(execute.worker, "measure", measure)
    return measure


def parts(**calls):
    """Parts that do these, at no cost."""
    return {
        name: Part(f"about {name}", lambda setup, do=do: do(), lambda setup: 7.0, 0.0)
        for name, do in calls.items()
    }


def broken():
    raise RuntimeError("no such kernel\nand a long story")


def test_a_part_that_fails_does_not_stop_the_next(setup):
    found = go_on(setup, parts(first=broken, second=lambda: "fine"), 100, print)
    assert [(entry["status"], entry["detail"]) for entry in found.values()] == [
        ("failed", "RuntimeError: no such kernel"),
        ("done", "fine"),
    ]


def test_what_is_done_is_not_done_again_and_what_failed_is(setup):
    calls = []
    both = parts(good=lambda: calls.append("good") or "fine", bad=lambda: calls.append("bad") or broken())
    go_on(setup, both, 100, print)
    go_on(setup, both, 100, print)
    assert calls == ["good", "bad", "bad"]


def test_tuning_tells_what_was_found_a_problem(setup, monkeypatch):
    def measure(case, settings, timeout):
        assert (settings.autotune, case.direction) == ("try", "forward_backward")
        return Record(case=case, status="ok", config="forward chunk=64")

    monkeypatch.setattr(worker, "measure", measure)
    assert campaign_parts.tune(setup).startswith("nothing to tune: triton_fused ")
    entry = dataclasses.replace(ATTENTIONS["triton_fused"], unsupported=runs_anywhere)
    monkeypatch.setitem(ATTENTIONS._entries, "triton_fused", entry)
    told = campaign_parts.tune(setup).split("; ")
    assert told == [f"{title}: forward chunk=64 (ok)" for title in campaign_parts.TUNED]


def test_the_report_is_never_done(setup):
    calls = []
    for _ in range(2):
        go_on(setup, parts(report=lambda: calls.append(1) or "written"), 100, print)
    assert len(calls) == 2


def test_a_part_that_does_not_fit_any_more_is_left_for_the_next_call(setup, capsys):
    long = Part("long", lambda setup: "fine", lambda setup: 60.0, least_s=60.0)
    (entry,) = go_on(setup, {"long": long}, 10, print).values()
    assert (entry["status"], entry["seconds"]) == ("left", 0.0)
    assert capsys.readouterr().out == (
        "long: left, left for the next call: needs 60 s at least, 10 s are left\n"
    )
    assert go_on(setup, {"long": long}, 100, print)["long"]["status"] == "done"


def test_a_part_is_stopped_when_the_time_is_over_and_the_next_call_goes_on(setup):
    slow = parts(slow=lambda: time.sleep(30))
    started = time.monotonic()
    assert go_on(setup, slow, 0.2, print)["slow"]["status"] == "unfinished"
    assert time.monotonic() - started < 10
    assert go_on(setup, parts(slow=lambda: "fine"), 100, print)["slow"]["status"] == "done"


def test_the_seconds_of_all_calls_add_up(setup):
    setup.out.mkdir()
    known = {"slow": {"status": "unfinished", "seconds": 40.0, "detail": "", "device": "cpu"}}
    (setup.out / "campaign.json").write_text(json.dumps(known))
    assert 40 < go_on(setup, parts(slow=lambda: "fine"), 100, print)["slow"]["seconds"] < 50


def test_a_sweep_goes_on_where_it_was_stopped(setup, asked):
    setup.out.mkdir()
    asked.most = 1
    with pytest.raises(OutOfTime, match="1 of 4 cases: 1 ok"):
        sweep(setup, name="attention")
    asked.most = None
    assert sweep(setup, name="attention") == "4 of 4 cases: 4 ok"
    assert len(asked.cases) == len(set(asked.cases)) == 4


def test_what_another_machine_began_is_begun_again_beside_it(setup, asked):
    sweep(setup, name="attention")
    path = setup.out / "attention" / execute.ENVIRONMENT
    path.write_text(json.dumps(json.loads(path.read_text()) | {"cpu": "another"}))
    sweep(setup, name="attention")
    assert [folder.name for folder in folders(setup.out, "attention")] == ["attention", "attention-2"]
    assert [len(Store(folder).records()) for folder in folders(setup.out, "attention")] == [4, 4]


def test_a_check_that_was_interrupted_counts_once(tmp_path):
    for status in ("wrong", "right"):
        line = verdicts.Line(implementation="one", dtype="float32", problem="no halo", status=status)
        verdicts.add(line, tmp_path / "lines")
    assert [line.status for line in verdicts.read(tmp_path / "lines")] == ["right"]


def test_parts_come_in_the_order_of_the_campaign():
    assert list(chosen("report,tests")) == ["tests", "report"]
    assert list(chosen("all")) == list(PARTS)


def test_an_unknown_part_is_refused_with_the_known():
    with pytest.raises(ValueError, match="part: 'modells' must be all, or of tests, check, ceilings"):
        chosen("modells")


def test_a_campaign_stays_on_its_device(setup):
    go_on(setup, parts(first=lambda: "fine"), 100, print)
    with pytest.raises(ValueError, match="holds a campaign on cpu, not on cuda"):
        must_go_on_cuda(setup)


def must_go_on_cuda(setup):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(campaign, "devices", lambda: ("cuda", "cpu"))
        must_go(Setup(setup.out, "cuda", small=False))


def test_the_plan_says_how_long_a_part_takes_and_what_came_of_it(setup, capsys):
    go_on(setup, parts(first=lambda: "fine"), 100, lambda line: None)
    show_plan(setup, parts(first=broken, second=broken), print)
    assert capsys.readouterr().out == (
        "first: about 7 s, about first, done: fine\nsecond: about 7 s, about second\n"
    )


@pytest.mark.parametrize("name", ["attention", "models"])
def test_a_sweep_is_planned_to_fit_into_a_call(name, tmp_path):
    on_a_gpu = Setup(tmp_path, "cuda", small=False)
    assert 200 < PARTS[name].estimate(on_a_gpu) <= campaign.BUDGET_S


def test_without_a_gpu_the_command_says_what_can_be_done(tmp_path, monkeypatch):
    monkeypatch.setattr(campaign, "devices", lambda: ("cpu",))
    app = campaign.typer.Typer()
    app.command()(main)
    result = CliRunner().invoke(app, ["--out", str(tmp_path / "none")])
    assert result.exit_code == 2
    assert "this machine has no cuda" in " ".join(result.output.replace("│", " ").split())


@pytest.mark.slow
def test_a_dry_run_does_every_part(tmp_path):
    command = [sys.executable, "-m", "halobench.campaign", "--dry-run", "--out", str(tmp_path)]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=one_thread, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {name: entry["status"] for name, entry in entries(tmp_path).items()} == dict.fromkeys(
        PARTS, "done"
    )
    assert len(json.loads((tmp_path / "ceilings.json").read_text())["ceilings"]) == 16
    assert "haloed_blocked, forward: 1x the speed" in (tmp_path / "summary.md").read_text()
    assert (tmp_path / "models" / "report.html").exists()
