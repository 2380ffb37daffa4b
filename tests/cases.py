"""Ready-made records."""

from halobench.attention import Problem
from halobench.attention.problem import PROBLEM_FIELDS
from halobench.case import AttentionCase, ModelCase
from halobench.results import frame
from halobench.results.record import Record, Work


def attention_record(
    implementation="haloed_blocked", *, samples=(1e-3,) * 6, status="ok", direction="forward", **fields
):
    """A record of an attention case; `fields` go to the record or to the problem, wherever they belong."""
    problem = {name: fields.pop(name) for name in PROBLEM_FIELDS if name in fields}
    problem = Problem(**{"height": 16, "width": 16, "block": 8, "halo": 3, "batch": 2, "heads": 4} | problem)
    case = AttentionCase(implementation=implementation, direction=direction, problem=problem, threads=2)
    work = Work(
        problem.flop(direction), problem.flop(direction, problem.slots()), problem.min_bytes(direction)
    )
    known = {"error": 1e-7, "peak_bytes": 2**20, "compile_s": 0.01, "samples_host": samples, "work": work}
    return Record(
        case=case, status=status, samples=samples, **(known if status == "ok" else {"work": work}) | fields
    )


def model_record(
    model="halonet_h0", implementation="haloed_blocked", *, samples=(0.2,) * 6, status="ok", **fields
):
    """A record of a model case; `fields` go to the record or to the case, wherever they belong."""
    names = ("direction", "image_size", "batch", "dtype", "layout", "device", "threads")
    case = {"direction": "inference", "image_size": 128, "batch": 2, "threads": 2}
    case |= {name: fields.pop(name) for name in names if name in fields}
    known = {"error": 1e-6, "peak_bytes": 2**26, "compile_s": 0.1, "samples_host": samples}
    known |= {"work": Work(flop=10**9, flop_executed=2 * 10**9, params=5_488_000)}
    case = ModelCase(model=model, implementation=implementation, **case)
    return Record(case=case, status=status, samples=samples, **(known if status == "ok" else {}) | fields)


def frame_of(*records):
    """What reports and metrics read, of these records."""
    return frame.frame_of([record.case for record in records], records)
