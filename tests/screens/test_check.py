from dataclasses import replace

import pytest
import torch

from halobench.attention import problem_sets, random_problems
from halobench.attention.implementation import IMPLEMENTATIONS, Implementation, runs_anywhere
from halobench.errors import UnknownName, UsageError
from halobench.registry import Registry
from halobench.screens import check

FEW = ("no position, no mask needed", "float64")


@pytest.fixture(autouse=True)
def few_problems(monkeypatch):
    """The others take seconds; `test_attention` asks all of them."""
    monkeypatch.setattr(check, "PROBLEMS", {name: problem_sets.PROBLEMS[name] for name in FEW})
    monkeypatch.setattr(random_problems, "ENOUGH", 5)


def only(*entries):
    """A registry of these."""
    registry = Registry("attention implementation", "no_such_group")
    for entry in entries:
        registry.add(entry.name, entry)
    return registry


def register(registered, attend, unsupported=runs_anywhere):
    registered(IMPLEMENTATIONS, "mine", Implementation("mine", attend, unsupported))


def right(*args):
    return IMPLEMENTATIONS["naive_global"].attend(*args)


def test_ours_are_right(capsys):
    assert check.show(["haloed_blocked", "naive_global"], ["float32"], "cpu") == 0
    out = capsys.readouterr().out
    assert "haloed_blocked" in out
    assert "naive_global" in out
    assert "wrong" not in out


@pytest.mark.parametrize(
    ("attend", "what"),
    [
        (lambda *args: right(*args) + 1, "out is off by"),
        (lambda q, k, *rest: right(q, k.detach(), *rest), "dk is off by"),
        (lambda *args: right(*args) * float("nan"), "is off by nan"),
    ],
    ids=["output", "gradient", "nan"],
)
def test_a_wrong_one_is_named_with_the_problem_and_what_is_off(registered, capsys, attend, what):
    register(registered, attend)
    assert check.show(["naive_global", "mine"], ["float32"], "cpu") == 1
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("wrong: "))
    assert line.startswith(f"wrong: mine, {FEW[0]}: ")
    assert what in line


def test_what_is_unsupported_is_counted_and_not_asked(registered, capsys):
    register(registered, None, lambda *asked: "needs a GPU")
    assert check.show(["mine"], ["float32"], "cpu") == 1
    (row,) = [line for line in capsys.readouterr().out.splitlines() if " mine " in line]
    assert row.split()[1:8:2] == ["mine", "float32", "0", "2"]


def test_what_can_not_run_here_at_all_does_not_count_among_all(registered, monkeypatch, capsys):
    register(registered, None, lambda *asked: "needs a GPU")
    monkeypatch.setattr(check, "IMPLEMENTATIONS", only(IMPLEMENTATIONS["mine"]))
    assert check.show(["all"], ["float32"], "cpu") == 0
    assert "proves little: mine, only 0 problems could be run (needs a GPU)" in capsys.readouterr().out


def own_block(q, k, v, position, problem):
    """Attention without a halo."""
    return right(q, k, v, position, replace(problem, halo=0))


def test_one_without_a_halo_is_found_on_problems_of_the_kind_it_claims(registered, capsys):
    def plain(problem, device, direction):
        claimed = (problem.border, problem.position, problem.stride) == ("mask", "none", 1)
        return None if claimed else "border mask, no position and stride 1 only"

    register(registered, own_block, plain)
    assert check.show(["mine"], ["float32"], "cpu") == 1
    assert "wrong: mine, random problem: Problem(" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        (
            lambda problem: problem == replace(problem_sets.PROBLEMS["float64"], dtype="float32"),
            "only 1 problems",
        ),
        (lambda problem: problem.halo == 0, "no problem with several blocks and a halo could be run"),
    ],
    ids=["few", "no halo"],
)
def test_being_right_on_little_proves_little(registered, monkeypatch, capsys, claims, said):
    monkeypatch.setattr(random_problems, "DRAWN", 60)
    register(registered, right, lambda problem, *place: None if claims(problem) else "others")
    assert check.show(["mine"], ["float32"], "cpu") == 1
    assert f"proves little: mine, {said}" in capsys.readouterr().out


def test_one_that_changes_its_inputs_is_wrong_and_the_next_is_right(registered, capsys):
    def scales(q, *others):
        out = right(q, *others)
        q.detach().mul_(2)
        return out

    register(registered, scales)
    assert check.show(["mine", "naive_global"], ["float32"], "cpu") == 1
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("wrong: "))
    assert line.startswith(f"wrong: mine, {FEW[0]}: ")


def test_all_is_every_implementation_in_every_dtype(monkeypatch, capsys):
    monkeypatch.setattr(check, "PROBLEMS", {FEW[0]: problem_sets.PROBLEMS[FEW[0]]})
    known = [IMPLEMENTATIONS[name] for name in ("haloed_blocked", "naive_global")]
    monkeypatch.setattr(check, "IMPLEMENTATIONS", only(*known))
    assert check.show(["all"], ["float32", "bfloat16"], "cpu") == 0
    words = capsys.readouterr().out.split()
    assert all(words.count(entry.name) == 2 for entry in known)


def test_an_unknown_implementation_names_the_known():
    with pytest.raises(UnknownName, match=r"no attention implementation 'naive'; there are: .*naive_global"):
        check.show(["naive"], ["float32"], "cpu")


def test_an_unknown_dtype_names_the_known():
    with pytest.raises(
        UsageError, match="dtype: 'float8' must be one of float32, float16, bfloat16, float64"
    ):
        check.show(["naive_global"], ["float8"], "cpu")


def test_a_device_that_is_not_there_names_what_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="this machine has no cuda; there is: cpu"):
        check.show(["naive_global"], ["float32"], "cuda")


def test_an_error_that_stays_with_the_device_is_nobody_elses_and_nobody_looks_right_for_it(
    registered, monkeypatch, capsys
):
    asked = []

    def spoils(*args):
        asked.append("mine")
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    register(registered, spoils)
    monkeypatch.setattr(check, "answers", lambda device: not asked)
    assert check.show(["mine", "haloed_blocked"], ["float32", "bfloat16"], "cpu") == 1
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("wrong: ")]
    assert asked == ["mine"]
    assert told[0].endswith("RuntimeError: CUDA error: an illegal memory access was encountered")
    assert told[1:] == [
        f"wrong: {name}, not asked further: {check.SPOILT}"
        for name in ("haloed_blocked", "mine", "haloed_blocked")
    ]
