"""Training: recipes, the digits, the same curve with every implementation, and what the command writes."""

import sys
from dataclasses import fields, replace
from math import cos, inf, nan, pi

import pandas as pd
import pytest
import torch

from halobench.attention import HaloAttention
from halobench.errors import UnknownName, UsageError
from halobench.models.halonet import HaloNet
from halobench.results.published import published
from halobench.screens import train
from halobench.training import analysis, digits, experiment, recipe, trainer
from halobench.training.experiment import SMALL
from halobench.training.trainer import Learner, Run

TINY = replace(SMALL, width=8, stem_width=8)
SHORT = recipe.find("digits", epochs=2, batch=20)


@pytest.fixture(scope="module")
def data():
    return trainer.digits(SMALL.image_size)


@pytest.fixture(scope="module")
def few(data):
    """Three batches to learn from and one to be tested with."""
    (pixels, labels), (test_pixels, test_labels) = data
    chosen = torch.arange(0, 1437, 24)
    return (pixels[chosen], labels[chosen]), (test_pixels[::18], test_labels[::18])


def trained(few, implementation, dtype="float64", row=TINY):
    return list(trainer.train(Run("tiny", row, implementation, 0, dtype), SHORT, few))


def losses(epochs):
    return [loss for epoch in epochs for loss in epoch.losses]


@pytest.mark.parametrize("name", ["unfold_local", "haloed_blocked", "haloed_chunked", "sdpa_blocked"])
def test_every_implementation_learns_the_same(few, name):
    found = losses(trained(few, name))
    assert len(found) == 6
    assert found == pytest.approx(losses(trained(few, "naive_global")), rel=1e-9)


def test_the_same_seed_gives_the_same_curve_and_another_another(few):
    first, again = (trained(few, "haloed_chunked", "float32") for _ in range(2))
    assert [epoch[:2] for epoch in first] == [epoch[:2] for epoch in again]
    other = trainer.train(Run("tiny", TINY, "haloed_chunked", 1), SHORT, few)
    assert losses(other) != losses(first)


def test_learning_reaches_the_tables_of_relative_positions(few):
    network = HaloNet(TINY, "haloed_chunked", classes=10)
    Learner(network, SHORT, 3).step(*few[0])
    tables = [
        table
        for layer in network.modules()
        if isinstance(layer, HaloAttention)
        for table in (layer.rel_height, layer.rel_width)
    ]
    assert len(tables) == 4
    assert all(table.grad.abs().max() > 0 for table in tables)


def test_the_rate_warms_up_and_ends_at_a_part_of_itself():
    asked = replace(SHORT, learning_rate=1.0, warmup_epochs=2, epochs=6, divisor=128)
    rates = [asked.rate(step, steps=1) for step in range(6)]
    quarter = 1 / 128 + (1 - 1 / 128) * (1 + cos(pi / 4)) / 2
    assert rates[:4] == pytest.approx([0.5, 1, quarter, (1 + 1 / 128) / 2])
    assert rates[-1] == pytest.approx(1 / 128)
    assert replace(asked, warmup_epochs=0).rate(0, steps=1) < 1
    assert replace(asked, epochs=2).rate(1, steps=1) == 1  # nothing but warm-up


def test_the_optimizer_steps_at_that_rate(few):
    learner = Learner(HaloNet(TINY, "haloed_chunked", classes=10), SHORT, 3)
    for step in range(2):
        learner.step(*few[0])
        assert learner.optimizer.param_groups[0]["lr"] == SHORT.rate(step, 3)


def test_the_split_holds_as_many_of_each_digit_and_no_image_twice(data):
    (_, labels), (_, test_labels) = data
    assert torch.bincount(test_labels).tolist() == [36] * 10
    places = digits.split(torch.cat([labels, test_labels]))
    assert sorted(torch.cat(places).tolist()) == list(range(1797))
    again = digits.split(torch.cat([labels, test_labels]))
    assert all(torch.equal(*pair) for pair in zip(places, again, strict=True))


