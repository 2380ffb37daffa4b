"""What torch.compile leaves on disk: a case writes into a cache of its own, which is kept if it ended well.

A compiler that is killed with its case leaves half a library behind, and torch would load that in every later
case of the same code.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "TORCHINDUCTOR_CACHE_DIR"


@contextmanager
def own(folder: Path | None) -> Iterator[Callable[[], None]]:
    """Compile in a new cache with what was kept in this folder before; gives the function that keeps it.

    The cache has the same path each time, since compiled code may name it. Without a folder nothing changes.
    """
    if folder is None:
        yield lambda: None
        return
    ours, kept = folder / "own", folder / "kept"
    shutil.rmtree(ours, ignore_errors=True)
    if kept.exists():
        shutil.copytree(kept, ours, copy_function=os.link)  # torch replaces files, it never writes into one
    else:
        ours.mkdir(parents=True)
    os.environ[VARIABLE] = str(ours)

    def keep() -> None:
        shutil.rmtree(kept, ignore_errors=True)
        ours.rename(kept)

    yield keep
