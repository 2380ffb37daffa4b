"""The file of an evaluation: a row per image, under the settings that all of them share."""

import csv
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from halobench.errors import UsageError
from halobench.models.evaluation import Row

MARK = "# halobench accuracy "  # and settings: the first line of a file of rows
COLUMNS = ",".join(Row._fields)  # the second


@dataclass(frozen=True)
class Settings:
    """All that the rows in a file depend on."""

    model: str
    implementation: str
    weights: str  # the name of a file, or of the hub's weights with their tag
    sha256: str  # of their names and tensors
    dtype: str
    device: str
    preprocessing: dict[str, Any]  # in timm's words; the image size is among them
    data: str
    images: int


def stored(path: Path, settings: Settings, images: list[tuple[str, int]]) -> list[Row]:
    """What an evaluation with these settings has left in the file; where there is none it is begun.

    A last line that was cut off is cut away. UsageError for a file of anything else, which is left as it is.
    """
    if not path.exists():
        path.write_text(f"{MARK}{json.dumps(asdict(settings))}\n{COLUMNS}\n", encoding="utf-8")
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    head, *lines = whole.decode(errors="replace").split("\n")
    if not head.startswith(MARK) or lines[0] != COLUMNS:
        raise UsageError(f"{path} holds no evaluation; choose another file")
    before, now = json.loads(head.removeprefix(MARK)), json.loads(json.dumps(asdict(settings)))
    changed = [f"{name} {before.get(name)}, not {now[name]}" for name in now if before.get(name) != now[name]]
    if changed:
        raise UsageError(f"{path} holds an evaluation with {'; '.join(changed)}; choose another file")
    try:
        rows = [Row(image, *map(int, numbers)) for image, *numbers in csv.reader(lines[1:-1])]
    except (TypeError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}; choose another file") from None
    if [(row.image, row.label) for row in rows] != [
        (_written(name), label) for name, label in images[: len(rows)]
    ]:
        raise UsageError(f"{path} holds other images than {settings.data}; choose another file")
    os.truncate(path, len(whole))
    return rows


def append(path: Path, rows: list[Row]) -> None:
    with path.open("a", encoding="utf-8", newline="") as file:
        lines = (row._replace(image=_written(row.image)) for row in rows)
        csv.writer(file, lineterminator="\n").writerows(lines)


def _written(name: str) -> str:
    """Write a name in a line of UTF-8: bytes that are none as `\\xe9`, the end of a line as `\\n`."""
    told = name.replace("\\", r"\\").replace("\n", r"\n").replace("\r", r"\r")
    return told.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