def test_images_are_moved_by_whole_pixels_and_repeat_their_edge():
    pixels = torch.arange(9.0).view(1, 1, 3, 3).expand(20, 1, 3, 3)
    moved = trainer.shifted(pixels, 1, torch.Generator().manual_seed(0))
    rows = [[0, 0, 1], [0, 1, 2], [1, 2, 2]]
    allowed = {tuple(3 * y + x for y in ys for x in xs) for ys in rows for xs in rows}
    found = {tuple(image.flatten().int().tolist()) for image in moved}
    assert found <= allowed
    assert len(found) > 4


@pytest.mark.parametrize("width", experiment.WIDTHS)
def test_convolution_in_place_of_attention_has_as_many_parameters(width):
    row = replace(SMALL, width=width, stem_width=width)
    plain = trainer.convolutional(row)
    assert not trainer.problems(plain, 1, "float32")
    assert trainer.params(plain) == pytest.approx(trainer.params(row), rel=0.02)


def test_the_second_stage_asks_every_second_query():
    asked = trainer.problems(SMALL, 60, "float64")
    assert [(p.height, p.stride, p.dim_qk, p.batch, p.dtype) for p in asked] == [
        (8, 1, 8, 60, "float64"),
        (8, 2, 8, 60, "float64"),
    ]


def test_what_can_not_learn_has_a_reason():
    run = Run("small", SMALL, "flex_blocks", 0, "float64")
    assert trainer.unsupported(run, 60) == "float64 is not supported"
    assert trainer.unsupported(Run("plain", trainer.convolutional(TINY), "", 0), 60) is None


def test_the_rate_of_the_paper_is_a_tenth_for_256_images():
    asked = recipe.find("imagenet")
    assert asked.learning_rate == pytest.approx(0.1 * asked.batch / 256)
    assert (asked.epochs, asked.warmup_epochs, asked.divisor, asked.weight_decay) == (350, 10, 128, 2e-5)


def test_recipes_have_a_source_and_say_what_it_does_not_give():
    for name, known in recipe.recipes().items():
        missing = {field.name for field in fields(SHORT)} - set(known)
        told = {words.split()[0] for words in known.get("not_given", [])}
        assert missing <= told, name
        assert known["source"]


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("ablation", UsageError, "does not give batch, warmup_epochs, divisor, momentum, label_smoothing"),
        ("cifar", UnknownName, "no recipe 'cifar'; there are: digits, imagenet"),
    ],
)
def test_a_recipe_that_can_not_be_run(name, error, words):
    with pytest.raises(error, match=words):
        recipe.find(name)


