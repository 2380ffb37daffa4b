import shlex

import pytest

from halobench.results.folder import write_environment
from halobench.sweep import spec
from halobench.sweep.command_line import repeating
from halobench.sweep.session import SPEC


@pytest.mark.parametrize("folders", [("first", "second"), ("first/run", "second/run")])
def test_a_case_is_repeated_with_the_settings_of_the_run_it_is_of(tmp_path, folders):
    rows = []
    for run, seconds in zip(folders, (0.5, 0.25), strict=True):
        (tmp_path / run).mkdir(parents=True)
        wanted = spec.spec(spec.preset("smoke"), {}, {"seconds": seconds})
        (tmp_path / run / SPEC).write_text(spec.to_toml(wanted))
        write_environment(
            tmp_path / run, {"plugin_files": {"/of/a user.py": "digest"} if seconds == 0.5 else {}}
        )
        model = {
            "model": "timm/resnet50",
            "implementation": "",
            "image_size": 64,
            "batch": 1,
            "mode": "eager",
        }
        asked = {"workload": "model", "direction": "inference", "dtype": "float32", "layout": "nchw"}
        rows.append(model | asked | {"device": "cpu", "threads": 1, "allocator": "steady", "run": run})
    command = repeating([tmp_path / run for run in folders])
    told = [shlex.split(command(row)) for row in rows]
    assert [words[words.index("--seconds") + 1] for words in told] == ["0.5", "0.25"]
    assert ["--plugin" in words for words in told] == [True, False]
    assert told[0][-2:] == ["--plugin", "/of/a user.py"]
