"""A campaign that was run elsewhere, kept in `docs/measured`: results, environment, a figure, and a page.

What was learnt is written by hand, into `findings.md` beside the page, and stays when all is made again.
"""

import json
import re
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from halobench import units
from halobench.campaign import check_log, speed
from halobench.campaign.speed import OURS, Found
from halobench.campaign.summary import CLOCK, FILE, SPEED
from halobench.campaign.sweeps import runs
from halobench.errors import UsageError
from halobench.report.style import colour, marker
from halobench.results.frame import read_runs

CEILINGS, FINDINGS, PAGE = "ceilings.json", "findings.md", "README.md"
BEGIN, END = "<!-- measured on GPUs -->\n", "<!-- end of measured on GPUs -->\n"
NONE = "No figure of a GPU exists yet.\n"
SAMPLES = ["problem", "id", "implementation", "direction", "reason", "kind", "round", "device_s", "host_s"]
AS_THEY_ARE = (CEILINGS, CLOCK, "campaign.json")


def merge(archive: Path, into: Path, readme: Path) -> Path:
    """The folder that was made or made again; UsageError where the archive holds no campaign.

    Args:
        archive: what a campaign has packed.
        into: the folder of all that were measured.
        readme: where a line about each stands between two marks, those of `into` anew.
    """
    with tempfile.TemporaryDirectory(prefix="halobench-") as scratch:
        out = _unpacked(archive, Path(scratch))
        environment = _environment(out)
        folder = into / _name(environment)
        folder.mkdir(parents=True, exist_ok=True)
        _keep(out, folder, environment)
    _list(into, readme)
    return folder


def _unpacked(archive: Path, scratch: Path) -> Path:
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise UsageError(f"{archive} cannot be read: {error}") from None
    found = [path.parent for path in scratch.glob("*/campaign.json")]
    if len(found) != 1 or not (found[0] / CEILINGS).exists():
        raise UsageError(f"{archive} holds no campaign of which the part ceilings was done")
    return found[0]


def _environment(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / CEILINGS).read_text(encoding="utf-8"))["environment"]
    return found


def _name(environment: dict[str, Any]) -> str:
    gpu = (environment["gpu"] or {}).get("name", environment["cpu"])
    slug = re.sub(r"[^a-z0-9]+", "-", gpu.lower().removeprefix("nvidia ")).strip("-")
    return f"{slug}-{environment['started'][:10]}"


def _keep(out: Path, folder: Path, environment: dict[str, Any]) -> None:
    (folder / "environment.json").write_text(json.dumps(environment, indent=2) + "\n", encoding="utf-8")
    for name in AS_THEY_ARE:
        if (out / name).exists():
            (folder / name).write_bytes((out / name).read_bytes())
    found = speed.read(out / SPEED)
    if found:
        samples(found).to_parquet(folder / "results.parquet", index=False)
        figure(found, _title(environment)).savefig(folder / "speed.png", dpi=144)
    if lines := check_log.read(out / "check.jsonl"):
        checks(lines).to_csv(folder / "check.csv", index=False)
    for name, run in runs(out).items():
        read_runs([run]).to_parquet(folder / f"{name}.parquet", index=False)
    summary = (out / FILE).read_text(encoding="utf-8")
    (folder / PAGE).write_text(_page(folder, environment, summary), encoding="utf-8")


def samples(found: list[Found]) -> pd.DataFrame:
    """Return a row per sample of the part `speed`, in seconds; what was not timed has a row with a reason."""
    rows = [
        {name: each[name] for name in ("problem", "id")}
        | {name: row[name] for name in ("implementation", "direction", "reason")}
        | sample
        for each in found
        for row in each["rows"]
        for sample in row["samples"] or [{}]
    ]
    return pd.DataFrame(rows, columns=SAMPLES)


def checks(lines: list[check_log.CheckResult]) -> pd.DataFrame:
    """Return a row per output or gradient of the part `check`: its error, and what is allowed."""
    rows = [
        {"implementation": line.implementation, "dtype": line.dtype, "problem": line.problem}
        | {"status": line.status, "reason": line.reason, "what": what}
        | {"error": line.errors.get(what), "allowed": line.bounds.get(what)}
        for line in lines
        for what in line.errors or [""]
    ]
    return pd.DataFrame(rows)


