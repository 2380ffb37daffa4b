"""Files of a command: written only where nothing lies yet, and lines that are added one by one."""

from pathlib import Path


def must_be_new(path: Path | None) -> None:
    """Before the work is done: the file is not there, its folder is; None is no file at all."""
    if path is None:
        return
    if path.exists():
        raise FileExistsError(f"{path} exists already; choose another file")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} can not be written: there is no folder {path.parent}")


def add_line(line: str, file: Path) -> None:
    """In one piece, for others may write there too; on a line of its own also behind one that was cut off."""
    cut_off = file.exists() and not file.read_bytes().endswith(b"\n")
    with file.open("ab", buffering=0) as lines:
        lines.write(("\n" * cut_off + line + "\n").encode())


def objects(file: Path) -> list[str]:
    """The lines of JSON in a file but those that were cut off; none where there is no file."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [line for line in lines if line.endswith("}")]
