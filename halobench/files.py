"""Files and folders of a command: made or refused before work is done, and lines added one by one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from halobench.errors import UsageError


def must_be_new(path: Path | None) -> None:
    """Before the work is done: the file is not there, its folder is; None is no file at all."""
    if path is None:
        return
    if path.exists():
        raise UsageError(f"{path} exists already; choose another file")
    if not path.parent.is_dir():
        raise UsageError(f"{path} cannot be written: there is no folder {path.parent}")


def writable_folder(path: Path, *, new: bool = False) -> None:
    """Make a folder, and its parents; UsageError where that is impossible, or where a `new` one is there."""
    try:
        path.mkdir(parents=True, exist_ok=not new)
    except FileExistsError:
        raise UsageError(f"{path} exists already; choose another --out") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be made: {error.strerror}") from None
    if not os.access(path, os.W_OK):
        raise UsageError(f"{path} cannot be written to")


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give a path to write to, and put it in place of `path` once it is written: whole or not at all.

    Its name holds the process, so that several may write the same file.
    """
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def add_line(line: str, file: Path) -> None:
    """Append a line in one piece, as others may write there too; after a cut-off line it begins a new one."""
    cut_off = file.exists() and not file.read_bytes().endswith(b"\n")
    with file.open("ab", buffering=0) as lines:
        lines.write(("\n" * cut_off + line + "\n").encode())


def objects(file: Path) -> list[str]:
    """The lines of JSON in a file but those that were cut off; none where there is no file."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [line for line in lines if line.endswith("}")]
