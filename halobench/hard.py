"""Problems chosen to hurt: what `check` and the tests try every implementation on."""

from halobench.problem import Problem

PROBLEMS = {
    "one position": Problem(height=1, width=1, block=1, halo=0, position="sum"),
    "no halo": Problem(height=4, width=4, block=2, halo=0, position="sum"),
    "no halo, cut-off blocks": Problem(height=5, width=3, block=2, halo=0),
    "no halo, cut-off blocks, zero border": Problem(
        height=3, width=10, block=4, halo=0, heads=2, border="zero", position="sum"
    ),
    "several blocks, no position": Problem(height=12, width=8, block=4, halo=2, heads=3),
    "several blocks, no position, cut off": Problem(
        height=9, width=10, block=4, halo=3, batch=2, dim_qk=5, dim_v=5
    ),
    "several blocks, no position, zero border": Problem(
        height=8, width=12, block=4, halo=1, heads=2, border="zero"
    ),
    "one position wide": Problem(height=8, width=1, block=4, halo=1, position="sum"),
    "not square, odd heads": Problem(height=4, width=6, block=2, halo=1, batch=2, heads=3, position="sum"),
    "zero border": Problem(
        height=6, width=3, block=3, halo=2, dim_qk=8, dim_v=8, border="zero", position="sum"
    ),
    "one block, halo all outside": Problem(
        height=4, width=4, block=4, halo=1, border="zero", position="split"
    ),
    "per-pixel windows": Problem(height=5, width=4, block=1, halo=2, position="split"),
    "halo wider than the map": Problem(height=4, width=4, block=1, halo=9, border="zero"),
    "block larger than the map": Problem(height=5, width=3, block=8, halo=3, border="zero", position="sum"),
    "cut-off blocks": Problem(height=11, width=9, block=4, halo=3, batch=2, heads=2, position="sum"),
    "cut-off blocks, zero border, stride": Problem(
        height=11, width=9, block=4, halo=3, stride=2, border="zero", position="sum", heads=2
    ),
    "stride 2, exact offsets": Problem(
        height=8, width=12, block=4, halo=1, stride=2, position="split", heads=2
    ),
    "stride 2, compact offsets": Problem(
        height=16,
        width=8,
        block=8,
        halo=3,
        stride=2,
        border="zero",
        position="sum",
        offset="compact",
        heads=2,
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
    "chunks of rows, the last cut off": Problem(height=75, width=64, block=16, halo=3, position="sum"),
    "large logits": Problem(height=8, width=8, block=4, halo=2, scale=40.0, position="sum"),
    "bfloat16": Problem(height=16, width=16, block=8, halo=3, heads=2, position="sum", dtype="bfloat16"),
    "float16": Problem(
        height=16, width=16, block=8, halo=3, heads=2, position="sum", border="zero", dtype="float16"
    ),
    "float64": Problem(height=9, width=9, block=4, halo=2, position="sum", dtype="float64"),
}
