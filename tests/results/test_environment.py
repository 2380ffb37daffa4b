import json
import subprocess
from types import SimpleNamespace

import pytest
import torch

from halobench import plugins
from halobench.results.environment import commit, differences, environment

KNOWN = {
    "machine": "x86_64",
    "cpu": "one",
    "cores": 2,
    "memory_bytes": 8,
    "gpu": None,
    "packages": {"torch": "2"},
    "torch_cpu": "AVX2",
    "python": "3.12.1",
    "system": "Linux-6.1",
    "affinity": "0-1",
    "cpu_limit": None,
}


def test_an_environment_says_all_that_a_reader_needs_and_can_be_stored():
    found = environment(["halobench", "sweep", "smoke"])
    assert {"command", "started", "commit", "python", "system", "load_average", "torch_cpu"} <= set(found)
    assert set(KNOWN) <= set(found)
    assert found["command"].endswith("halobench sweep smoke")
    assert json.loads(json.dumps(found)) == found


def test_the_versions_are_those_that_are_imported():
    packages = environment([])["packages"]
    assert packages["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert packages["halobench"]


def test_a_machine_without_a_gpu_has_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert environment([])["gpu"] is None


def test_a_machine_does_not_differ_from_itself():
    assert differences(environment(["one"]), environment(["another"])) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"cpu": "two"}, "cpu was one, now two"),
        ({"torch_cpu": "DEFAULT"}, "torch_cpu was AVX2, now DEFAULT"),
        ({"python": "3.13.0"}, "python was 3.12.1, now 3.13.0"),
        ({"system": "Linux-6.8"}, "system was Linux-6.1, now Linux-6.8"),
        ({"affinity": "0"}, "affinity was 0-1, now 0"),
        ({"cpu_limit": 0.5}, "cpu_limit was None, now 0.5"),
        ({"gpu": {"name": "H200"}}, "gpu was None, now {'name': 'H200'}"),
        ({"packages": {"torch": "3"}}, "packages was {'torch': '2'}, now {'torch': '3'}"),
    ],
)
def test_another_machine_is_told_by_what_differs(changed, said):
    assert differences(KNOWN, KNOWN | changed) == [said]


def test_versions_of_what_others_plug_in_are_noted(monkeypatch):
    def points(group):
        dists = SimpleNamespace(name="fast", version="1.2"), SimpleNamespace(name="halobench", version="0")
        return [SimpleNamespace(dist=dist) for dist in dists] if group == "halobench.kernels" else []

    monkeypatch.setattr(plugins, "entry_points", points)
    assert environment([])["plugins"] == {"fast": "1.2"}


def test_load_and_time_do_not_keep_runs_apart():
    assert differences(KNOWN | {"started": "1", "load_average": [0]}, KNOWN | {"started": "2"}) == []


def test_a_run_from_before_there_were_states_differs():
    now = environment([])
    before = {name: value for name, value in now.items() if name not in ("allocator", "wait_policy")}
    assert differences(before, now) == ["allocator was None, now glibc", "wait_policy was None, now bounded"]


def test_what_an_older_halobench_did_not_note_is_not_held_against_a_run():
    before = {name: value for name, value in KNOWN.items() if name not in ("affinity", "cpu_limit")}
    assert differences(before, KNOWN | {"cpu_limit": 0.5}) == []


def test_the_wait_policy_is_that_of_the_run(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    found = [environment([], policy)["wait_policy"] for policy in ("passive", "inherited")]
    assert found == ["passive", "OMP_WAIT_POLICY=ACTIVE"]


def test_an_old_run_without_an_entry_differs():
    assert differences({}, KNOWN)


def test_the_commit_is_text():
    assert isinstance(commit(), str)


def test_without_git_there_is_no_commit(monkeypatch):
    def missing(*args, **options):
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", missing)
    assert commit() == ""
