import argparse
import pickle
from pathlib import Path

import pytest
import torch
from colours import NAME, RED, WEIGHTS, WRONG, Colours, paint
from safetensors.torch import save_file
from timm.models import _builder

from halobench.errors import UsageError
from halobench.models import evaluation, zoo


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """All names of files are in a folder of its own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def network():
    return Colours()


CHECKPOINTS = {
    "a state dict": WEIGHTS,
    "under a key": {"state_dict": WEIGHTS, "epoch": 3},
    "of a training of timm's": {"model": WEIGHTS, "args": argparse.Namespace(lr=0.1)},
    "averaged, beside others": {"state_dict": WRONG, "state_dict_ema": WEIGHTS},
    "of a parallel training": {f"module.{name}": tensor for name, tensor in WEIGHTS.items()},
}


@pytest.mark.parametrize("checkpoint", CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_weights_may_be(network, checkpoint):
    torch.save(checkpoint, "checkpoint.pth")
    evaluation.load(network, NAME, "checkpoint.pth")
    torch.testing.assert_close(dict(network.state_dict()), WEIGHTS, atol=0, rtol=0)


class Touch:
    """Makes a file when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("ran"),)


@pytest.mark.parametrize("zipped", [True, False], ids=["zipped", "legacy"])
def test_a_pickle_that_runs_code_is_refused_and_not_run(network, zipped):
    torch.save(WEIGHTS | {"head.bias": Touch()}, "bad.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(UsageError, match=r"weights: bad\.pth cannot be read as weights alone: .*blocked"):
        evaluation.load(network, NAME, "bad.pth")
    assert not Path("ran").exists()
    torch.load("bad.pth", weights_only=False)
    assert Path("ran").exists()


DAMAGED = {
    "nothing": ("bad.pth", b""),
    "text": ("bad.pth", b"<html>not found</html>"),
    "a list": ("bad.pth", pickle.dumps([1], protocol=2)),
    "not what its name says": ("bad.safetensors", b"\0" * 20),
}


@pytest.mark.parametrize(("name", "content"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_of_weights_is_named(network, name, content):
    Path(name).write_bytes(content)
    with pytest.raises(UsageError, match=rf"weights: {name} cannot be read as weights alone: \w+Error: "):
        evaluation.load(network, NAME, name)


MISFITS = {
    "missing": ({"head.bias": torch.zeros(6)}, 'Missing key.*"head.weight"'),
    "too many": (WEIGHTS | {"tail": torch.zeros(1)}, 'Unexpected key.*"tail"'),
    "of five classes": (
        {name: tensor[:5].clone() for name, tensor in WEIGHTS.items()},
        r"\[5, 3\].*\[6, 3\]",
    ),
    "of a large network": ({f"layer{i}.weight": torch.zeros(1) for i in range(99)}, r'"layer0\.weight".* …$'),
}


@pytest.mark.parametrize(("state", "words"), MISFITS.values(), ids=MISFITS)
def test_weights_that_do_not_fit_are_named(network, state, words):
    save_file(state, "other.safetensors")
    with pytest.raises(UsageError, match=rf"other\.safetensors does not fit {NAME}: .*{words}") as refused:
        evaluation.load(network, NAME, "other.safetensors")
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize("name", ["halonet_h0", "timm/halonet_h1"])
def test_what_the_hub_does_not_have_is_said(network, name):
    with pytest.raises(UsageError, match=f"the hub has none of {name}; give a file"):
        evaluation.load(network, name, "hub")


def test_weights_of_the_hub_are_taken_from_nowhere_else(monkeypatch):
    name, asked = "timm/lcnet_050", []
    there, here = zoo.create(name), zoo.create(name)

    def fetch(repository, **how):
        asked.append((repository, how["weights_only"]))
        return there.state_dict()

    monkeypatch.setattr(_builder, "_USE_OLD_CACHE", True)
    monkeypatch.setattr(_builder, "check_cached_file", lambda address: True)
    monkeypatch.setattr(_builder, "load_state_dict_from_hf", fetch)
    evaluation.load(here, name, "hub")
    assert asked == [(evaluation.on_hub(name), True)] == [("timm/lcnet_050.ra2_in1k", True)]
    assert evaluation.digest(here) == evaluation.digest(there)


def test_folders_may_be_some_of_imagenet():
    for name in ("n03042490", "n01440764", "n15075141"):  # cliff dwelling, tench, toilet tissue
        paint(f"imagenet/{name}/0.png", RED)
    images = evaluation.labelled(evaluation.folder(Path("imagenet"), {}), 1000)
    assert images == [("n01440764/0.png", 0), ("n03042490/0.png", 500), ("n15075141/0.png", 999)]


@pytest.mark.parametrize("classes", [5, 7, 1000], ids=["too few", "too many", "those of ImageNet"])
def test_folders_of_other_names_are_as_many_as_the_classes(classes):
    for name in "abcdef":
        paint(f"data/{name}/0.png", RED)
    folder = evaluation.folder(Path("data"), {})
    with pytest.raises(
        UsageError, match=rf"has 6 class folders \(a, …\), the network {classes} classes; give"
    ):
        evaluation.labelled(folder, classes)


def test_of_equal_logits_those_of_the_first_classes_come_first():
    logits = torch.tensor([[1.0, 2, 2, 0], [0, 0, 0, 0], [3, 2, 1, 0]])
    assert evaluation.ranked(logits, torch.tensor([2, 3, 0])) == ([1, 0, 0], [2, 4, 1])
