"""What a borrowed GPU can tell, in one command and in parts that resume: `python -m halobench.campaign`.

A part that fails never stops the next. What was done is in the folder's campaign.json; the same command
skips it and goes on inside a sweep that was not finished.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from halobench import text, tuning, worker
from halobench.campaign_parts import PARTS, PRELOAD, Part
from halobench.campaign_summary import JSON, entries
from halobench.campaign_sweep import OutOfTime, Setup
from halobench.environment import commit
from halobench.sweep import devices

BUDGET_S = 480.0
RESERVE_S = 30.0  # of a call, for the report at its end
DONE, UNFINISHED, FAILED, LEFT = "done", "unfinished", "failed", "left"
ALWAYS = "report"  # of what is there: never done

Say = Callable[[str], object]


def main(
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Default: out/gpu-campaign, or …-dry.")
    ] = None,
    part: Annotated[str, typer.Option(metavar="A,B,…", help=f"Of {', '.join(PARTS)}.")] = "all",
    budget: Annotated[float, typer.Option(help="Seconds of this call; the next goes on.", min=1)] = BUDGET_S,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Try everything in small on the CPU.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Say how long each part will take.")] = False,
) -> None:
    """Tests, checks, ceilings, attention, models and reports on a GPU; again with the same --out: go on."""
    device = "cpu" if dry_run else "cuda"
    setup = Setup(out or Path("out/gpu-campaign-dry" if dry_run else "out/gpu-campaign"), device, dry_run)
    try:
        parts = chosen(part)
        if plan:
            return show_plan(setup, parts, typer.echo)
        must_go(setup)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    os.environ[tuning.CACHE] = str(setup.out.resolve() / "cache")  # comes back with all trials
    worker.preload(PRELOAD)
    found = go_on(setup, parts, budget, typer.echo)
    raise typer.Exit(int(any(entry["status"] == FAILED for entry in found.values())))


def chosen(names: str) -> dict[str, Part]:
    """The parts of a comma list, in the order of the campaign."""
    wanted = list(PARTS) if names == "all" else names.split(",")
    if unknown := [name for name in wanted if name not in PARTS]:
        raise ValueError(f"part: {unknown[0]!r} must be all, or of {', '.join(PARTS)}")
    return {name: part for name, part in PARTS.items() if name in wanted}


def must_go(setup: Setup) -> None:
    """ValueError where there is no such device, or the folder holds a campaign on another."""
    if setup.device not in devices():
        raise ValueError(f"this machine has no {setup.device}; --dry-run tries everything on the CPU")
    for entry in entries(setup.out).values():
        if entry["device"] != setup.device:
            raise ValueError(f"{setup.out} holds a campaign on {entry['device']}, not on {setup.device}")
        if entry["commit"] != commit():
            known = f"{setup.out} holds a campaign of commit {entry['commit']}"
            raise ValueError(f"{known}, this is {commit()}: give another --out")


def show_plan(setup: Setup, parts: Mapping[str, Part], say: Say) -> None:
    """Print how long each part will take, and what came of it already."""
    known = entries(setup.out)
    for name, part in parts.items():
        status = f", {known[name]['status']}: {known[name]['detail']}" if name in known else ""
        say(f"{name}: about {text.seconds(part.estimate(setup))}, {part.about}{status}")


def go_on(setup: Setup, parts: Mapping[str, Part], budget: float, say: Say) -> dict[str, dict[str, Any]]:
    """Run what is not done, as far as the budget reaches; the entries of campaign.json."""
    setup.out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + budget
    for name, part in parts.items():
        found = entries(setup.out)
        before = found.get(name, _nothing(setup))
        if before["status"] == DONE and name != ALWAYS:
            say(f"{name}: done before")
            continue
        left = end - time.monotonic() - (RESERVE_S if ALWAYS in parts and name != ALWAYS else 0.0)
        entry = _left(before, part, left) if left < part.least_s else _run(part, setup, before, left)
        say(f"{name}: {entry['status']}, {entry['detail']}")
        _keep(setup.out, found | {name: entry})
    return entries(setup.out)


def _nothing(setup: Setup) -> dict[str, Any]:
    return {"status": LEFT, "seconds": 0.0, "detail": "", "device": setup.device, "commit": commit()}


def _left(before: dict[str, Any], part: Part, left: float) -> dict[str, Any]:
    """What was begun keeps what is known of it."""
    why = f"left for the next call: needs {part.least_s:g} s at least, {max(0.0, left):.0f} s are left"
    return before if before["status"] == UNFINISHED else before | {"detail": why}


def _run(part: Part, setup: Setup, before: dict[str, Any], left: float) -> dict[str, Any]:
    start = time.monotonic()
    try:
        with _limited(left):
            status, detail = DONE, part.do(setup)
    except OutOfTime as late:
        status, detail = UNFINISHED, f"out of time, the next call goes on. {late}".strip()
    except Exception as error:  # one broken part must not end the campaign
        status, detail = FAILED, f"{type(error).__name__}: {error}".splitlines()[0]
    seconds = before["seconds"] + time.monotonic() - start
    return before | {"status": status, "seconds": seconds, "detail": detail}


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """OutOfTime inside, when they are over."""

    def late(*_: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _keep(out: Path, found: dict[str, dict[str, Any]]) -> None:
    """Whole or not at all, whenever the machine is taken away."""
    part = out / f"{JSON}.part"
    part.write_text(json.dumps(found, indent=2, ensure_ascii=False), encoding="utf-8")
    part.replace(out / JSON)


if __name__ == "__main__":
    typer.run(main)
