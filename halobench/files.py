"""Files that a command writes only where nothing lies yet."""

from pathlib import Path


def must_be_new(path: Path | None) -> None:
    """Before the work is done: the file is not there, its folder is; None is no file at all."""
    if path is None:
        return
    if path.exists():
        raise FileExistsError(f"{path} exists already; choose another file")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} can not be written: there is no folder {path.parent}")
