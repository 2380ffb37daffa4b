"""How a network is trained, as data: `halobench/training/recipes.toml`."""

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from math import cos, pi
from typing import Any

from halobench.errors import UnknownName, UsageError


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """SGD with Nesterov's momentum; the learning rate warms up in a line and ends as half a cosine."""

    epochs: int
    batch: int
    learning_rate: float
    warmup_epochs: float
    divisor: float  # of the learning rate, in the end
    momentum: float
    weight_decay: float
    label_smoothing: float

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, counted from 0, at so many steps an epoch."""
        at, warm, end = step + 1, self.warmup_epochs * steps, self.epochs * steps
        if at <= warm:
            return self.learning_rate * at / warm
        least = 1 / self.divisor
        return self.learning_rate * (least + (1 - least) * (1 + cos(pi * (at - warm) / (end - warm))) / 2)


@cache
def recipes() -> dict[str, dict[str, Any]]:
    """What is known of each, by name."""
    return tomllib.loads((resources.files("halobench.training") / "recipes.toml").read_text(encoding="utf-8"))


def known(name: str) -> dict[str, Any]:
    """What is known of this recipe, or assumed; UnknownName with the known names."""
    if name not in recipes():
        raise UnknownName(f"no recipe {name!r}; there are: {', '.join(recipes())}")
    return {**recipes()[name], **recipes()[name].get("assumed", {})}


def find(name: str, **instead: Any) -> Recipe:
    """The recipe of this name with some values replaced; UsageError where its source gives too little."""
    given = known(name) | instead
    names = [field.name for field in fields(Recipe)]
    if missing := [name for name in names if name not in given]:
        raise UsageError(f"recipe {name} cannot be run: its source does not give {', '.join(missing)}")
    return Recipe(**{name: given[name] for name in names})
