"""What several implementations cannot do, and the words for it."""

from collections.abc import Mapping

from halobench.attention import Problem


def first(limits: Mapping[str, bool]) -> str | None:
    """The first reason that holds, or None."""
    return next((reason for reason, holds in limits.items() if holds), None)


def shared_limits(problem: Problem) -> dict[str, bool]:
    """Say what code without a word for strides of queries or wider values cannot do."""
    return {
        "needs a batch of 1 or more": problem.batch == 0,
        f"stride 1 only, not {problem.stride}": problem.stride != 1,
        f"values as wide as keys only, not {problem.dim_v} and {problem.dim_qk}": (
            problem.dim_v != problem.dim_qk
        ),
    }


def cut_off(problem: Problem) -> dict[str, bool]:
    """Say what code that cuts maps into whole blocks cannot do."""
    shapes = f"{problem.height} x {problem.width} with block {problem.block}"
    return {f"needs a map of whole blocks, not {shapes}": not problem.whole_blocks}
