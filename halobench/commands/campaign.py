"""The command `campaign`."""

from pathlib import Path
from typing import Annotated

import typer


def run(
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Default: out/gpu-campaign, or …-dry.")
    ] = None,
    part: Annotated[
        str, typer.Option(metavar="A,B,…", help="Parts to run, by the names that --plan lists.")
    ] = "all",
    budget: Annotated[str, typer.Option(metavar="TIME", help="Time for all calls, as 12m or 90s.")] = "12m",
    call: Annotated[
        str, typer.Option(metavar="TIME", help="Time for this call; the next call continues.")
    ] = "9m",
    archive: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Archive of all results. Default: DIR.tar.gz.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Try everything in small on the CPU.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Say how long each part will take.")] = False,
    merge: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep another machine's archive in docs/measured.")
    ] = None,
) -> int:
    """Measure what a GPU can tell in minutes, the most telling first; the same --out continues."""
    from halobench.campaign import runner

    if merge is not None:
        return runner.keep(merge)
    setup = runner.setup(out, small=dry_run)
    if plan:
        return runner.show_plan(setup, runner.chosen(part))
    return runner.run(setup, part, budget, call, archive)
