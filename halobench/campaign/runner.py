"""What a borrowed GPU can tell, in one command and in parts that resume: `halobench campaign`.

A part that fails never stops the next. What was done is in the folder's campaign.json; the same command
skips it and goes on inside a sweep that was not finished.
"""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from halobench import isolate, units
from halobench.attention import autotune
from halobench.campaign import merge, summary
from halobench.campaign.steps import PARTS, PRELOAD, ROOT, Step
from halobench.campaign.summary import JSON, entries
from halobench.campaign.sweeps import Setup, runs
from halobench.deadline import Deadline, OutOfTime
from halobench.device.device import devices
from halobench.errors import UsageError
from halobench.files import replaced
from halobench.results.environment import commit

RESERVE_S = 30.0  # of a call, for the report at its end
DONE, UNFINISHED, FAILED, LEFT = "done", "unfinished", "failed", "left"
ALWAYS = "report"  # of what is there: never done

Say = Callable[[str], object]


def setup(out: Path | None, *, small: bool) -> Setup:
    """Return where a campaign writes, and that it measures CUDA; or a small one, a CPU."""
    device = "cpu" if small else "cuda"
    return Setup(out or Path("out/gpu-campaign-dry" if small else "out/gpu-campaign"), device, small)


def keep(archive: Path) -> int:
    """Keep the archive of a campaign in this checkout's docs/measured."""
    kept = merge.merge(archive, ROOT / "docs" / "measured", ROOT / "README.md")
    print(f"{kept}: write what was learnt into findings.md there, and merge again")
    return 0


def run(setup: Setup, part: str, budget: str, call: str, archive: Path | None) -> int:
    """Run these parts as far as the time reaches, and print the summary; return 1 if any failed."""
    parts = chosen(part)
    must_go(setup)
    left = min(duration("call", call), duration("budget", budget) - spent(setup.out))
    os.environ[autotune.CACHE] = str(setup.out.resolve() / "cache")  # comes back with all trials
    isolate.preload(PRELOAD)
    found = go_on(setup, parts, left, print, archive or setup.out.with_name(f"{setup.out.name}.tar.gz"))
    print((setup.out / summary.FILE).read_text(encoding="utf-8"))
    return int(any(entry["status"] == FAILED for entry in found.values()))


def duration(name: str, told: str) -> float:
    """Seconds of `90s`, `12m` or a bare number of seconds; UsageError with what is allowed."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([sm]?)", told)
    if not found or not float(found[1]):
        raise UsageError(f"{name}: {told!r} must be a time such as 12m, 90s or 90")
    return float(found[1]) * (60.0 if found[2] == "m" else 1.0)


def spent(out: Path) -> float:
    """Seconds of all calls so far."""
    return float(sum(entry["seconds"] for entry in entries(out).values()))


def chosen(names: str) -> dict[str, Step]:
    """The parts of a comma list, in the order of the campaign."""
    wanted = list(PARTS) if names == "all" else names.split(",")
    if unknown := [name for name in wanted if name not in PARTS]:
        raise UsageError(f"part: {unknown[0]!r} must be all, or of {', '.join(PARTS)}")
    return {name: part for name, part in PARTS.items() if name in wanted}


def must_go(setup: Setup) -> None:
    """UsageError where there is no such device, or the folder holds a campaign on another."""
    if setup.device not in devices():
        raise UsageError(f"this machine has no {setup.device}; --dry-run tries everything on the CPU")
    for entry in entries(setup.out).values():
        if entry["device"] != setup.device:
            raise UsageError(f"{setup.out} holds a campaign on {entry['device']}, not on {setup.device}")
        if entry["commit"] != commit():
            known = f"{setup.out} holds a campaign of commit {entry['commit']}"
            raise UsageError(f"{known}, this is {commit()}: give another --out")


def show_plan(setup: Setup, parts: Mapping[str, Step], say: Say = print) -> int:
    """Print how long each part will take, and what came of it already."""
    known = entries(setup.out)
    for name, part in parts.items():
        status = f", {known[name]['status']}: {known[name]['detail']}" if name in known else ""
        say(f"{name}: about {units.seconds(part.estimate(setup))}, {part.about}{status}")
    return 0


def go_on(
    setup: Setup, parts: Mapping[str, Step], budget: float, say: Say, archive: Path
) -> dict[str, dict[str, Any]]:
    """Run what is not done, as far as the budget reaches; the entries of campaign.json.

    Each part makes room for the next after its `most_s` seconds, and goes on where time is left after all.
    Whatever ends this call, what the parts before have found lies in the archive.
    """
    setup.out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + budget
    first = {name: part for name, part in parts.items() if name != ALWAYS}
    for limited in (True, False):
        for name, part in first.items():
            before = entries(setup.out).get(name, _nothing(setup))
            left = end - time.monotonic() - (RESERVE_S if ALWAYS in parts else 0.0)
            again = before["status"] != FAILED and left >= part.least_s
            if before["status"] == DONE or not (limited or again):
                continue
            _try(setup, name, part, min(left, part.most_s) if limited else left, say)
            _bring(setup, archive)
    if ALWAYS in parts:
        _try(setup, ALWAYS, parts[ALWAYS], max(end - time.monotonic(), parts[ALWAYS].least_s), say)
    say(_bring(setup, archive))
    return entries(setup.out)


def _try(setup: Setup, name: str, part: Step, left: float, say: Say) -> None:
    found = entries(setup.out)
    before = found.get(name, _nothing(setup))
    entry = _left(before, part, left) if left < part.least_s else _attempt(part, setup, before, left)
    say(f"{name}: {entry['status']}, {entry['seconds']:.0f} s, {entry['detail']}")
    _keep(setup.out, found | {name: entry})


def _bring(setup: Setup, archive: Path) -> str:
    """Summary and archive of what is there."""
    summary.write(setup.out, runs(setup.out))
    return summary.pack(setup.out, archive)


def _nothing(setup: Setup) -> dict[str, Any]:
    return {"status": LEFT, "seconds": 0.0, "detail": "", "device": setup.device, "commit": commit()}


def _left(before: dict[str, Any], part: Step, left: float) -> dict[str, Any]:
    """What was begun keeps what is known of it."""
    why = f"left for the next call: needs {part.least_s:g} s at least, {max(0.0, left):.0f} s are left"
    return before if before["status"] == UNFINISHED else before | {"detail": why}


def _attempt(part: Step, setup: Setup, before: dict[str, Any], left: float) -> dict[str, Any]:
    start = time.monotonic()
    try:
        status, detail = DONE, part.do(setup, Deadline.after(left))
    except OutOfTime as late:
        status, detail = UNFINISHED, f"out of time, the next call goes on. {late}".strip()
    except Exception as error:  # one broken part must not end the campaign
        status, detail = FAILED, f"{type(error).__name__}: {error}".splitlines()[0]
    seconds = before["seconds"] + time.monotonic() - start
    return before | {"status": status, "seconds": seconds, "detail": detail}


def _keep(out: Path, found: dict[str, dict[str, Any]]) -> None:
    """Write campaign.json whole or not at all, whenever the machine is taken away."""
    with replaced(out / JSON) as aside:
        aside.write_text(json.dumps(found, indent=2, ensure_ascii=False), encoding="utf-8")
