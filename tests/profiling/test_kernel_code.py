import importlib.metadata
import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.attention.problem_sets import FAMILY, STANDARD
from halobench.profiling import kernel_code
from halobench.screens import inspect

FINGERPRINT = pd.read_csv(Path(__file__).parents[1] / "golden" / "kernels_sm_90.csv")
PINNED = "3.8.0"  # of Triton: another compiler, other code
TRIED = ["32x32 n8 d16 b8h3", "14x14 n8 d24 v72 b7h2", "128x128 n4 d16 b32h3"]  # a fifth of them
LOOPS = """
        /*0000*/                   LDG.E.128 R4, desc[UR4][R2.64] ;
        /*0010*/                   HGMMA.64x64x16.F32.BF16 R24, gdesc[UR8], RZ, !UPT ;
        /*0020*/              @!P0 MUFU.EX2 R8, R9 ;
        /*0030*/              @P1  BRA 0x10 ;
        /*0040*/                   BRA.DIV UR7, 0x80 ;
        /*0050*/                   FADD R1, R2, R3 ;
        /*0060*/              @P2  BRA 0x0 ;
        /*0070*/                   BRA 0x70 ;
        /*0080*/                   SHFL.BFLY PT, R9, R8, 0x1, 0x1f ;
        /*0090*/                   BRA 0x50 ;
"""


@pytest.fixture(scope="module")
def compiled(once):
    needed = importlib.metadata.version("triton")
    if needed != PINNED:
        pytest.skip(f"the fingerprint is of Triton {PINNED}, not {needed}")
    code = f"""
import json
from halobench.attention import problem_sets
from halobench.profiling import kernel_code
chosen = {{title: problem_sets.problems("all")[title] for title in {TRIED}}}
for row in kernel_code.rows("triton_fused", chosen, "sm_90"):
    print(json.dumps(row))
"""
    command = [sys.executable, "-c", code]

    def compiling(folder):
        done = subprocess.run(
            command, env=kernel_code.compiling(), capture_output=True, text=True, check=True
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    return pd.DataFrame(once("kernel-code", compiling))


@pytest.mark.slow
def test_no_kernel_got_worse(compiled):
    both = compiled.merge(FINGERPRINT, on=["kernel", "target", "problem"], suffixes=("", "_before"))
    assert len(both) == 2 * len(TRIED)
    for name in (
        "registers",
        "spills",
        "stack_bytes",
        "undefined",
        "shared_bytes",
        "instructions",
        "cycles_issue",
    ):
        worse = both[both[name] > both[f"{name}_before"] * 1.01]
        assert worse.empty, worse[["kernel", "problem", name, f"{name}_before"]]


def test_the_fingerprint_has_every_problem_nothing_undefined_and_fits():
    assert set(FINGERPRINT["problem"]) == set(STANDARD | FAMILY)
    assert not FINGERPRINT["undefined"].any()
    assert FINGERPRINT["shared_bytes"].max() <= 99 * 1024  # of a program, on any card since Ampere


def test_what_loops_counts_as_often_as_it_runs_and_code_out_of_line_does_not():
    cycles = kernel_code._cycles(kernel_code._code(LOOPS), (2, 3), "sm_90")
    assert cycles["issue"] == 2 * (1 + 3 * 3 + 3) + 1
    assert cycles["mufu"] == 2 * 3 * 8
    assert cycles["tensor"] == 2 * 3 * 64 * 64 * 16 / 4 / 512


def test_an_opcode_is_of_one_class_at_most():
    opcodes = [
        "HGMMA.64x64x16.F32",
        "MUFU.EX2",
        "FADD.FTZ",
        "STS.128",
        "LDGSTS.E",
        "BAR.SYNC",
        "v_exp_f32_e32",
    ]
    found = kernel_code._classes(opcodes)
    assert found == {"instructions": 7, "mufu": 2} | dict.fromkeys(
        ("tensor", "float", "shared", "global", "barriers"), 1
    )


def test_every_kernel_of_every_problem_can_be_built():
    for problem, target in product((STANDARD | FAMILY).values(), kernel_code.TARGETS):
        builds = IMPLEMENTATIONS["triton_fused"].kernels(problem, target)
        assert [build.kernel for build in builds] == ["forward", "backward"]
        assert all(set(build.types) == set(build.function.arg_names) for build in builds)
        assert all(problem.heads % build.heads == 0 for build in builds)


def test_what_does_not_compile_is_a_row_with_its_reason(monkeypatch):
    monkeypatch.setattr(kernel_code, "measure", lambda *_: 1 / 0)
    row = next(kernel_code.rows("triton_fused", STANDARD, "sm_90"))
    assert row["reason"] == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(("found", "code"), [({"spills": 3, "undefined": 0}, 0), ({"undefined": 2}, 1)])
def test_a_register_that_nothing_wrote_makes_the_exit_code_1_and_a_spill_does_not(
    found, code, monkeypatch, capsys
):
    row = {"kernel": "forward", "target": "sm_90", "problem": "one", "spills": 0} | found
    monkeypatch.setattr(inspect, "_of_target", lambda *_: [row])
    assert inspect.show("triton_fused", "standard", ["sm_90"], None) == code
    assert ("miscompiled: forward, sm_90, one: 2 instructions" in capsys.readouterr().out) == bool(code)
