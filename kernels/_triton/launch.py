"""How the Triton kernels are launched, and where tensors lie: what depends on shapes and strides is kept."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from math import gcd
from typing import Any, NamedTuple

import torch
from torch import Tensor

from halobench.attention.autotune import chosen
from halobench.device.clock import Clock
from halobench.device.cuda import cold_clock

from .configs import INTERPRETER, Config

KEPT = not torch.version.hip  # there Triton compiles for the size of a tensor's memory, too


class Place(NamedTuple):
    """Shape and strides of a tensor b h y x d, in elements."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]


def place(x: Tensor) -> Place:
    return Place(tuple(x.shape), x.stride())


def like(x: Place, dim: int) -> Place:
    """Return a place with another number of channels, in the same order of axes in memory, without gaps."""
    order = sorted(range(len(x.strides)), key=lambda axis: (-x.strides[axis], axis))
    shape, strides, step = (*x.shape[:-1], dim), dict.fromkeys(order, 0), 1
    for axis in reversed(order):
        strides[axis] = step
        step *= max(1, shape[axis])
    return Place(shape, tuple(strides[axis] for axis in range(len(shape))))


def empty(x: Place, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.empty_strided(x.shape, x.strides, dtype=dtype, device=device)


def counted(*places: Place) -> tuple[int, list[int]]:
    """The strides of all axes of these tensors, and the unit that those of all but channels are counted in.

    The compiler knows of a number only whether it is a multiple of 16, and loads element by element where a
    stride is not: of 8 channels, say. In a unit that divides all strides it learns what they share. Where an
    axis has one position any stride will do, and 0 divides best.
    """
    strides = [
        [stride if size > 1 else 0 for size, stride in zip(x.shape[:-1], x.strides, strict=False)]
        for x in places
    ]
    shared = unit(number for numbers in strides for number in numbers)
    found = (
        (*(number // shared for number in numbers), x.strides[-1])
        for numbers, x in zip(strides, places, strict=True)
    )
    return shared, [number for numbers in found for number in numbers]


def unit(strides: Iterable[int]) -> int:
    """What strides are counted in: 8 elements are as wide as a load of half precision can be."""
    strides = list(strides)
    return 1 if gcd(16, *strides) == 16 else gcd(8, *strides)


def wide(window: int, *places: Place) -> bool:
    """Must offsets inside a window be 64 bits wide?"""
    reaches = [
        sum((min(window, x.shape[axis]) - 1) * x.strides[axis] for axis in (2, 3))
        + (x.shape[4] - 1) * x.strides[4]
        for x in places
    ]
    return max(reaches) >= 2**31


class Launch:
    """A kernel with its programs, numbers and constants: only tensors are left to be given.

    What Triton compiled at the first launch is launched again without asking Triton which kernel is meant. It
    was compiled for pointers that are multiples of 16, or that are not: it is kept for those that all are.
    """

    def __init__(
        self,
        kernel: Any,
        programs: int,
        numbers: Iterable[int],
        constants: dict[str, Any],
        options: dict[str, int],
    ) -> None:
        self._kernel, self._grid = kernel, (programs, 1, 1)
        self._numbers, self._constants, self._options = tuple(numbers), constants, options
        ordered = (constants[name] for name in kernel.arg_names[-len(constants) :])
        self._rest = (*self._numbers, *ordered)
        self._compiled: Any = None

    def __call__(self, *tensors: Tensor) -> None:
        aligned = not any(x.data_ptr() % 16 for x in tensors)
        if aligned and self._compiled is not None:
            self._compiled[self._grid](*tensors, *self._rest)
            return
        compiled = self._kernel[self._grid](*tensors, *self._numbers, **self._constants, **self._options)
        if aligned and KEPT:
            self._compiled = compiled


class Choice:
    """The configurations of a kernel for a kind of problem, and what each is launched by."""

    def __init__(
        self, name: str, key: tuple[Any, ...], every: list[Config], make: Callable[[Config], Any]
    ) -> None:
        self._name, self._key, self._every, self._make = name, key, every, make
        self._made: dict[Config, Any] = {}

    def of(self, config: Config) -> Any:
        if config not in self._made:
            self._made[config] = self._make(config)
        return self._made[config]

    def taken(self, call: Callable[[Any], object]) -> Any:
        """What `make` gave for the configuration to use; `call` tries one out."""
        if INTERPRETER in self._key:
            return self.of(self._every[0])

        clocks: list[Clock] = []

        def time(config: Config) -> float:
            if not clocks:
                clocks.append(cold_clock())
            (sample,) = clocks[0].series(lambda: call(self.of(config)), 1)
            return sample.device_s

        trials = not torch.cuda.is_current_stream_capturing()
        return self.of(chosen(self._name, self._key, self._every, time, trials=trials))


_eyes: dict[tuple[int, torch.dtype, torch.device], Tensor] = {}


def eye(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """An identity, made once, but for a graph that is being captured: it would be there at a replay only."""
    key = size, dtype, device
    if (found := _eyes.get(key)) is not None:
        return found
    if device.type != "cuda":
        _eyes[key] = torch.eye(size, dtype=dtype, device=device)
    elif torch.cuda.is_current_stream_capturing():
        return torch.eye(size, dtype=dtype, device=device)
    else:  # in another thread: what outlives the call may not lie in the pool of a graph of torch.compile
        with ThreadPoolExecutor(1) as apart:
            _eyes[key] = apart.submit(_eye_on_a_gpu, *key).result()
    return _eyes[key]


def _eye_on_a_gpu(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    made = torch.eye(size, dtype=dtype, device=device)
    torch.cuda.current_stream(device).synchronize()  # other streams will read it
    return made


def on(device: torch.device) -> Any:
    """Triton launches on the current device."""
    if device.type != "cuda" or device.index == torch.cuda.current_device():
        return nullcontext()
    return torch.cuda.device(device)
