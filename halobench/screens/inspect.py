"""The command `inspect`: what compilers make of the Triton kernels, for GPUs that are not here."""

import json
import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from rich.table import Table

from halobench import units
from halobench.attention.implementation import IMPLEMENTATIONS, no_kernels
from halobench.attention.problem_sets import problems
from halobench.console import console
from halobench.errors import UsageError
from halobench.files import must_be_new
from halobench.profiling import kernel_code
from halobench.profiling.kernel_code import BUSY, CLASSES, TARGETS

COLUMNS = [
    "kernel",
    "target",
    "problem",
    "registers",
    "spills",
    "stack_bytes",
    "undefined",
    "shared_bytes",
    "instructions",
]
COLUMNS += [*CLASSES, *(f"cycles_{unit}" for unit in ("issue", "tensor", *BUSY)), "binds", "reason"]
SHOWN = {
    "registers": "registers",
    "spills": "spills",
    "shared_bytes": "shared",
    "instructions": "instructions",
    "cycles_issue": "issue",
    "cycles_mufu": "mufu",
    "cycles_tensor": "tensor",
    "binds": "binds",
}


def show(implementation: str, chosen: str, targets: Sequence[str], out: Path | None) -> int:
    """Print a table; 1 if a kernel does not compile for a target, or reads a register that nothing wrote."""
    for target in targets:
        if target not in TARGETS:
            raise UsageError(f"target: {target!r} must be one of {', '.join(TARGETS)}")
    if IMPLEMENTATIONS[implementation].kernels is no_kernels:
        raise UsageError(f"implementation: {implementation} has no kernels of Triton")
    problems(chosen)
    must_be_new(out)
    table = _compiled(implementation, chosen, targets)
    if out is not None:
        table.to_csv(out, index=False, mode="x")
    screen = console()
    screen.print(_table(table))
    for row in table.dropna(subset="reason").itertuples():
        screen.print(f"not compiled: {row.kernel}, {row.target}, {row.problem}: {row.reason}", soft_wrap=True)
    wrong = table[table["undefined"].fillna(0) > 0]
    for row in wrong.itertuples():
        found = f"{row.kernel}, {row.target}, {row.problem}: {row.undefined} instructions"
        screen.print(f"miscompiled: {found} read a register that no path has written", soft_wrap=True)
    screen.print(
        "cycles: of a scheduler, for a head of a block away from the borders, at least; the largest binds"
    )
    return int(bool(table["reason"].notna().any() or len(wrong)))


def _compiled(implementation: str, chosen: str, targets: Sequence[str]) -> pd.DataFrame:
    """A process a target, as many at a time as there are cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = [
            row for part in pool.map(lambda t: _of_target(implementation, chosen, t), targets) for row in part
        ]
    return pd.DataFrame(rows, columns=COLUMNS).convert_dtypes()


def _of_target(implementation: str, chosen: str, target: str) -> list[dict[str, object]]:
    child = kernel_code.apart(implementation, chosen, target)
    out, _ = child.communicate()
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, child.args)
    return [json.loads(line) for line in out.splitlines()]


def _table(table: pd.DataFrame) -> Table:
    shown = Table(title="kernels as compiled", title_justify="left")
    for name in ("problem", "kernel", "target"):
        shown.add_column(name, no_wrap=True)
    for name in SHOWN.values():
        shown.add_column(name, justify="right")
    for row in table.to_dict("records"):
        cells = [units.NOTHING if pd.isna(row[name]) else str(row[name]) for name in SHOWN]
        shown.add_row(row["problem"], row["kernel"], row["target"], *cells)
    return shown
