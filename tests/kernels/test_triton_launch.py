"""What is kept between launches, with a compiler that only notes what it is asked."""

import pytest
import torch
from halobench_kernels._triton import launch as _triton_launch
from halobench_kernels._triton.launch import Launch, Place, counted, empty, like, place, unit, wide


class Kernel:
    """Takes two tensors, a number and two constants; what it compiles notes that it was launched."""

    arg_names = ("p_x", "p_y", "SIZE", "A", "B")

    def __init__(self):
        self.asked, self.launched = [], []

    def __getitem__(self, grid):
        def launch(*args, **named):
            self.asked.append((grid, args, named))
            return Compiled(self.launched)

        return launch


class Compiled:
    def __init__(self, launched):
        self._launched = launched

    def __getitem__(self, grid):
        return lambda *args: self._launched.append((grid, args))


@pytest.fixture
def kernel():
    return Kernel()


@pytest.fixture
def launch(kernel):
    return Launch(kernel, 7, (5,), {"B": 2, "A": 1}, {"num_warps": 4})


def test_the_first_launch_asks_the_compiler_and_the_next_what_it_gave(kernel, launch):
    x, y = torch.zeros(2, 8).unbind()
    assert x.data_ptr() % 16 == y.data_ptr() % 16 == 0
    for _ in range(3):
        launch(x, y)
    ((grid, args, named),) = kernel.asked
    assert (grid, args[2:], named) == ((7, 1, 1), (5,), {"A": 1, "B": 2, "num_warps": 4})
    assert [(grid, rest[2:]) for grid, rest in kernel.launched] == [((7, 1, 1), (5, 1, 2))] * 2
    assert all(given[0] is x and given[1] is y for _, given in kernel.launched)


def test_what_was_compiled_for_aligned_pointers_is_launched_with_no_others(kernel, launch):
    x, odd = torch.zeros(8), torch.zeros(9)[1:]
    assert odd.data_ptr() % 16
    launch(x, odd)
    launch(x, odd)
    launch(x, x)
    launch(x, odd)
    launch(x, x)
    assert len(kernel.asked) == 4
    assert len(kernel.launched) == 1


def test_where_the_size_of_memory_counts_nothing_is_kept(kernel, launch, monkeypatch):
    monkeypatch.setattr(_triton_launch, "KEPT", False)
    x = torch.zeros(8)
    launch(x, x)
    launch(x, x)
    assert (len(kernel.asked), kernel.launched) == (2, [])


@pytest.mark.parametrize(
    ("strides", "found"),
    [((16, 32, 512), 1), ((8, 64, 512), 8), ((96, 24, 768), 8), ((4, 12, 36), 4), ((3, 9), 1), ((0, 0), 1)],
)
def test_strides_are_counted_in_what_divides_them_all(strides, found):
    assert unit(strides) == found


def test_strides_are_told_in_their_unit_those_of_one_position_as_none_and_channels_as_they_are():
    x = torch.zeros(1, 4, 5, 6, 8).permute(0, 3, 1, 2, 4)  # b h y x d of a map in channels-last memory
    shared, strides = counted(place(x), place(torch.zeros(2, 1, 1, 1, 8)))
    assert shared == 8
    assert strides == [0, 1, 30, 6, 1, 1, 0, 0, 0, 1]


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (0, 2, 3, 1, 4), (0, 1, 4, 2, 3), (3, 0, 4, 1, 2)])
def test_what_is_like_another_has_its_order_of_axes_and_no_gaps(order):
    shape = (2, 3, 4, 5, 6)
    made = torch.zeros([shape[axis] for axis in order]).permute([order.index(axis) for axis in range(5)])
    assert like(place(made[:, :, ::2, 1:]), 6) == place(torch.empty_like(made[:, :, ::2, 1:]))
    other = like(place(made), 7)
    assert other.shape == (2, 3, 4, 5, 7)
    assert empty(other, torch.float32, made.device).permute(order).is_contiguous()


def test_offsets_are_wide_where_a_window_reaches_beyond_32_bits():
    near = Place((1, 1, 64, 64, 16), (2**40, 2**40, 1024, 16, 1))
    assert not wide(14, near)
    assert wide(14, near, near._replace(strides=(0, 0, 2**28, 16, 1)))


def test_an_identity_is_made_once():
    made = _triton_launch.eye(16, torch.float16, torch.device("cpu"))
    assert torch.equal(made, torch.eye(16, dtype=torch.float16))
    assert _triton_launch.eye(16, torch.float16, torch.device("cpu")) is made
