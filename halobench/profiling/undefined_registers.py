"""Registers that machine code reads where no path has written them: what no compiler may emit.

ptxas 12.8 does: it makes descriptors of wgmma from uniform registers that nothing wrote, and multiplies what
lies there. Read off the listing of cuobjdump, for NVIDIA's GPUs from sm_80 to sm_100. What is not sure is
taken as written: what is found is a fault, and a fault can be missed.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

LINE = re.compile(r"\s+/\*([0-9a-f]{4,5})\*/\s+(?:@!?(U?P\w+)\s+)?([A-Z][A-Z0-9_.x]*)\s*(.*?)\s*;")
NAME = re.compile(r"(?<![A-Za-z0-9_.])(UR|UP|R|P)(\d+)\b(\.64)?")
FILES = {"R": 0, "UR": 256, "P": 384, "UP": 400}  # where the bits of a file begin
EVERYTHING = (1 << 512) - 1
STACK = 1  # R1, which the driver sets
# Instructions without a result in registers.
QUIET = re.compile(
    r"ST[GSL]?|STSM|STTM|RED|REDG|UTC\w*MMA|UTCBAR|UTCCP|UBLKCP|UTMA\w+|LDGSTS|LDGDEPBAR|DEPBAR|BRA|BRX|JMP|EXIT|RET|BAR|BSSY|BSYNC|"
    r"BREAK|WARPSYNC|WARPGROUP|ENDCOLLECTIVE|MEMBAR|FENCE|ERRBAR|CCTL\w*|NOP|YIELD|NANOSLEEP|KILL|ACQBULK|"
    r"UCGABAR_\w+|USETMAXREG|WARPGROUPSET|PREEXIT|ACQSHMINIT|BMOV"
)
# Two results that are predicates.
TESTS = re.compile(r"\w*SETP|U?PLOP3")


class Instruction(NamedTuple):
    at: int
    guard: str  # a predicate, or nothing
    opcode: list[str]  # with its modifiers
    operands: list[str]


class Finding(NamedTuple):
    """An instruction that reads what nothing has written."""

    at: int
    text: str
    registers: list[str]


def undefined(listing: str) -> list[Finding]:
    """Find the reads of undefined registers in one kernel, as `cuobjdump -sass` prints it."""
    code = list(_instructions(listing))
    effects = [_effects(each) for each in code]
    before = _written_before(code, [writes for _, writes in effects])
    found = []
    for each, (reads, _), written in zip(code, effects, before, strict=True):
        if written is not None and (missing := reads & ~written):
            text = f"{'.'.join(each.opcode)} {', '.join(each.operands)}"
            found.append(Finding(each.at, text, _names(missing)))
    return found


def _instructions(listing: str) -> Iterator[Instruction]:
    for line in listing.splitlines():
        if found := LINE.match(line):
            at, guard, opcode, rest = found.groups()
            operands = [operand.strip() for operand in rest.split(",")] if rest else []
            yield Instruction(int(at, 16), guard or "", opcode.split("."), operands)


def _written_before(code: list[Instruction], writes: list[int]) -> list[int | None]:
    """Return what some path to each instruction may have written; None where there is no path."""
    places = {each.at: place for place, each in enumerate(code)}
    before: list[int | None] = [None] * len(code)
    if not code:
        return before
    before[0] = 1 << STACK
    left = [0]
    while left:
        place = left.pop()
        known = before[place]
        assert known is not None
        after = known | writes[place]
        for following in _following(code[place], place, places):
            if following >= len(code):
                continue
            joined = after | (before[following] or 0)
            if joined != before[following]:
                before[following] = joined
                left.append(following)
    return before


def _following(each: Instruction, place: int, places: dict[int, int]) -> list[int]:
    base = each.opcode[0]
    if base in ("BRA", "JMP") and "DIV" not in each.opcode:
        target = re.search(r"0x([0-9a-f]+)", each.operands[-1])
        to = [places[int(target[1], 16)]] if target and int(target[1], 16) in places else []
        always = not each.guard and len(each.operands) == 1
        return to if always else [*to, place + 1]
    if base in ("EXIT", "RET", "BRX") and not each.guard:
        return []
    return [place + 1]


def _effects(each: Instruction) -> tuple[int, int]:
    """Bits of the registers that an instruction reads, and of those that it may write."""
    base, operands = each.opcode[0], each.operands
    guard = _bits(each.guard) if each.guard else 0
    if base == "CALL":  # what a function of the compiler writes is not followed
        return guard, EVERYTHING
    if base == "R2P":  # into predicates that a mask names
        return guard | _all(operands), EVERYTHING & -(1 << FILES["P"])
    if "MMA" in base and not base.startswith("UTC"):
        reads, writes = _product(each)
        return reads | guard, writes
    if QUIET.fullmatch(base):
        stored = _span(operands[-1], _width(each)) if re.fullmatch(r"ST[GSL]?|STSM", base) else 0
        return guard | _all(operands) | stored, 0
    count = _results(base, operands)
    writes = 0
    for operand in operands[:count]:
        writes |= _span(operand, _width(each))
    reads = 0 if _indifferent(each) else _all(operands[count:])
    return reads | guard, writes


def _results(base: str, operands: list[str]) -> int:
    """How many of the first operands are written."""
    if TESTS.fullmatch(base):
        return 2
    count = 0
    while count < len(operands) and re.fullmatch(r"U?P[T\d]", operands[count]):
        count += 1
    count += 1
    while count < len(operands) and re.fullmatch(r"U?P[T\d]", operands[count]):
        count += 1
    return count


def _width(each: Instruction) -> int:
    """Registers that a value takes, at most."""
    base, modifiers = each.opcode[0], each.opcode[1:]
    if base in ("LDSM", "STSM"):
        return int(modifiers[-1]) if modifiers[-1:] in (["2"], ["4"]) else 1  # LDSM.16.M88.4
    if base == "LDTM":
        return 128  # at most, of a matrix in tensor memory
    sizes = {"128": 4, "256": 8, "64": 2, "WIDE": 2, "F64": 2, "TRANS64": 2}
    wide = max((sizes[m] for m in modifiers if m in sizes), default=1)
    pair = base in ("CS2R", "FFMA2", "FADD2", "FMUL2") or re.match(r"D(ADD|MUL|FMA)|I2F|F2F", base)
    return max(wide, 2 if pair else 1)


def _product(each: Instruction) -> tuple[int, int]:
    """Return the registers of a matrix product, whose operands may be descriptors in uniform registers."""
    base, operands = each.opcode[0], each.operands
    if not base.startswith(("HGMMA", "IGMMA", "QGMMA", "BGMMA")):
        return _all(operands[1:]), _span(operands[0], 4)
    shape = re.fullmatch(r"(\d+)x(\d+)x(\d+)", each.opcode[1])
    results = _span(operands[0], int(shape[2]) // 2 if shape else 128)
    reads, rest = 0, operands[1:]
    if rest and re.match(r"R\d", rest[0]):  # the left matrix in registers: its descriptor is not read
        reads |= _span(rest[0], 4)
        descriptor = range(2, 4)
        rest = rest[1:]
    else:
        descriptor = range(4)
    if found := re.search(r"gdesc\[UR(\d+)\]", rest[0] if rest else ""):
        reads |= sum(1 << FILES["UR"] + int(found[1]) + more for more in descriptor)
    return reads, results


def _indifferent(each: Instruction) -> bool:
    """Whether what is put in place of undefined bits does not matter: of halves that are joined, of masks."""
    base, operands = each.opcode[0], each.operands
    return base == "PRMT" or (base == "LOP3" and "0xc0" in operands and operands[0] in operands[1:])


def _all(operands: list[str]) -> int:
    found = 0
    for operand in operands:
        found |= _bits(operand)
    return found


def _bits(operand: str) -> int:
    """Return all registers that an operand names; an address in 64 bits names two."""
    found = 0
    for file, number, pair in NAME.findall(operand):
        found |= (3 if pair else 1) << FILES[file] + int(number)
    return found


def _span(operand: str, count: int) -> int:
    """Return this many registers, from the one that an operand is."""
    found = NAME.match(operand.lstrip("-!|~"))
    if not found:
        return 0
    return ((1 << (count if found[1] in ("R", "UR") else 1)) - 1) << FILES[found[1]] + int(found[2])


def _names(bits: int) -> list[str]:
    starts = sorted(FILES.items(), key=lambda file: -file[1])
    numbers = [bit for bit in range(bits.bit_length()) if bits >> bit & 1]
    return [next(f"{name}{bit - start}" for name, start in starts if bit >= start) for bit in numbers]