def figure(found: list[Found], title: str) -> Figure:
    """Cold times of the standard problems, a panel a direction, a mark an implementation."""
    drawn = Figure(figsize=(9.5, 1.4 + 0.42 * len(found)), layout="constrained")
    panels = drawn.subplots(1, 2, sharey=True)
    for axes, direction in zip(panels, speed.DIRECTIONS, strict=True):
        for name in speed.BESIDE:
            times = [_time(each, name, direction) for each in found]
            look: dict[str, Any] = {"color": colour(name), "marker": marker(name), "label": name}
            axes.plot(np.array(times) * 1e3, range(len(found)), linestyle="none", **look)
        axes.set_xscale("log")
        axes.set_title(direction.replace("_", " and "), fontsize="medium", loc="left")
        axes.set_xlabel("time [ms], cold cache")
        axes.grid(color="0.93")
        axes.set_axisbelow(True)
    panels[0].set_yticks(range(len(found)), [each["problem"] for each in found], fontsize="small")
    panels[0].invert_yaxis()
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    drawn.suptitle(title, fontsize="medium")
    return drawn


def _time(each: Found, name: str, direction: str) -> float:
    """Seconds; nan where it was not timed."""
    for row in each["rows"]:
        if (row["implementation"], row["direction"]) == (name, direction) and row["samples"]:
            return float(np.median(speed.rounds(row, "cold")))
    return float("nan")


def _title(environment: dict[str, Any]) -> str:
    device = (environment["gpu"] or {}).get("name", environment["cpu"])
    return f"{device}, {environment['started'][:10]}: standard problems, bfloat16, batch 64"


def _page(folder: Path, environment: dict[str, Any], summary: str) -> str:
    """What it was measured on, what was learnt, the figure, and the campaign's own summary."""
    gpu, packages = environment["gpu"] or {}, environment["packages"]
    made = ", ".join(f"{name} {number}" for name, number in packages.items() if number)
    lines = [
        f"# {gpu.get('name', environment['cpu'])}, {environment['started'][:10]}",
        "",
        f"Made by `python -m halobench campaign` at commit {environment['commit']}, kept by `--merge`.",
        f"{made}; CUDA {gpu.get('cuda', '-')}, ptxas {gpu.get('ptxas', '-')}; {environment['cpu']}, "
        f"{environment['cores']} cores.",
        "",
    ]
    if (folder / FINDINGS).exists():
        lines += [(folder / FINDINGS).read_text(encoding="utf-8")]
    if (folder / "speed.png").exists():
        lines += ["![Times of the standard problems](speed.png)", ""]
    return "\n".join([*lines, summary])


def _list(into: Path, readme: Path) -> None:
    """A line about each folder, between the marks in README; UsageError where these are not there."""
    words = readme.read_text(encoding="utf-8")
    before, begin, rest = words.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UsageError(f"{readme} must hold the lines {BEGIN.strip()} and {END.strip()}")
    lines = [_line(folder, readme) for folder in sorted(into.iterdir()) if (folder / PAGE).exists()]
    readme.write_text(before + begin + ("".join(lines) or NONE) + end + after, encoding="utf-8")


def _line(folder: Path, readme: Path) -> str:
    environment = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    name = (environment["gpu"] or {}).get("name", environment["cpu"])
    page = (folder / PAGE).resolve().relative_to(readme.resolve().parent).as_posix()
    return f"- [{name}, {environment['started'][:10]}]({page}){_claim(folder)}\n"


def _claim(folder: Path) -> str:
    """How many times as long as ours the fastest of the others takes on the standard problems."""
    path = folder / "results.parquet"
    if not path.exists():
        return ""
    frame = pd.read_parquet(path)
    frame = frame[(frame["kind"] == "cold") & frame["device_s"].notna()]
    times = frame.groupby(["direction", "problem", "implementation"])["device_s"].median().unstack()
    if OURS not in times or len(times.columns) == 1:
        return ""
    others = times.drop(columns=OURS)
    ratios = others.min(axis=1) / times[OURS]
    words = [
        f"{direction.replace('_', ' and ')} {units.ratio(float(of.min()))} to {units.ratio(float(of.max()))}"
        for direction, of in ratios.groupby("direction")
    ]
    beside = " and ".join(filter(None, [", ".join(others.columns[:-1]), others.columns[-1]]))
    return f": the fastest of {beside} takes {', '.join(words)} of the time of `{OURS}`"
