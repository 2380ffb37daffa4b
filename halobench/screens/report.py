"""The command `report`: tables, figures and the page again, from what is stored."""

from pathlib import Path

from halobench.console import console
from halobench.errors import UsageError
from halobench.report import output, summary
from halobench.report.caveats import doubts
from halobench.report.terminal import tables
from halobench.results.record import BAD
from halobench.results.store import NAME
from halobench.sweep.command_line import repeating


def report_again(folders: list[Path], out: Path | None) -> int:
    """Write the reports of stored runs."""
    if out is None and len(folders) > 1:
        raise UsageError("several runs are joined into a folder of their own: --out DIR must say which")
    if out is not None and len(folders) > 1 and out.resolve() in [folder.resolve() for folder in folders]:
        raise UsageError(f"{out} is one of the runs that are joined: --out must name another folder")
    if out is not None and (out / NAME).exists() and out.resolve() != folders[0].resolve():
        raise UsageError(f"{out} holds another run: --out must name another folder")
    return show(folders, out or folders[0])


def show(folders: list[Path], out: Path) -> int:
    frame, screen = output.write(folders, out, repeating(folders)), console()
    for workload, rows in frame.groupby("workload", sort=False):
        for table in tables(str(workload), rows, screen.width):
            screen.print(table)
    for line in (summary.sentence(frame), *doubts(frame)):
        screen.print(line)
    screen.print(f"the page: {out / 'report.html'}", soft_wrap=True)
    return 1 if frame["status"].isin(BAD).any() else 0
