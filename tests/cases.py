"""The problems that every implementation is tried on, shapes chosen to hurt; and ready-made records."""

from halobench import store
from halobench.problem import PROBLEM_FIELDS, AttentionCase, ModelCase, Problem
from halobench.record import Record, Work

PROBLEMS = {
    "one position": Problem(height=1, width=1, block=1, halo=0, position="sum"),
    "no halo": Problem(height=4, width=4, block=2, halo=0, position="sum"),
    "not square, odd heads": Problem(height=4, width=6, block=2, halo=1, batch=2, heads=3, position="sum"),
    "zero border": Problem(
        height=6, width=3, block=3, halo=2, dim_qk=8, dim_v=8, border="zero", position="sum"
    ),
    "one block, halo all outside": Problem(height=4, width=4, block=4, halo=1, border="zero", position="split"),
    "per-pixel windows": Problem(height=5, width=4, block=1, halo=2, position="split"),
    "halo wider than the map": Problem(height=4, width=4, block=1, halo=9, border="zero"),
    "block larger than the map": Problem(height=5, width=3, block=8, halo=3, border="zero", position="sum"),
    "cut-off blocks": Problem(height=11, width=9, block=4, halo=3, batch=2, heads=2, position="sum"),
    "cut-off blocks, zero border, stride": Problem(
        height=11, width=9, block=4, halo=3, stride=2, border="zero", position="sum", heads=2
    ),
    "stride 2, exact offsets": Problem(height=8, width=12, block=4, halo=1, stride=2, position="split", heads=2),
    "stride 2, compact offsets": Problem(
        height=16, width=8, block=8, halo=3, stride=2, border="zero", position="sum", offset="compact", heads=2
    ),
    "stride of a whole block": Problem(height=6, width=6, block=3, halo=1, stride=3, position="sum"),
    "wide values, odd block": Problem(
        height=14, width=7, block=7, halo=2, dim_qk=24, dim_v=72, heads=2, border="zero", position="sum"
    ),
    "narrow values": Problem(height=6, width=6, block=3, halo=1, dim_qk=10, dim_v=3, position="split"),
    "both scales": Problem(
        height=8, width=8, block=4, halo=2, scale=0.7, position_scale=-1.3, border="zero", position="sum"
    ),
    "no position, no mask needed": Problem(height=8, width=8, block=8, halo=0),
    "many chunks": Problem(height=40, width=24, block=8, halo=3, batch=3, heads=2, position="sum"),
    "bfloat16": Problem(height=16, width=16, block=8, halo=3, heads=2, position="sum", dtype="bfloat16"),
    "float16": Problem(
        height=16, width=16, block=8, halo=3, heads=2, position="sum", border="zero", dtype="float16"
    ),
    "float64": Problem(height=9, width=9, block=4, halo=2, position="sum", dtype="float64"),
}


def attention_record(implementation="haloed_blocked", *, samples=(1e-3,) * 6, status="ok", direction="forward", **fields):
    """A record of an attention case; `fields` go to the record or to the problem, wherever they belong."""
    problem = {name: fields.pop(name) for name in PROBLEM_FIELDS if name in fields}
    problem = Problem(**{"height": 16, "width": 16, "block": 8, "halo": 3, "batch": 2, "heads": 4} | problem)
    case = AttentionCase(implementation=implementation, direction=direction, problem=problem, threads=2)
    work = Work(problem.flop(direction), problem.flop(direction, problem.slots()), problem.min_bytes(direction))
    known = {"error": 1e-7, "peak_bytes": 2**20, "compile_s": 0.01, "samples_host": samples, "work": work}
    return Record(case=case, status=status, samples=samples, **(known if status == "ok" else {"work": work}) | fields)


def model_record(model="halonet_h0", implementation="haloed_blocked", *, samples=(0.2,) * 6, status="ok", **fields):
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
    return store.frame([record.case for record in records], records)
