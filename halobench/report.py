"""The contract of a report: a frame in, Markdown or a figure out. Saving and looks are done here."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from halobench.registry import Registry

GROUP = "halobench.reports"  # entry points of this group are reports

Render = Callable[[pd.DataFrame], str | Figure]
REPORTS: Registry[Render] = Registry("report")

# Colours that people with any colour vision tell apart: Okabe and Ito, "Color Universal Design" (2008);
# a name that is not here takes one of the rest, the same in every figure.
COLOURS = {
    "naive_global": "#000000",
    "unfold_local": "#E69F00",
    "haloed_blocked": "#56B4E9",
    "haloed_chunked": "#009E73",
    "sdpa_blocked": "#CC79A7",
    "triton_fused": "#D55E00",
    "original": "#0072B2",
}
OTHERS = ("#F0E442", "#999999", "#8C564B", "#6A3D9A", "#1B9E77", "#B2182B")
MARKERS = "osD^vPX*<>hd"


def report(name: str) -> Callable[[Render], Render]:
    """Register a function from the frame with its metrics to what a reader sees; its docstring is the title."""

    def register(render: Render) -> Render:
        REPORTS.add(name, render)
        return render

    return register


def colour(implementation: str) -> str:
    """The colour of an implementation, in every figure."""
    if implementation in COLOURS:
        return COLOURS[implementation]
    return OTHERS[sum(map(ord, implementation)) % len(OTHERS)]


def marker(implementation: str) -> str:
    """The marker of an implementation, in every figure."""
    return MARKERS[sum(map(ord, implementation)) % len(MARKERS)]


def save(name: str, rendered: str | Figure, folder: Path) -> Path:
    """Write what a report gave: `tables/<name>.md`, or `figures/<name>.png` and `.svg`; return the first."""
    kind, suffixes = ("tables", [".md"]) if isinstance(rendered, str) else ("figures", [".png", ".svg"])
    paths = [folder / kind / f"{name}{suffix}" for suffix in suffixes]
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    for path in paths:
        if isinstance(rendered, str):
            path.write_text(rendered, encoding="utf-8")
        else:
            rendered.savefig(path, dpi=144)
    return paths[0]
