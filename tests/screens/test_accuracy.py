import io
import json
import os
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import timm
import torch
from colours import BLUE, GREEN, NAME, RED, WEIGHTS, WRONG, Colours, paint
from PIL import Image
from rich.console import Console
from safetensors.torch import save_file
from timm.data.config import resolve_data_config
from timm.data.transforms_factory import create_transform

from halobench.errors import UsageError
from halobench.models import evaluation, evaluation_log, zoo
from halobench.screens import accuracy

# Label, prediction, rank. Of a red image the logits of class 0 come first, by its weight, then of 3 and 4 by
# their bias, of 2 and 1, of 5 by its bias; of a green one 1 3 4 2 0 5, of a blue one 2 3 4 1 0 5.
IMAGES = {
    "a/0.png": (RED, (0, 0, 1)),
    "a/1.png": (GREEN, (0, 1, 5)),
    "b/0.png": (GREEN, (1, 1, 1)),
    "b/1.png": (RED, (1, 0, 5)),
    "c/0.png": (BLUE, (2, 2, 1)),
    "c/1.png": (RED, (2, 0, 4)),
    "d/0.png": (RED, (3, 0, 2)),
    "e/0.png": (RED, (4, 0, 3)),
    "f/0.png": (RED, (5, 0, 6)),
    "f/1.png": (BLUE, (5, 2, 6)),
}
ROWS = [[name, *map(str, numbers)] for name, (_, numbers) in IMAGES.items()]
OUT = Path("rows.csv")


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """Images in `data`, weights for Colours, and all other names of files, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    for name, (colour, _) in IMAGES.items():
        paint(f"data/{name}", colour)
    save_file(WEIGHTS, "right.safetensors")


@pytest.fixture
def network(monkeypatch):
    """What the zoo makes, whatever it is asked for."""
    made = Colours()
    monkeypatch.setattr(zoo, "create", lambda *asked: made)
    return made


@pytest.fixture
def show(capsys):
    """Evaluate; what is printed."""
    usual = {"weights": "right.safetensors", "implementation": None, "image_size": None, "batch": 4}
    usual |= {"dtype": "float32", "device": "cpu", "workers": 0, "out": None}

    def call(model=NAME, data="data", **options):
        assert accuracy.show(model, Path(data), **usual | options) == 0
        return capsys.readouterr().out

    return call


def rows():
    return [line.split(",") for line in OUT.read_text().splitlines()[2:]]


def settings():
    return json.loads(OUT.read_text().splitlines()[0].removeprefix(evaluation_log.MARK))


def cells(out, name):
    (line,) = (line for line in out.splitlines() if line.startswith(f"│ {name} "))
    return [cell.strip() for cell in line.strip("│").split("│")][1:]


def test_every_image_has_the_rank_that_is_known_by_hand(network, show):
    show(out=OUT)
    assert rows() == ROWS
    assert network.seen == [(torch.float32, False)] * len(ROWS)


def test_fractions_have_their_wilson_interval_and_what_is_published_beside_them(network, show):
    out = show()
    assert cells(out, "top-1") == ["3 of 10", "30.0%", "10.8% to 60.3%", "80.4% [1]"]
    assert cells(out, "top-5") == ["8 of 10", "80.0%", "49.0% to 94.3%", "-"]
    cite = "[1] resnet50.a1_in1k: timm aa4b5850 results/results-imagenet.csv"
    assert out.splitlines()[-1] == f"{cite}; right.safetensors may hold other weights"


@pytest.fixture
def hub(monkeypatch, show):
    """As if it had been asked for weights, whatever they are."""
    monkeypatch.setattr(evaluation, "load", lambda *asked: None)
    return partial(show, weights="hub", out=OUT)


@pytest.mark.parametrize(
    ("model", "weights", "top1"),
    [
        ("timm/tf_efficientnet_b1", "tf_efficientnet_b1.ns_jft_in1k", "81.4% [1]"),
        ("timm/tf_efficientnet_b1.aa_in1k", "tf_efficientnet_b1.aa_in1k", "78.8% [1]"),
    ],
)
def test_of_the_hub_the_figure_is_that_of_its_very_weights(network, hub, model, weights, top1):
    out = hub(model)
    assert cells(out, "top-1")[-1] == top1
    assert out.splitlines()[-1] == f"[1] {weights}: timm aa4b5850 results/results-imagenet.csv"
    assert settings()["weights"] == f"timm/{weights}"


def test_weights_of_the_hub_that_nobody_published_a_figure_of_have_none(network, hub):
    out = hub("timm/resnet50.a1_in1k", image_size=200)
    assert cells(out, "top-1")[-1] == "-"


def test_a_figure_that_nobody_read_in_its_source_says_so(network, show):
    assert "halonet/README.md (second hand, not verified); " in show("halonet_h0").splitlines()[-1]


def test_how_far_it_is_is_said_now_and_then(network, show, monkeypatch):
    monkeypatch.setattr(accuracy, "TOLD", 2)
    lines = [line for line in show(batch=1).splitlines() if line.endswith("batches evaluated")]
    assert lines == ["[5/10] batches evaluated", "[10/10] batches evaluated"]


def test_on_a_terminal_there_is_a_bar(network, show, monkeypatch):
    screen = Console(force_terminal=True, file=io.StringIO())
    monkeypatch.setattr(accuracy, "console", lambda: screen)
    show()
    assert "evaluating" in screen.file.getvalue()
    assert "batches evaluated" not in screen.file.getvalue()


def test_for_another_image_size_nothing_is_published(network, show):
    assert cells(show(image_size=64), "top-1")[-1] == "-"


def test_there_are_no_best_five_of_three_classes(monkeypatch, show):
    monkeypatch.setattr(zoo, "create", lambda *asked: Colours(3))
    save_file({name: tensor[:3].clone() for name, tensor in WEIGHTS.items()}, "three.safetensors")
    for name, colour in {"a": RED, "b": RED, "c": BLUE}.items():
        paint(f"three/{name}/0.png", colour)
    out = show(data="three", weights="three.safetensors")
    assert cells(out, "top-1")[0] == "2 of 3"
    assert cells(out, "top-5") == ["-"] * 4


def test_preprocessing_is_timms_for_its_networks(network, show):
    network.pretrained_cfg = {"crop_pct": 0.9, "interpolation": "bilinear", "mean": (0.5,) * 3}
    out = show(out=OUT)
    used = settings()["preprocessing"]
    assert (used["input_size"], used["crop_pct"], used["mean"]) == ([3, 224, 224], 0.9, [0.5] * 3)
    assert "'interpolation': 'bilinear'" in out


@pytest.mark.parametrize(("image_size", "crop"), [(176, 0.875), (224, 0.965)])
def test_at_the_size_of_timms_own_tests_images_are_cut_as_there(network, show, image_size, crop):
    network.pretrained_cfg = timm.get_pretrained_cfg("resnet50.tv2_in1k").to_dict()
    show("timm/resnet50.tv2_in1k", image_size=image_size, out=OUT)
    assert settings()["preprocessing"]["crop_pct"] == crop


def test_preprocessing_of_the_papers_is_that_of_imagenet(network, show):
    show("halonet_h0", out=OUT)
    used = settings()["preprocessing"]
    assert (used["input_size"], used["crop_pct"], used["interpolation"]) == ([3, 256, 256], 0.875, "bicubic")
    assert (used["mean"], used["std"]) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def test_the_dtype_is_that_of_the_network_and_of_the_images(network, show):
    show(dtype="bfloat16")
    assert network.head.weight.dtype == torch.bfloat16
    assert {dtype for dtype, _ in network.seen} == {torch.bfloat16}


def test_auto_is_kept_as_what_it_means(network, show):
    show("halonet_h0", out=OUT)
    assert settings()["implementation"] == "haloed_chunked"


@pytest.fixture
def interrupted(network, show):
    """Evaluate the first batch, four images, and no more."""

    def stop(module, images):
        if network.seen:
            raise KeyboardInterrupt

    hook = network.register_forward_pre_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        show(out=OUT)
    hook.remove()
    network.seen.clear()


@pytest.mark.usefixtures("interrupted")
def test_an_interrupted_evaluation_goes_on_and_does_no_image_twice(network, show):
    assert rows() == ROWS[:4]
    out = show(out=OUT, batch=5)
    assert rows() == ROWS
    assert len(network.seen) == 6
    assert "evaluated before: 4\n" in out
    assert cells(out, "top-5")[0] == "8 of 10"
    assert cells(show(out=OUT), "top-5")[0] == "8 of 10"
    assert len(network.seen) == 6


@pytest.mark.usefixtures("interrupted")
def test_a_last_line_that_was_cut_off_is_done_again(show):
    content = OUT.read_bytes()
    for cut in range(1, len("b/1.png,1,0,5\n") + 1):
        OUT.write_bytes(content[:-cut])
        show(out=OUT)
        assert rows() == ROWS


OTHERS = {
    "dtype": ({"dtype": "float64"}, "dtype float32, not float64"),
    "image size": ({"image_size": 64}, "preprocessing .*224.*, not .*64"),
    "model": ({"model": "timm/resnet26t"}, "model timm/resnet50, not timm/resnet26t; "),
    "weights": ({"weights": "other.safetensors"}, "weights right.safetensors, not other.*; sha256 "),
}


@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize(("options", "words"), OTHERS.values(), ids=OTHERS)
def test_another_evaluation_does_not_go_on_in_the_file(show, options, words):
    save_file(WRONG, "other.safetensors")
    before = OUT.read_bytes()
    with pytest.raises(UsageError, match=f"holds an evaluation with .*{words}.*; choose another file"):
        show(out=OUT, **options)
    assert OUT.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (b"caf\xe9.png", r"a/caf\xe9.png"),
        ("café.png".encode(), "a/café.png"),
        (b"two\nlines.png", r"a/two\nlines.png"),
        (b"one\rline.png", r"a/one\rline.png"),
        (b"back\\slash.png", r"a/back\\slash.png"),
        ("\x85 \u2028.png".encode(), "a/\x85 \u2028.png"),
    ],
)
def test_an_image_of_any_name_has_its_row_and_is_not_done_twice(network, show, name, told):
    os.rename(b"data/a/0.png", b"data/a/" + name)
    show(out=OUT)
    found = pd.read_csv(OUT, skiprows=1, lineterminator="\n")
    assert told in found["image"].tolist()
    assert len(found) == len(ROWS)
    evaluated = len(network.seen)
    show(out=OUT)
    assert len(network.seen) == evaluated


@pytest.mark.usefixtures("interrupted")
def test_other_images_do_not_go_on_in_the_file(show):
    Path("data/a/0.png").rename("data/a/2.png")
    with pytest.raises(UsageError, match=r"rows\.csv holds other images than .*data; choose another file"):
        show(out=OUT)


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("content", [b"", b"mine", b"a,b\n1,2\n", b"\xff\n"])
def test_a_file_of_something_else_is_left_alone(show, content):
    OUT.write_bytes(content)
    with pytest.raises(UsageError, match=r"rows\.csv holds no evaluation; choose another file"):
        show(out=OUT)
    assert OUT.read_bytes() == content


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_can_not_be_read_is_named_in_one_line(network, show, workers):
    Path("data/c/0.png").write_bytes(Path("data/c/0.png").read_bytes()[:40])
    with pytest.raises(UsageError, match=r"^data/c/0\.png cannot be read as an image: .*\Z"):
        show(workers=workers)


def test_logits_that_are_not_finite_are_no_result(network, show):
    save_file(WEIGHTS | {"head.bias": torch.full((6,), torch.nan)}, "nan.safetensors")
    with pytest.raises(
        UsageError, match=r"a/0\.png: its logits are not finite; is torch\.float32 too narrow"
    ):
        show(weights="nan.safetensors", out=OUT)
    assert rows() == []


BAD_USE = {
    "dtype": ({"dtype": "float8"}, "dtype: 'float8' must be one of float32, float16"),
    "batch": ({"batch": 0}, "batch must be 1 or more, not 0"),
    "image size": ({"model": "timm/halonet26t", "image_size": 100}, "takes no images of 100 px"),
    "device": ({"device": "tpu"}, "this machine has no tpu"),
    "implementation": ({"implementation": "haloed_blocked"}, f"{NAME} has no halo attention inside"),
    "weights": ({"weights": "missing.pth"}, r"there is no file missing\.pth; give one, or hub"),
    "data": ({"data": "missing"}, "missing"),
    "no classes": ({"data": "data/a"}, "any class folder in data/a"),
}


@pytest.mark.parametrize(("options", "words"), BAD_USE.values(), ids=BAD_USE)
def test_bad_use_is_answered_before_anything_is_evaluated(network, show, options, words):
    with pytest.raises(UsageError, match=words):
        show(**options)
    assert network.seen == []


@pytest.fixture(scope="module")
def halonet(tmp_path_factory):
    """Weights and images of noise, and their ranks: by a loop over timm's own network, in float64."""
    folder = tmp_path_factory.mktemp("halonet")
    torch.manual_seed(7)
    made = timm.create_model("halonet26t", zero_init_last=False).eval()
    save_file(made.state_dict(), folder / "weights.safetensors")
    made.double()
    transform, found = create_transform(**resolve_data_config(model=made)), []
    for name, label in {"n01440764/0.png": 0, "n03042490/0.png": 500}.items():
        image = Image.fromarray(torch.randint(256, (280, 260, 3), dtype=torch.uint8).numpy())
        (folder / "data" / name).parent.mkdir(parents=True)
        image.save(folder / "data" / name)
        with torch.no_grad():
            (logits,) = made(transform(image).double()[None])
        found.append(
            [name, *map(str, (label, int(logits.argmax()), 1 + int((logits > logits[label]).sum())))]
        )
    return folder, found


@pytest.mark.parametrize("implementation", ["original", "haloed_blocked", "haloed_chunked"])
def test_timms_weights_give_the_same_ranks_with_any_attention_inside(show, halonet, implementation):
    folder, expected = halonet
    options = {"weights": str(folder / "weights.safetensors"), "dtype": "float64", "out": OUT}
    show("timm/halonet26t", folder / "data", implementation=implementation, **options)
    assert rows() == expected
    assert settings()["implementation"] == implementation
