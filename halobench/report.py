"""The contract of a report: a frame in, Markdown or a figure out. Saving and looks are done here."""

from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from halobench.registry import Registry

GROUP = "halobench.reports"  # entry points of this group are reports

Render = Callable[[pd.DataFrame], str | Figure]
REPORTS: Registry[Render] = Registry("report")

AS_IS = "as it is"  # a model without halo attention, as reports name it

# Colours that people with any colour vision tell apart (the first seven: Okabe and Ito, "Color Universal
# Design", 2008), and a marker each; a name that is not here takes one of them, the same in every figure.
COLOURS = {
    "naive_global": "#000000",
    "unfold_local": "#E69F00",
    "haloed_blocked": "#56B4E9",
    "haloed_chunked": "#009E73",
    "sdpa_blocked": "#CC79A7",
    "triton_fused": "#D55E00",
    "original": "#0072B2",
    "haloed_compiled": "#6A3D9A",
    "flex_blocks": "#8C564B",
    "timm_halo": "#777777",
    "lucidrains_halo": "#B2182B",
    "natten": "#B8A900",
    AS_IS: "#2F4F4F",
}
KINDS = {"tables": (".md",), "figures": (".svg", ".png")}  # folders of a run, and what lies there
MARKERS = "osD^vPX*<>hdp"


def report(name: str) -> Callable[[Render], Render]:
    """Register a function from the frame with metrics to what a reader sees; its docstring is the title."""

    def register(render: Render) -> Render:
        REPORTS.add(name, render)
        return render

    return register


def colour(implementation: str) -> str:
    """The colour of an implementation, in every figure."""
    return list(COLOURS.values())[_place(implementation)]


def marker(implementation: str) -> str:
    """The marker of an implementation, in every figure."""
    turn = 0 if implementation in COLOURS else 1 + sum(map(ord, implementation)) // len(MARKERS)
    return MARKERS[(_place(implementation) + turn) % len(MARKERS)]  # not both those of a known one


def ordered(implementations: Iterable[str]) -> list[str]:
    """Each once, in the order of every table and legend: those with a colour of their own first."""
    return sorted(set(implementations), key=lambda name: (name not in COLOURS, _place(name), name))


def title(name: str) -> str:
    """What a report shows, in a line: its docstring."""
    words = (REPORTS[name].__doc__ or name).strip()
    return words.splitlines()[0].rstrip(".")


def shown(name: str, rendered: str | Figure) -> str | bytes:
    """Markdown as it is; a figure as SVG, the same bytes each time: no date, ids made of the name."""
    if isinstance(rendered, str):
        return rendered
    _settle(rendered)
    file = BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        rendered.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def save(name: str, rendered: str | Figure, folder: Path) -> str | bytes:
    """Write what a report gave: `tables/<name>.md`, or `figures/<name>.svg` and `.png`; return the first."""
    what = shown(name, rendered)
    path = folder / ("tables" if isinstance(rendered, str) else "figures") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    for kind, suffixes in KINDS.items():  # of an interrupted run another kind may lie there
        for suffix in suffixes:
            (folder / kind / name).with_suffix(suffix).unlink(missing_ok=True)
    if isinstance(what, str):
        path.with_suffix(".md").write_text(what, encoding="utf-8")
    else:
        path.with_suffix(".svg").write_bytes(what)
    if isinstance(rendered, Figure):
        rendered.savefig(path.with_suffix(".png"), dpi=144)
    return what


def _settle(figure: Figure) -> None:
    """Lay the figure out for good: that takes longer than to draw it, and it is drawn several times."""
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")


def _place(implementation: str) -> int:
    known = list(COLOURS)
    if implementation in known:
        return known.index(implementation)
    return sum(map(ord, implementation)) % len(known)
