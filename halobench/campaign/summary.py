"""`summary.md` of a campaign: what ran, what did not and why, and the figures to look at first."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import numpy as np
import pandas as pd

from halobench import units
from halobench.campaign import check_log, speed
from halobench.campaign.speed import OURS, Found
from halobench.files import replaced
from halobench.report import summary
from halobench.report.markdown import plain, table
from halobench.results.derived import over
from halobench.results.frame import read_runs
from halobench.stats.ratios import Ratio, paired

JSON, FILE = "campaign.json", "summary.md"
SPEED, CLOCK = "speed.jsonl", "clock.json"
MISSING: Found = {"samples": [], "reason": "not asked"}
MOST_CHARACTERS = 12_000
MOST_BYTES = 15 * 2**20  # of the archive
AGAINST = {"attention": "haloed_blocked", "model": "original"}  # whose time is divided by that of the others
SHOWN = {"B/s": units.bytes_, "FLOP/s": units.flop, "1/s": units.count, "s": units.seconds}


def entries(out: Path) -> dict[str, dict[str, Any]]:
    """Return the status, seconds and detail of each part; nothing before the first."""
    path = out / JSON
    found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def write(out: Path, runs: dict[str, Path]) -> None:
    lines = ["# What ran", "", *_parts(out), *_checks(out), *_ceilings(out), *_speed(out), *_clock(out)]
    for name, folder in runs.items():
        lines += _run(name, read_runs([folder]))
    (out / FILE).write_text(_cut("\n".join(lines) + "\n"), encoding="utf-8")


def _cut(words: str) -> str:
    """Cut to the length that comes back of a terminal; the most telling comes first."""
    if len(words) <= MOST_CHARACTERS:
        return words
    end = "\n… cut off here: the rest is in the archive.\n"
    return words[: MOST_CHARACTERS - len(end)].rpartition("\n")[0] + end


def pack(out: Path, archive: Path) -> str:
    """All files of a campaign in one; where that is too large without the largest that can be made again."""
    left_out: list[str] = []
    while _packed(out, archive, left_out) > MOST_BYTES:
        files = [path for path in _files(out) if str(path.relative_to(out)) not in left_out]
        again = [path for path in files if path.suffix in (".html", ".png", ".csv")]
        largest = max(again or files, key=lambda path: path.stat().st_size)
        left_out.append(str(largest.relative_to(out)))
    return f"{archive} {units.bytes_(archive.stat().st_size)}" + "".join(
        f", without {name}" for name in left_out
    )


def _packed(out: Path, archive: Path, left_out: list[str]) -> int:
    with replaced(archive) as aside, tarfile.open(aside, "w:gz") as tar:
        for path in _files(out):
            if (name := str(path.relative_to(out))) not in left_out:
                tar.add(path, f"{out.name}/{name}")
    return archive.stat().st_size


def _files(out: Path) -> list[Path]:
    return sorted(path for path in out.rglob("*") if path.is_file())


def _parts(out: Path) -> Iterator[str]:
    rows = [
        [name, entry["status"], units.seconds(entry["seconds"]), plain(entry["detail"])]
        for name, entry in entries(out).items()
    ]
    yield from table(["part", "status", "time", "what came of it"], rows, words=4).splitlines()


def _ceilings(out: Path) -> Iterator[str]:
    path = out / "ceilings.json"
    if not path.exists():
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    gpu = found["environment"]["gpu"]
    yield from ("", f"# Ceilings of {gpu['name'] if gpu else found['environment']['cpu']}", "")
    rows = []
    for name, ceiling in found["ceilings"].items():
        per_second = "/s" if ceiling["unit"].endswith("/s") else ""
        rows.append([name, f"{SHOWN[ceiling['unit']](ceiling['value'])}{per_second}"])
    yield from table(["what", "at most"], rows, words=1).splitlines()
    yield from (f"\nnot measured: {name}, {reason}" for name, reason in found["failed"].items())


def _checks(out: Path) -> Iterator[str]:
    lines = check_log.read(out / "check.jsonl") + check_log.read(out / "check_peers.jsonl")
    if not lines:
        return
    yield from ("", "# What is wrong", "")
    bad = [line for line in lines if line.status not in ("right", "unsupported")]
    for line in bad:
        yield f"- {line.implementation}, {line.dtype}, {line.problem}: {line.status}, {line.reason[:160]}"
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
            if known := values.dropna().tolist():
                mean = units.ratio(geometric_mean(known))
                yield f"- {', '.join(key)}: {mean} the speed of {baseline} (geometric mean of {len(known)})"
    bad = frame[~frame["status"].isin(["ok", "unsupported"])]
    yield from (f"- {row.case}: {row.status}, {row.reason}" for row in bad.itertuples())


def _speed(out: Path) -> Iterator[str]:
    found = speed.read(out / SPEED)
    if not found:
        return
    others = [name for name in speed.BESIDE if name != OURS]
    yield from ("", f"# Standard problems: {OURS}, and how many times as long others take", "")
    lines = []
    for each in found:
        for direction in speed.DIRECTIONS:
            rows = {row["implementation"]: row for row in each["rows"] if row["direction"] == direction}
            ours = rows.get(OURS, MISSING)
            times = [_middle(ours, "cold"), _middle(ours, "hot"), _middle(ours, "cold", "host_s")]
            cells = [*times, *(_over(rows.get(name, MISSING), ours) for name in others)]
            lines.append([each["problem"], direction, *cells])
    yield from table(["problem", "direction", "cold", "hot", "host", *others], lines, words=2).splitlines()
    yield from ("", "Ratios are of cold times, paired in rounds, with their 95 % interval.")


def _middle(row: Found, kind: str, what: str = "device_s") -> str:
    values = speed.rounds(row, kind, what)
    return units.seconds(float(np.median(values))) if values else units.NOTHING


def _over(row: Found, ours: Found) -> str:
    """How many times as long as ours, or why that is not known."""
    times = [speed.rounds(each, "cold") for each in (ours, row)]
    if not all(times):
        return str(row["reason"] or ours["reason"])[:60]
    found: Ratio = paired(*times)
    return f"{units.ratio(found.value)} ({units.ratio(found.low)} to {units.ratio(found.high)})"


def _clock(out: Path) -> Iterator[str]:
    path = out / CLOCK
    if not path.exists():
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    yield from ("", f"# Clocks: {found['problem']}", "")
    yield from (f"- {name}: {units.seconds(value)}" for name, value in found["medians"].items())
    times = ", ".join(f"{after * 1e3:.0f} ms {units.seconds(s)}" for after, s in found["after_idle"][:12:2])
    yield f"- after a second without work: {times}"
