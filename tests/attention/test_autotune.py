"""Which configuration a kernel gets, and when one is measured."""

import json
from threading import Thread
from time import monotonic
from typing import NamedTuple

import pytest

from halobench.attention import autotune


class Config(NamedTuple):
    size: int
    warps: int = 4


CONFIGS = [Config(64), Config(32), Config(16)]
SECONDS = {Config(64): 3.0, Config(32): 1.0, Config(16): 2.0}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(autotune.CACHE, str(tmp_path))
    monkeypatch.setattr(autotune, "WARM_S", 0.0)
    forget(monkeypatch)
    return tmp_path / "tuned"


def forget(monkeypatch):
    """As in another process."""
    monkeypatch.setattr(autotune, "_found", {})


def ask(configs=CONFIGS, time=SECONDS.get, key=("card", 1)):
    return autotune.chosen("kernel", key, configs, time)


def never(config):
    pytest.fail("this must not measure")


def test_a_call_measures_nothing_and_gets_the_first():
    assert ask(time=never) == Config(64)


def test_what_is_used_can_be_told_without_a_trial():
    with autotune.autotune(trials=False) as log:
        assert ask(time=never) == Config(64)
    assert str(log) == "kernel size=64 warps=4"


def test_where_it_is_asked_for_the_fastest_is_found_and_kept(monkeypatch):
    with autotune.autotune():
        assert ask() == Config(32)
    assert ask(time=never) == Config(32)
    forget(monkeypatch)
    assert ask(time=never) == Config(32)


def test_what_was_found_is_not_measured_again_and_other_problems_are(monkeypatch):
    with autotune.autotune():
        ask()
        forget(monkeypatch)
        assert ask(time=never) == Config(32)
        assert ask(time={**SECONDS, Config(16): 0.5}.get, key=("card", 2)) == Config(16)


def test_all_trials_can_be_read_again(folder):
    with autotune.autotune():
        ask()
    (file,) = folder.iterdir()
    told = json.loads(file.read_text(encoding="utf-8"))
    assert told["key"] == ["kernel", "card", 1]
    assert [trial["seconds"] for trial in told["trials"]] == [3.0, 1.0, 2.0]


def test_defaults_are_the_first_whatever_was_found():
    with autotune.autotune():
        ask()
    with autotune.defaults(), autotune.autotune():
        assert ask(time=never) == Config(64)
    assert ask() == Config(32)


def test_what_is_not_clearly_faster_does_not_replace_the_first():
    with autotune.autotune():
        assert ask(time={**SECONDS, Config(32): 2.99, Config(16): 3.0}.get) == Config(64)


def test_a_configuration_that_can_not_be_built_is_passed_over():
    def time(config):
        if config == Config(32):
            raise RuntimeError("out of shared memory\nand more")
        return SECONDS[config]

    with pytest.warns(UserWarning, match="out of shared memory$"), autotune.autotune():
        assert ask(time=time) == Config(16)


def test_where_none_can_be_timed_the_first_is_used_and_nothing_kept(folder):
    with pytest.warns(UserWarning, match="kernel cannot be timed"), autotune.autotune():
        assert ask(time=lambda config: 1 / 0) == Config(64)
    assert not folder.exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"config": {"size": 7, "warps": 4}}'])
def test_a_file_that_says_nothing_of_use_is_as_none(content, folder, monkeypatch):
    with autotune.autotune():
        ask()
    (file,) = folder.iterdir()
    file.write_text(content, encoding="utf-8")
    forget(monkeypatch)
    assert ask(time=never) == Config(64)
    with autotune.autotune():
        assert ask() == Config(32)


def test_all_are_compiled_before_any_counts_and_then_timed_in_turn():
    """The first launch of each is slow, the device is slow until it is warm, and slows down as it goes on."""
    asked = []

    def time(config):
        asked.append(config)
        return SECONDS[config] + (100.0 if len(asked) <= len(CONFIGS) else 0.1 * len(asked))

    with autotune.autotune():
        assert ask(time=time) == Config(32)
    assert asked == CONFIGS * (1 + autotune.ROUNDS)


def test_a_launch_that_was_disturbed_rules_nothing_out():
    asked = []

    def time(config):
        asked.append(config)
        return SECONDS[config] + (50.0 if config == Config(32) and len(asked) % 9 == 5 else 0.0)

    with autotune.autotune():
        assert ask(time=time) == Config(32)


def test_the_device_is_warmed_up_before_anything_counts(monkeypatch, folder):
    monkeypatch.setattr(autotune, "WARM_S", 0.05)
    start = monotonic()

    def time(config):
        return SECONDS[config] + (100.0 if monotonic() - start < 0.04 else 0.0)

    with autotune.autotune():
        ask(time=time)
    (file,) = folder.iterdir()
    trials = json.loads(file.read_text(encoding="utf-8"))["trials"]
    assert [trial["seconds"] for trial in trials] == [3.0, 1.0, 2.0]


def test_a_folder_that_can_not_be_written_is_told_and_does_no_harm(folder):
    folder.write_text("in the way", encoding="utf-8")
    with pytest.warns(UserWarning, match="cannot be kept"), autotune.autotune():
        assert ask() == Config(32)


def test_a_call_can_refuse_trials_and_the_next_one_makes_them():
    with autotune.autotune():
        assert autotune.chosen("kernel", ("card", 1), CONFIGS, never, trials=False) == Config(64)
        assert ask() == Config(32)


def test_the_log_says_what_was_used_and_how_long_trials_took():
    with autotune.autotune() as log:
        ask()
        ask()
        assert autotune.spent() == log.seconds > 0
    assert str(log) == "kernel size=32 warps=4"
    assert autotune.spent() == 0


def test_other_threads_are_in_the_block_too():
    found = []
    with autotune.autotune():
        thread = Thread(target=lambda: found.append(ask()))
        thread.start()
        thread.join()
    assert found == [Config(32)]
