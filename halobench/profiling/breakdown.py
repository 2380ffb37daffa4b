"""The cost of a network as a table: the whole, its stages, its kinds of layers, its attention layers."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from halobench.profiling.modules import KINDS, REST, Part
from halobench.results.record import Record
from halobench.stats.interval import summary


def tabled(found: Sequence[Part], record: Record) -> pd.DataFrame:
    """A row the whole, a stage, a kind of layer, a layer: `by part params flop time_s peak_bytes samples`.

    What is left of the whole is `between the stages`, or of the kinds `the rest`: activations, sums, pooling,
    and the difference that it makes to be called in turn. It can be less than nothing.
    """
    middle = summary(record.samples).median
    whole = {"params": record.work.params, "flop": record.work.flop, "time_s": middle}
    rows = [{"by": "whole", "part": "whole"} | whole | _own(record.peak_bytes, record.samples)]
    stages = [part for part in found if part.kind == "stage"]
    layers = [part for part in found if part.kind != "stage"]
    rows += [_row("stage", part.name, [part]) for part in stages]
    rows += [_rest("stage", "between the stages", whole, stages)]
    kinds = {kind: [part for part in layers if part.kind == kind] for kind in ("attention", *KINDS)}
    rows += [_row("kind", kind, of) for kind, of in kinds.items() if of]
    rows.append(_rest("kind", REST, whole, layers))
    rows += [_row(part.kind, part.name, [part]) for part in layers]
    return pd.DataFrame(rows)


def _row(by: str, name: str, of: Sequence[Part]) -> dict[str, Any]:
    samples = of[0].samples if len(of) == 1 else ()
    return {"by": by, "part": name} | _sums(of) | _own(max(part.peak_bytes for part in of), samples)


def _rest(by: str, name: str, whole: dict[str, Any], of: Sequence[Part]) -> dict[str, Any]:
    left = {column: whole[column] - total for column, total in _sums(of).items()}
    return {"by": by, "part": name} | left | _own(None, ())


def _sums(of: Iterable[Part]) -> dict[str, float]:
    """A module that is part of two is counted once: layers share no module, stages neither."""
    of = list(of)
    return {
        "params": sum(part.params for part in of),
        "flop": sum(part.flop for part in of),
        "time_s": sum(part.seconds for part in of),
    }


def _own(peak_bytes: int | None, samples: Sequence[float]) -> dict[str, Any]:
    return {"peak_bytes": peak_bytes, "samples": " ".join(map(repr, samples))}
