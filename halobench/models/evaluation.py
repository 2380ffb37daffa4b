"""How often a network is right: weights into it, images through it, the rank of each one's class out."""

import hashlib
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import timm
import torch
from PIL import Image
from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset
from timm.data.transforms_factory import create_transform
from timm.models import load_state_dict
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import datasets

from halobench.errors import UsageError
from halobench.models.zoo import TIMM

HUB = "hub"
CUT = 200  # characters of a line of torch's about weights that do not fit: it names them all


class Row(NamedTuple):
    """An image's result: its class, the predicted class, and the rank of its own among the logits, from 1."""

    image: str
    label: int
    prediction: int
    rank: int


class UnreadableImageError(UsageError):
    """Names the file, without the traceback that a process which loads images puts around it."""

    def __init__(self, message: str) -> None:
        super().__init__(message.rpartition(f"{type(self).__name__}: ")[2].strip())


def load(network: nn.Module, name: str, weights: str) -> None:
    """Fill a network of the zoo, in place and strictly; whatever attention it has inside.

    Args:
        network: of this name in the zoo.
        name: as `halobench list` has it.
        weights: `hub`, for timm's, of the tag in the name or of the default one; or a file, safetensors or
            pickled: a state dict, or a dict with one as `state_dict_ema`, `model_ema`, `state_dict` or
            `model`, the first of these.

    Raises:
        UsageError: there is no such file, or the hub cannot be reached.
        UsageError: the hub has none, the file has more than plain values in it (which is not run), or they
            are not this network's.
    """
    state = _from_hub(name) if weights == HUB else _from_file(Path(weights))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:  # a line for what is missing, one for what is too much, one a shape
        lines = [textwrap.shorten(line, CUT, placeholder=" …") for line in str(error).splitlines()[1:4]]
        raise UsageError(f"weights: {weights} does not fit {name}: {' '.join(lines)}") from error


def on_hub(name: str) -> str:
    """The whole name of the weights that the hub has of a network: timm's default tag where it has none.

    Raises:
        UsageError: it has none.
    """
    config = timm.get_pretrained_cfg(name.removeprefix(TIMM)) if name.startswith(TIMM) else None
    if config is None or not config.hf_hub_id:
        raise UsageError(f"weights: the hub has none of {name}; give a file")
    return name if "." in name or not config.tag else f"{name}.{config.tag}"


def _from_hub(name: str) -> dict[str, Any]:
    weights = on_hub(name).removeprefix(TIMM)
    # Without an address timm takes them from the hub alone, and from there nothing but weights is unpickled.
    return timm.create_model(weights, pretrained=True, pretrained_cfg_overlay={"url": ""}).state_dict()


def _from_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UsageError(f"weights: there is no file {path}; give one, or {HUB}")
    try:
        return load_state_dict(str(path), weights_only=True)
    except Exception as error:  # a damaged file makes its readers raise anything
        reason = ". ".join(str(error).split(". ")[:2])
        name = type(error).__name__
        raise UsageError(f"weights: {path} cannot be read as weights alone: {name}: {reason}") from error


def digest(network: nn.Module) -> str:
    """The SHA-256 of weights on the CPU and their names, whatever file they came from."""
    found = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        found.update(name.encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()


def folder(data: Path, preprocessing: dict[str, Any]) -> datasets.ImageFolder:
    """The images in the class folders of `data`, sorted by name, preprocessed as timm does."""
    try:
        return datasets.ImageFolder(data, create_transform(**preprocessing), loader=_read)
    except OSError as error:
        raise UsageError(f"data: {error}") from None


def _read(path: str) -> Any:
    try:
        return datasets.folder.default_loader(path)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableImageError(f"{path} cannot be read as an image: {error}") from error


def labelled(dataset: datasets.ImageFolder, classes: int) -> list[tuple[str, int]]:
    """Each image, by its path in the folder, and which of a network's classes it belongs to.

    Folders named as ImageNet's classes are (n01440764, …) may be a part of them. Of other names there must
    be as many as the network has classes; the order of the names is theirs.
    """
    subset = infer_imagenet_subset({"num_classes": classes})
    places = {name: place for place, name in enumerate(ImageNetInfo(subset).label_names() if subset else [])}
    if not places.keys() >= set(dataset.classes):
        if len(dataset.classes) != classes:
            raise UsageError(
                f"data: {dataset.root} has {len(dataset.classes)} class folders ({dataset.classes[0]}, …), "
                f"the network {classes} classes; give as many, or some named as ImageNet's (n01440764, …)"
            )
        places = dataset.class_to_idx
    return [
        (os.path.relpath(path, dataset.root), places[dataset.classes[target]])
        for path, target in dataset.samples
    ]


def evaluated(
    network: nn.Module, batches: DataLoader[tuple[Tensor, Tensor]], images: list[tuple[str, int]]
) -> Iterator[list[Row]]:
    """Rows of these images, whose pixels the batches have, a batch at a time.

    Raises:
        UsageError: an image that cannot be read, or whose logits are not finite.
    """
    like, start = next(network.parameters()), 0
    for pixels, _ in batches:
        part = images[start : start + len(pixels)]
        start += len(pixels)
        with torch.inference_mode():
            logits = network(pixels.to(like)).cpu()
        finite = logits.isfinite().all(1)
        if not finite.all():
            image, _ = part[finite.int().argmin()]
            raise UsageError(f"{image}: its logits are not finite; is {like.dtype} too narrow?")
        predictions, ranks = ranked(logits, torch.tensor([label for _, label in part]))
        yield [Row(*known, *found) for known, *found in zip(part, predictions, ranks, strict=True)]


def ranked(logits: Tensor, labels: Tensor) -> tuple[list[int], list[int]]:
    """Return the predicted class of logits `(batch, classes)`, and the rank of the right one, from 1.

    Of equal logits those of the first classes come first, on every device.
    """
    order = logits.argsort(dim=1, descending=True, stable=True)
    return order[:, 0].tolist(), ((order == labels[:, None]).int().argmax(1) + 1).tolist()
