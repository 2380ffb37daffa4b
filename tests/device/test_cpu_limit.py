"""What control groups allow, as the files of the system tell it."""

import os

import pytest

from halobench.device.cpu_limit import affinity, cpu_limit

HALF = {"cpu.max": "50000 100000\n"}
OLD_HALF = {"cpu.cfs_quota_us": "50000\n", "cpu.cfs_period_us": "100000\n"}
OLD_NONE = OLD_HALF | {"cpu.cfs_quota_us": "-1\n"}
NEW, OLD = "0::/a/b\n", "4:cpu,cpuacct:/a/b\n1:name=systemd:/\n"


def root(folder, groups, **content):
    """A root with the line of the process's group, and files in the groups given."""
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/self/cgroup").write_text(groups)
    for group, files in content.items():
        path = folder / "sys/fs/cgroup" / group.replace("_", "/")
        path.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (path / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("groups", "content", "limit"),
    [
        pytest.param(NEW, {}, None, id="nothing told"),
        pytest.param(NEW, {"a_b": {"cpu.max": "150000 100000\n"}}, 1.5, id="its own"),
        pytest.param(NEW, {"a_b": {"cpu.max": "max 100000\n"}}, None, id="none"),
        pytest.param(NEW, {"a": HALF, "a_b": {"cpu.max": "max 100000\n"}}, 0.5, id="around it"),
        pytest.param(
            NEW, {"a": HALF, "a_b": {"cpu.max": "200000 100000\n"}}, 0.5, id="the least of nested ones"
        ),
        pytest.param(NEW, {"other": HALF}, None, id="another's"),
        pytest.param(OLD, {"cpu_a": OLD_HALF}, 0.5, id="version 1"),
        pytest.param(OLD, {"cpu_a_b": OLD_NONE}, None, id="version 1, none"),
        pytest.param("", {"cpu": OLD_HALF}, 0.5, id="in a container"),
    ],
)
def test_the_limit_is_the_least_of_the_groups_around_the_process(tmp_path, groups, content, limit):
    assert cpu_limit(root(tmp_path, groups, **content)) == limit


@pytest.mark.parametrize(
    ("processors", "told"), [({0}, "0"), ({0, 1, 2, 5, 7, 8}, "0-2,5,7-8"), ({3, 1}, "1,3")]
)
def test_processors_are_told_as_ranges(monkeypatch, processors, told):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: processors)
    assert affinity() == told
