"""The text that names a case, read back: `sweep --plan` prints it, the page and every table show it."""

import re
from typing import Any

from halobench.problem import PROBLEM_FIELDS, AttentionCase, Case, ModelCase, Problem

WHERE = r"/(?P<dtype>\w+)/(?P<device>[a-z]+)(?P<threads>\d*)(/(?P<allocator>[a-z]+))?"
ATTENTION = re.compile(
    r"(?P<implementation>\w+)/(?P<direction>forward|forward_backward)"
    r"/(?P<batch>\d+)x(?P<heads>\d+)x(?P<height>\d+)x(?P<width>\d+)d(?P<dim_qk>\d+)(v(?P<dim_v>\d+))?"
    r"/b(?P<block>\d+)h(?P<halo>\d+)(s(?P<stride>\d+))?/(?P<border>[a-z]+)/(?P<position>[a-z]+)(-(?P<offset>[a-z]+))?"
    r"(/scale=(?P<scale>[^/]+))?(/position_scale=(?P<position_scale>[^/]+))?"
    r"(/(?P<layout>channels_last|nchw))?" + WHERE
)
MODEL = re.compile(
    r"(?P<model>(timm/)?[^/]+)(/(?P<implementation>\w+))?/(?P<direction>inference|training)"
    r"/(?P<batch>\d+)x(?P<image_size>\d+)px(/(?P<mode>compiled))?(/(?P<layout>channels_last))?" + WHERE
)
REAL = ("scale", "position_scale")
WORDS = {"implementation", "model", "direction", "border", "position", "offset", "layout", "mode", "dtype"}
WORDS |= {"device", "allocator"}  # all others are whole numbers
EXAMPLES = (
    "haloed_blocked/forward/2x4x64x64d16/b8h3/mask/split/float32/cpu2",
    "timm/halonet26t/original/inference/1x256px/float32/cpu2",
)


def parse(text: str) -> Case:
    """The case of this id.

    Raises:
        ValueError: it is no id, or what it names can not be asked for.
    """
    for pattern, made in ((ATTENTION, _attention), (MODEL, _model)):
        if found := pattern.fullmatch(text):
            return made({name: _value(name, value) for name, value in found.groupdict().items() if value})
    raise ValueError(f"{text!r} is not the id of a case, such as {' or '.join(EXAMPLES)}")


def _attention(fields: dict[str, Any]) -> Case:
    fields.setdefault("dim_v", fields["dim_qk"])
    problem = {name: fields.pop(name) for name in PROBLEM_FIELDS if name in fields}
    return AttentionCase(problem=Problem(**problem), **fields)


def _model(fields: dict[str, Any]) -> Case:
    return ModelCase(**{"implementation": ""} | fields)


def _value(name: str, value: str) -> Any:
    return float(value) if name in REAL else value if name in WORDS else int(value)
