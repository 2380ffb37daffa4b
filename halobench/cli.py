"""The command line: every file of `commands` is a command; results become exit codes.

Exit codes: 0 fine; 1 something is wrong, crashed, failed, slower or bad; 2 bad use, said in one line; 70 a
bug, with its traceback; 130 interrupted.
"""

import codecs
import importlib
import io
import pkgutil
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from halobench import commands
from halobench.errors import UsageError

PLAIN = {"µ": "u", "±": "+-", "…": "...", "°": "deg", "²": "2"}
BUG = 70  # of `sysexits.h`: an internal error


def app() -> typer.Typer:
    """Return the application: a command for each file of `commands`, its `run` with typer's annotations."""
    found = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Measure halo attention and HaloNets: time, memory and FLOPs, with every figure traceable.",
    )
    for name, run in runs().items():
        found.command(name)(run)
    return found


def runs() -> dict[str, Callable[..., int | None]]:
    """Return the `run` of every command, by its name."""
    names = [file.name for file in pkgutil.iter_modules(commands.__path__)]
    return {name: importlib.import_module(f"{commands.__name__}.{name}").run for name in names}


def main() -> None:
    """Run a command, and exit with its code."""
    codecs.register_error("plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain")
    try:
        code = app()(standalone_mode=False)
    except TyperException as error:
        _bad_use(error.format_message())
    except UsageError as error:
        _bad_use(str(error))
    except Exception:
        traceback.print_exc()
        sys.exit(BUG)
    sys.exit(code or 0)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Write what a terminal has no letter for by the nearest that it has."""
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return "".join(PLAIN.get(letter, "?") for letter in lacking), error.end


def _bad_use(message: str) -> NoReturn:
    if message:  # there is none where typer has shown the help
        print(f"halobench: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(2)
