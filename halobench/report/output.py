"""Write what a run shows: tables, figures and the page."""

import traceback
from io import BytesIO
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from halobench.files import writable_folder
from halobench.report import summary
from halobench.report.caveats import doubts
from halobench.report.contract import REPORTS, Render
from halobench.report.html.columns import Command
from halobench.report.html.page import page
from halobench.results.columns import SAMPLES, schema
from halobench.results.derived import with_metrics
from halobench.results.folder import must_be_alike, read_environment
from halobench.results.frame import read_runs

KINDS = {"tables": (".md",), "figures": (".svg", ".png")}  # folders of a run, and what lies there


def write(folders: list[Path], out: Path, command: Command) -> pd.DataFrame:
    """Write tables, figures and the page of these runs into `out`; return the frame with its metrics.

    `command` gives the line that measures the case of a row again, for the page.
    """
    frame = with_metrics(read_runs(folders))
    environments = {str(folder): read_environment(folder) for folder in folders}
    must_be_alike(environments)
    writable_folder(out)
    frame.to_parquet(out / "results.parquet", index=False, schema=schema(frame.columns))
    frame.drop(columns=SAMPLES).to_csv(out / "results.csv", index=False)
    rendered = {name: _kept(name, render, frame, out) for name, render in REPORTS.items()}
    title = f"halobench: {', '.join(folder.name for folder in folders)}"
    headlines = [summary.sentence(frame), *doubts(frame)]
    shown = page(frame, rendered, environments, title, headlines, command)
    (out / "report.html").write_text(shown, encoding="utf-8")
    return frame


def _kept(name: str, render: Render, frame: pd.DataFrame, out: Path) -> str | bytes:
    """Save what a report gives, or what went wrong: one broken report must not take the others with it."""
    try:
        return save(name, render(frame), out)
    except Exception as error:
        traceback.print_exc()
        return save(name, f"This report failed: {type(error).__name__}: {error}\n", out)


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
