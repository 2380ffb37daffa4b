"""The fastest of a kernel's configurations: measured when asked for, kept on disk, never in a timed region.

A kernel asks `chosen` at every call. Inside `autotune()` a first call of its kind measures; anywhere else
it gets what was found before, on this machine with this compiler, or the first of its list.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any, Protocol, TypeVar

from platformdirs import user_cache_path

from halobench.files import replaced

CACHE = "HALOBENCH_CACHE"  # in the environment: another folder than ~/.cache/halobench
AUTOTUNE = ("try", "known", "off")  # measure what was not tried; use what was found; use every first
RATHER = 0.98  # of the time of the first: what is not faster than this is noise
WARM_S = 0.1  # of calls before the first that counts: a device that waited for a compiler runs slowly
ROUNDS = 9


class Config(Hashable, Protocol):
    """A named tuple of numbers."""

    def _asdict(self) -> dict[str, int]: ...


C = TypeVar("C", bound=Config)
Key = tuple[Hashable, ...]  # what a configuration depends on; its text names the file it is kept in


@dataclass
class Log:
    """What was asked for in a block, and how long trials took."""

    trials: bool  # are they allowed?
    seconds: float = 0.0
    used: dict[str, None] = field(default_factory=dict)  # kernels and their configurations, in order

    def __str__(self) -> str:
        return "; ".join(self.used)


# Of the whole process, not of a thread: torch runs backward passes in threads of its own.
_log: Log | None = None  # of the `autotune()` that is open
_first = False  # inside `defaults()`
_found: dict[Key, Any] = {}  # what is on disk, or was tried; None for neither


@contextmanager
def autotune(*, trials: bool = True) -> Iterator[Log]:
    """What calls in this block use is told; with `trials` they measure what was not tried before.

    Inside `defaults()` none does.
    """
    global _log
    before, _log = _log, Log(trials)
    try:
        yield _log
    finally:
        _log = before


@contextmanager
def defaults() -> Iterator[None]:
    """Calls in this block take the first of every list, whatever was found before."""
    global _first
    before, _first = _first, True
    try:
        yield
    finally:
        _first = before


def spent() -> float:
    """Seconds of trials so far in the `autotune()` that is open."""
    return _log.seconds if _log is not None else 0.0


def chosen(
    kernel: str, key: Key, configs: Sequence[C], time: Callable[[C], float], *, trials: bool = True
) -> C:
    """The configuration to launch this kernel with.

    Args:
        kernel: its name.
        key: device, compiler, and what decides of the problem: never all of its sizes.
        configs: those worth a trial; the first is the default.
        time: seconds of one launch with a configuration, asked for several times; what it raises the
            first time, when the kernel is compiled, rules that one out.
        trials: whether this call may measure, where `autotune()` wants it.
    """
    config = configs[0] if _first else _look_up((kernel, *key), configs, time, trials)
    if _log is not None:
        numbers = " ".join(f"{name}={value}" for name, value in config._asdict().items())
        _log.used[f"{kernel} {numbers}"] = None
    return config


def _look_up(key: Key, configs: Sequence[C], time: Callable[[C], float], trials: bool) -> C:
    if key not in _found:
        _found[key] = _kept(key, configs)
    if _found[key] is None and trials and _log is not None and _log.trials and len(configs) > 1:
        _found[key] = _fastest(key, configs, time, _log)
    return _found[key] or configs[0]


def _fastest(key: Key, configs: Sequence[C], time: Callable[[C], float], log: Log) -> C | None:
    """Kept on disk, too; None where none could be timed."""
    start = monotonic()
    able = [config for config in configs if _runs(str(key[0]), config, time)]
    seconds = _in_turn(able, time) if able else {}
    log.seconds += monotonic() - start
    if not able:
        return None
    best = min(seconds, key=lambda config: seconds[config])
    if configs[0] in seconds and seconds[configs[0]] * RATHER <= seconds[best]:
        best = configs[0]
    _keep(key, best, seconds)
    return best


def _runs(kernel: str, config: C, time: Callable[[C], float]) -> bool:
    """Whether a kernel can be compiled and launched with a configuration."""
    try:
        time(config)
    except Exception as error:  # the compiler's and the driver's, of many kinds
        reason = str(error).partition("\n")[0]
        warnings.warn(f"{kernel} cannot be timed with {config}: {reason}", stacklevel=2)
        return False
    return True


def _in_turn(configs: Sequence[C], time: Callable[[C], float]) -> dict[C, float]:
    """Medians over rounds in which each has its turn, so that what changes meanwhile meets all alike."""
    end = monotonic() + WARM_S
    while monotonic() < end:
        time(configs[0])
    rounds = [{config: time(config) for config in configs} for _ in range(ROUNDS)]
    return {config: median(each[config] for each in rounds) for config in configs}


def _kept(key: Key, configs: Sequence[C]) -> C | None:
    """Return the configuration on disk, if it is still worth a trial."""
    try:
        config = json.loads(_file(key).read_text(encoding="utf-8"))["config"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return next((known for known in configs if known._asdict() == config), None)


def _keep(key: Key, config: C, trials: Mapping[C, float]) -> None:
    """Write a configuration whole or not at all, whatever else writes there."""
    told = {
        "key": list(key),
        "config": config._asdict(),
        "trials": [tried._asdict() | {"seconds": seconds} for tried, seconds in trials.items()],
    }
    path = _file(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as aside:
            aside.write_text(json.dumps(told, indent=1), encoding="utf-8")
    except OSError as error:
        warnings.warn(f"{path} cannot be kept: {error}", stacklevel=2)


def folder() -> Path:
    """Return the folder where configurations are kept."""
    return Path(os.environ.get(CACHE) or user_cache_path("halobench")) / "tuned"


def _file(key: Key) -> Path:
    return folder() / f"{hashlib.sha256(json.dumps(list(key)).encode()).hexdigest()[:32]}.json"
