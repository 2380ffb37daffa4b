"""`summary.md` of a campaign: what ran, what did not and why, and the figures to look at first."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from halobench import store, summary, text, verdicts
from halobench.metrics import over

JSON, FILE = "campaign.json", "summary.md"
AGAINST = {"attention": "haloed_blocked", "model": "original"}  # whose time is divided by that of the others
SHOWN = {"B/s": text.bytes_, "FLOP/s": text.flop, "1/s": text.count, "s": text.seconds}


def entries(out: Path) -> dict[str, dict[str, Any]]:
    """Of each part its status, seconds and detail; empty before the first."""
    path = out / JSON
    found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def write(out: Path, runs: dict[str, Path]) -> None:
    lines = ["# What ran", "", *_parts(out), *_ceilings(out), *_checks(out)]
    for name, folder in runs.items():
        lines += _run(name, store.read([folder]))
    (out / FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _parts(out: Path) -> Iterator[str]:
    yield from ("| part | status | time | what came of it |", "|:--|:--|--:|:--|")
    for name, entry in entries(out).items():
        yield f"| {name} | {entry['status']} | {text.seconds(entry['seconds'])} | {entry['detail']} |"


def _ceilings(out: Path) -> Iterator[str]:
    path = out / "ceilings.json"
    if not path.exists():
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    gpu = found["environment"]["gpu"]
    yield from ("", f"# Ceilings of {gpu['name'] if gpu else found['environment']['cpu']}", "")
    yield from ("| what | at most |", "|:--|--:|")
    for name, ceiling in found["ceilings"].items():
        per_second = "/s" if ceiling["unit"].endswith("/s") else ""
        yield f"| {name} | {SHOWN[ceiling['unit']](ceiling['value'])}{per_second} |"
    yield from (f"\nnot measured: {name}, {reason}" for name, reason in found["failed"].items())


def _checks(out: Path) -> Iterator[str]:
    lines = verdicts.read(out / "check.jsonl")
    if not lines:
        return
    yield from ("", "# What is wrong", "")
    bad = [line for line in lines if line.status not in ("right", "unsupported", "ok")]
    for line in bad:
        where = "all of it" if line.problem == verdicts.END else line.problem
        yield f"- {line.implementation}, {line.dtype}, {where}: {line.status}, {line.reason}"
    if not bad:
        yield "Nothing that was tried."


def _run(name: str, frame: pd.DataFrame) -> Iterator[str]:
    yield from ("", f"# {name}", "", summary.sentence(frame), "")
    for workload, rows in frame.groupby("workload"):
        baseline = AGAINST[str(workload)]
        ratios = (over(rows, "time_s", baseline) / rows["time_s"]).groupby(
            [rows["implementation"], rows["direction"]]
        )
        for key, values in ratios:
            if known := [float(np.log(value)) for value in values.dropna()]:
                mean = text.ratio(float(np.exp(np.mean(known))))
                yield f"- {', '.join(key)}: {mean} the speed of {baseline} (geometric mean of {len(known)})"
    bad = frame[~frame["status"].isin(["ok", "unsupported"])]
    yield from (f"- {row.case}: {row.status}, {row.reason}" for row in bad.itertuples())
