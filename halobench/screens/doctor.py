"""The command `doctor`: print whether this machine is fit to measure."""

from rich.text import Text

from halobench.console import console
from halobench.doctor.examine import findings

STYLES = {"ok": "green", "warn": "yellow", "bad": "bold red"}


def show() -> int:
    """Print each check as soon as it is known; 1 if anything is bad."""
    screen, bad = console(), False
    for finding in findings():
        bad = bad or finding.verdict == "bad"
        line = Text.assemble((f"{finding.verdict:<6}", STYLES[finding.verdict]), f"{finding.name:<17}")
        line.append(finding.found + (f": {finding.advice}" if finding.advice else ""))
        screen.print(line, soft_wrap=True)
    return int(bad)