def test_the_recipe_of_the_paper_can_be_executed(capsys):
    assert train.try_out("imagenet", "halonet_h0", 1, 1, "cpu") == 0
    rate = 1.6 / (10 * (1281167 // 4096))
    assert f"learning rate {rate:.6f}" in capsys.readouterr().out


def tiny(patch, few):
    """Two networks on few images."""
    patch.setattr(experiment, "SMALL", TINY)
    patch.setattr(experiment, "WIDTHS", (8,))
    patch.setattr(experiment, "WINDOWS", ())
    patch.setattr(trainer, "digits", lambda size: few)


@pytest.fixture(scope="module")
def folder(few, tmp_path_factory):
    """Of a run with one implementation that cannot learn."""
    out = tmp_path_factory.mktemp("train") / "out"
    with pytest.MonkeyPatch.context() as patch:
        tiny(patch, few)
        assert train.show(["haloed_chunked", "naive_global", "flex_blocks"], SHORT, 2, "cpu", out) == 0
    return out


def test_a_run_has_a_row_an_epoch_and_one_for_what_was_left_out(folder):
    rows = pd.read_csv(folder / "curves.csv")
    assert list(rows) == analysis.CURVES
    assert rows.groupby("run", sort=False)["epoch"].count().tolist() == [2, 2, 0, 2, 2, 0, 2, 2, 2]
    assert set(rows["reason"].dropna()) == {"no backward pass on a CPU", "float64 is not supported"}
    assert "| flex_blocks | float64 | - | - | - | float64 is not supported |" in table_of(folder)


def table_of(folder):
    return (folder / "tables" / "learning.md").read_text(encoding="utf-8")


def test_its_points_have_the_columns_of_the_published_ones(folder):
    points = pd.read_csv(folder / "points.csv")
    assert list(points) == analysis.PUBLISHED
    assert set(points) <= set(published())
    assert list(points["family"]) == [analysis.HALONET, analysis.CONVOLUTION]


def test_its_figures_and_its_environment_are_there(folder):
    figures = sorted(path.name for path in (folder / "figures").glob("*.png"))
    assert figures == ["accuracy_over_params.png", "learning_curves.png"]
    assert (folder / "environment.json").exists()


def test_implementations_that_come_apart_are_an_error(monkeypatch, few, tmp_path, capsys):
    tiny(monkeypatch, few)
    monkeypatch.setattr(train, "write", lambda frame, implementation, out: [])
    monkeypatch.setattr(analysis, "furthest", lambda frame, dtype: 1e-8)
    assert train.show(["haloed_chunked"], SHORT, 1, "cpu", tmp_path / "out") == 1
    assert "3 runs of 2 epochs, about " in capsys.readouterr().out


def rows_of(implementation, seed, *values):
    fixed = {"run": f"{implementation}{seed}", "model": "net", "implementation": implementation, "seed": seed}
    fixed |= {"dtype": "float32", "block": 4, "halo": 1, "width": 8, "params": 100, "image_size": 32}
    fixed |= {"tested": 360, "seconds": 1.0, "reason": None}
    return [
        fixed | {"epoch": 1 + at, "loss": loss, "losses": [1.0, loss], "accuracy": loss / 2}
        for at, loss in enumerate(values)
    ]


def test_differences_are_relative_to_the_first_implementation():
    frame = pd.DataFrame([*rows_of("haloed_chunked", 0, 1.0, 1.1), *rows_of("naive_global", 0, 1.0, 1.0)])
    assert analysis.differences(frame)["haloed_chunked"].tolist() == pytest.approx([0, 0.1])
    assert analysis.furthest(frame, "float32") == pytest.approx(0.1)
    assert analysis.furthest(frame, "float64") == 0


def test_a_loss_that_is_no_number_is_no_agreement():
    rows = [*rows_of("haloed_chunked", 0, 1.0, nan), *rows_of("naive_global", 0, 1.0, 1.0)]
    assert analysis.furthest(pd.DataFrame(rows), "float32") == inf


def test_a_point_is_the_mean_of_its_seeds_at_the_end_with_wilson_s_interval():
    frame = pd.DataFrame([*rows_of("haloed_chunked", 0, 1, 1.9), *rows_of("haloed_chunked", 1, 1, 1.7)])
    (point,) = analysis.points(frame, "haloed_chunked").to_dict("records")
    assert [point[name] for name in ("top1", "least", "most")] == pytest.approx([0.9, 0.85, 0.95])
    z, n = 1.95996, 360
    middle, half = 0.9 + z**2 / (2 * n), z * (0.9 * 0.1 / n + z**2 / (4 * n**2)) ** 0.5
    assert point["low"] == pytest.approx((middle - half) / (1 + z**2 / n), abs=1e-6)
    assert point["high"] == pytest.approx((middle + half) / (1 + z**2 / n), abs=1e-6)


def test_a_folder_that_exists_is_refused(tmp_path):
    with pytest.raises(UsageError, match="exists already; choose another --out"):
        train.show(None, SHORT, 1, "cpu", tmp_path)


def test_without_scikit_learn_the_command_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.delitem(sys.modules, "sklearn.datasets", raising=False)
    monkeypatch.delitem(sys.modules, "halobench.training.digits", raising=False)
    with pytest.raises(UsageError, match=r"train needs scikit-learn: pip install 'halobench\[train\]'"):
        trainer.digits(32)


@pytest.mark.slow
def test_a_small_halonet_learns_digits(data):
    *_, last = trainer.train(Run("small", SMALL, "haloed_chunked", 0), recipe.find("digits"), data)
    assert last.right >= 0.97 * 360
