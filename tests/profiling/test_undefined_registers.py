"""Machine code that reads what no path has written, as one compiler made it and as written by hand."""

import gzip
from pathlib import Path

import pytest

from halobench.profiling.undefined_registers import undefined

# `halo_fwd` of "56x56 n4 d16 b14h2" at commit 54797b3, by the ptxas 12.8.93 in the wheel of Triton 3.6.
MISCOMPILED = Path(__file__).parents[1] / "golden" / "undefined_sm_90.sass.gz"


def code(*instructions):
    """A listing; instructions are 16 bytes apart, from 0."""
    return "\n".join(f"        /*{16 * n:04x}*/  {text} ;" for n, text in enumerate(instructions))


def names(*instructions):
    """Of each finding the address and its registers."""
    return [(found.at, *found.registers) for found in undefined(code(*instructions))]


def test_a_kernel_that_a_compiler_spoilt_is_found_out():
    found = undefined(gzip.decompress(MISCOMPILED.read_bytes()).decode())
    assert [(each.text, each.registers) for each in found] == [
        ("UIADD3 UR22, UP1, UR22, 0x20, URZ", ["UR22"]),
        ("UIADD3.X UR23, UR23, -0x3ffffff0, URZ, UP1, !UPT", ["UR23"]),
    ]


def test_what_was_written_is_found_no_more():
    lines = gzip.decompress(MISCOMPILED.read_bytes()).decode().splitlines()
    place = next(n for n, line in enumerate(lines) if "/*0e80*/" in line)
    lines[place - 1] = "        /*0e70*/  UMOV.64 UR22, UR4 ;"
    assert undefined("\n".join(lines)) == []


@pytest.mark.parametrize(
    ("instructions", "found"),
    [
        (["FADD R0, R1, R2", "EXIT"], [(0, "R2")]),
        (["LDG.E.128 R4, desc[UR4][R2.64]", "FADD R0, R7, R1", "EXIT"], [(0, "R2", "R3", "UR4")]),
        (["MOV R2, 0x1", "STG.E.64 desc[URZ][R1], R2", "EXIT"], [(16, "R3")]),
        (["@P0 EXIT", "EXIT"], [(0, "P0")]),
        (["ISETP.GE.AND P0, PT, R1, RZ, PT", "@P0 EXIT", "EXIT"], []),
        (["UMOV.64 UR8, 0x1", "HGMMA.64x8x16.F32 R24, gdesc[UR8], RZ", "EXIT"], [(16, "UR10", "UR11")]),
        (["HGMMA.64x8x16.F32 R24, R4, gdesc[UR8], R24"], [(0, "R4", "R5", "R6", "R7", "UR10", "UR11")]),
        (["IADD3 R0, P0, PT, R1, R1, RZ", "IADD3.X R2, R1, RZ, RZ, P0, !PT", "EXIT"], []),
        (["IMAD.WIDE.U32 R2, R1, 0x4, R1", "FADD R0, R3, R2", "EXIT"], []),
        (["LDSM.16.M88.4 R4, [R1]", "STSM.16.M88 [R1], R7", "STSM.16.M88.2 [R1], R7"], [(32, "R8")]),
        (["LDSM.16.M88 R4, [R1]", "FADD R0, R5, R4"], [(16, "R5")]),
        (["R2P PR, R1, 0x7f", "@P3 FADD R0, R2, R1", "EXIT"], [(16, "R2")]),
        (["PRMT R0, R0, 0x5410, R1", "EXIT"], []),
    ],
)  # fmt: skip
def test_what_instructions_read_and_write(instructions, found):
    assert names(*instructions) == found


def test_one_path_that_has_written_is_enough():
    branches = ["ISETP.GE.AND P0, PT, R1, RZ, PT", "@P0 BRA 0x30", "MOV R2, R1", "FADD R0, R2, R1", "EXIT"]
    assert names(*branches) == []
    branches[2] = "MOV R3, R1"
    assert names(*branches) == [(0x30, "R2")]


def test_a_loop_has_written_what_its_end_writes():
    assert names("FADD R0, R2, R1", "MOV R2, R1", "@!PT BRA 0x0", "EXIT") == []


def test_what_no_path_leads_to_is_not_looked_at():
    assert names("BRA 0x20", "FADD R0, R9, R9", "EXIT") == []


def test_nothing_is_said_of_no_code():
    assert undefined("") == []
