"""What a compiler makes of a kernel, read without a GPU: registers, spills, instructions, cycles.

The figures of a target's units are those of NVIDIA's CUDA C++ Programming Guide (arithmetic instructions)
and of the whitepapers of A100 and H100; none was measured here.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

from halobench.attention.build import Build
from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.attention.problem import Problem
from halobench.device import ptxas
from halobench.profiling.undefined_registers import undefined

TARGETS: dict[str, tuple[str, int | str, int]] = {
    "sm_80": ("cuda", 80, 32),
    "sm_90": ("cuda", 90, 32),
    "sm_100": ("cuda", 100, 32),
}
TARGETS |= {"gfx942": ("hip", "gfx942", 64)}
CLASSES = {  # of instructions: NVIDIA's, AMD's
    "tensor": r"HGMMA|HMMA|UTC\w*MMA|v_mfma\w*",
    "mufu": r"MUFU|v_exp_f32|v_log_f32|v_rcp_f32",
    "float": r"FFMA2?|FADD2?|FMUL2?|v_(?:pk_)?(?:fma|add|mul|sub|fmac)_f32",
    "shared": r"LDS|STS|LDSM|STSM|ds_\w+",
    "global": r"LDG|STG|LDGSTS|global_\w+|buffer_(?:load|store)\w*",
    "barriers": r"BAR|s_barrier",
}
LOCAL = r"LDL|STL"  # in NVIDIA's code, what does not fit into registers
# Cycles that a scheduler's share of a unit is busy with an instruction; multiply-adds of products a cycle.
BUSY = {"mufu": 8.0, "float": 1.0, "shared": 4.0, "global": 4.0}
SCHEDULERS = 4  # of a multiprocessor, each with its share of the units
PRODUCTS = {"sm_80": 256.0, "sm_90": 512.0}
INSTRUCTION = re.compile(r"\s+/\*([0-9a-f]{4,5})\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.x]*)(.*)")

Row = dict[str, Any]


def rows(name: str, problems: dict[str, Problem], target: str) -> Iterator[Row]:
    """Measure every kernel of an implementation on every problem; one that does not compile says why."""
    for title, problem in problems.items():
        for build in IMPLEMENTATIONS[name].kernels(problem, target):
            row = {"kernel": build.kernel, "target": target, "problem": title}
            try:
                yield row | measure(build, target)
            except Exception as error:  # the compiler's own, of many kinds
                yield row | {"reason": " ".join(f"{type(error).__name__}: {error}".split())[:200]}


def measure(build: Build, target: str) -> Row:
    """Compile for a target, and count; cycles are those of the code that runs away from the borders."""
    done = _compiled(build, build.constants, target)
    sizes = {"shared_bytes": done.metadata.shared}
    if not target.startswith("sm"):
        return sizes | _amd(done.asm["amdgcn"])
    row = sizes | _nvidia(done.asm["cubin"])
    if target not in PRODUCTS:
        return row
    inside = _compiled(build, build.constants | build.inside, target)
    cycles = _cycles(_code(_dump("-sass", inside.asm["cubin"])), build.trips, target)
    share = build.options["num_warps"] / SCHEDULERS / build.heads
    binds = max(cycles, key=lambda unit: cycles[unit])
    return row | {f"cycles_{unit}": round(share * n) for unit, n in cycles.items()} | {"binds": binds}


def _compiled(build: Build, constants: dict[str, Any], target: str) -> Any:
    from triton.backends.compiler import GPUTarget  # noqa: PLC0415
    from triton.compiler import ASTSource, compile  # noqa: PLC0415

    if target.startswith("sm"):
        ptxas.chosen()
    names = build.function.arg_names
    aligned = {(names.index(name),): [["tt.divisibility", 16]] for name in build.aligned}
    source = ASTSource(build.function, build.types, constants, aligned)
    return compile(source, target=GPUTarget(*TARGETS[target]), options=dict(build.options))


def _nvidia(cubin: bytes) -> Row:
    usage = re.search(r"REG:(\d+) STACK:(\d+)", _dump("-res-usage", cubin))
    assert usage is not None
    listing = _dump("-sass", cubin)
    opcodes = [opcode for _, opcode, _ in _code(listing)]
    row: Row = {
        "registers": int(usage[1]),
        "stack_bytes": int(usage[2]),
        "undefined": len(undefined(listing)),
    }
    return row | {"spills": sum(_is(LOCAL, opcode) for opcode in opcodes)} | _classes(opcodes)


def _code(listing: str) -> list[tuple[int, str, str]]:
    """Address, opcode and the rest of every instruction."""
    found = map(INSTRUCTION.match, listing.splitlines())
    return [(int(m[1], 16), m[2], m[3]) for m in found if m]


def _dump(option: str, cubin: bytes) -> str:
    import triton  # noqa: PLC0415

    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        return subprocess.run([tool, option, file.name], capture_output=True, text=True, check=True).stdout


def _amd(assembly: str) -> Row:
    def told(name: str) -> int:
        found = re.search(rf"\.{name}:\s+(\d+)", assembly)
        return int(found[1]) if found else 0

    opcodes = re.findall(r"^\s+([a-z]\w+_\w+)", assembly, re.MULTILINE)
    spills = told("vgpr_spill_count") + told("sgpr_spill_count")
    sizes = {"registers": told("vgpr_count"), "stack_bytes": told("private_segment_fixed_size")}
    return sizes | {"spills": spills} | _classes(opcodes)


def _classes(opcodes: Iterable[str]) -> Row:
    counts: Counter[str] = Counter()
    for opcode in opcodes:
        counts["instructions"] += 1
        counts.update(name for name, pattern in CLASSES.items() if _is(pattern, opcode))
    return {name: counts[name] for name in ("instructions", *CLASSES)}


def _is(pattern: str, opcode: str) -> bool:
    return re.fullmatch(rf"(?:{pattern})(?:\..*|_e32|_e64)?", opcode) is not None


def _cycles(code: list[tuple[int, str, str]], trips: Sequence[int], target: str) -> dict[str, float]:
    """Cycles that each unit of a scheduler is busy with a warp, at least.

    Loops with products run as often as `trips` says, in the order in which they begin; other code runs
    once, and what a compiler put out of line, for warps that do not stay together, never.
    """
    targets = [(at, opcode, _address(rest)) for at, opcode, rest in code if opcode.startswith("BRA")]
    line = min((to for _, opcode, to in targets if opcode == "BRA.DIV"), default=code[-1][0] + 1)
    ends: dict[int, int] = {}  # of loops, by where they begin
    for at, _, to in targets:
        if to < at < line:
            ends[to] = max(at, ends.get(to, 0))
    products = [at for at, opcode, _ in code if _is(CLASSES["tensor"], opcode)]
    loops = [loop for loop in sorted(ends.items()) if any(loop[0] <= at <= loop[1] for at in products)]
    times = list(zip(loops, trips, strict=True))
    busy: dict[str, float] = dict.fromkeys(("issue", "tensor", *BUSY), 0.0)
    for at, opcode, _ in code:
        runs = int(at < line) * prod(n for (first, last), n in times if first <= at <= last)
        busy["issue"] += runs
        busy["tensor"] += runs * _products(opcode, target)
        for name, cycles in BUSY.items():
            busy[name] += runs * cycles * _is(CLASSES[name], opcode)
    return busy


def _address(operands: str) -> int:
    """Return where a branch leads, or `sys.maxsize` where that is not told."""
    found = re.search(r"0x([0-9a-f]+)", operands)
    return int(found[1], 16) if found else sys.maxsize


def _products(opcode: str, target: str) -> float:
    """Count a warp's share of a product from the shape in its name: HGMMA.64x16x16, HMMA.16816."""
    if shape := re.match(r"HGMMA\.(\d+)x(\d+)x(\d+)", opcode):
        rows, columns, depth = map(int, shape.groups())
        return rows * columns * depth / 4 / PRODUCTS[target]
    if shape := re.match(r"HMMA\.(16)(8)(16|8)", opcode):
        rows, columns, depth = map(int, shape.groups())
        return rows * columns * depth / PRODUCTS[target]
    return 0.0


def apart(name: str, problems: str, target: str) -> subprocess.Popen[str]:
    """Begin a process that prints a row of JSON a line; Triton compiles or interprets, not both in one."""
    command = [sys.executable, "-m", "halobench.profiling.kernel_code", name, problems, target]
    return subprocess.Popen(command, env=compiling(), stdout=subprocess.PIPE, text=True)


def compiling() -> dict[str, str]:
    """The environment of a process in which Triton compiles."""
    return {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}


if __name__ == "__main__":
    from halobench.attention.problem_sets import problems

    for row in rows(sys.argv[1], problems(sys.argv[2]), sys.argv[3]):
        print(json.dumps(row), flush=True)
