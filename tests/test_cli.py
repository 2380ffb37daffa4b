import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from cases import attention_record
from matplotlib.figure import Figure
from pandas.testing import assert_frame_equal

from halobench import cli
from halobench.report import contract
from halobench.results.record import BAD, SEVERITY
from halobench.results.store import Store
from halobench.screens import sweep
from halobench.sweep import session, spec
from halobench.sweep.spec import Spec

SWEEP = "sweep smoke --workload attention --resolution 8"


@pytest.fixture
def halobench(monkeypatch, capsys):
    """Run a command line here; exit code, output and errors."""

    def call(line):
        monkeypatch.setattr(sys, "argv", ["halobench", *shlex.split(line)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capsys.readouterr()

    return call


def child(line, *options):
    """Run it as a user does."""
    command = [sys.executable, *options, "-m", "halobench", *shlex.split(line)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


BAD_USE = {
    "a command": ("swep", ["'swep'", "'sweep'"]),
    "an option": ("sweep smoke --blok 4", ["--blok", "--block"]),
    "too many presets": ("sweep smoke quick", ["(quick)"]),
    "a preset": ("sweep papr", ["'papr'", "quick, smoke"]),
    "a preset and a file": ("sweep smoke --spec mine.toml", ["smoke", "mine.toml", "not both"]),
    "no file": ("sweep --spec missing.toml", ["missing.toml"]),
    "block 0": ("sweep smoke --block 0", ["block: '0'", "greater than or equal to 1"]),
    "an empty entry": ("sweep smoke --block 4,,8", ["block: ''", "integer"]),
    "a negative halo": ("sweep smoke --halo -1", ["halo: '-1'", "greater than or equal to 0"]),
    "a resolution": ("sweep smoke --resolution 8x", ["resolution: '8x'", "64 or 64x48"]),
    "a stride": ("sweep smoke --stride 3", ["stride 3 does not divide block 4"]),
    "a border": ("sweep smoke --border edge", ["border: 'edge'", "mask, zero"]),
    "a dtype": ("sweep smoke --dtype float8", ["dtype: 'float8'", "float32, float16, bfloat16, float64"]),
    "a direction": (
        "sweep smoke --direction backward",
        ["'backward'", "forward, forward_backward, inference"],
    ),
    "a scale": ("sweep smoke --scale nan", ["scale: 'nan'", "finite"]),
    "tuning": ("sweep smoke --autotune maybe", ["autotune: 'maybe'", "try, known, off"]),
    "a device": ("sweep smoke --device tpu", ["device: 'tpu'", "cpu, cuda"]),
    "an implementation": ("sweep smoke --implementation naive", ["'naive'", "naive_global"]),
    "a model": ("sweep smoke --model halonet_h9", ["'halonet_h9'", "halonet_h0, "]),
    "a workload": ("sweep smoke --workload both", ["'both'", "attention, model"]),
    "an axis of what is dropped": (
        "sweep smoke --workload model --block 4",
        ["block is an axis of attention"],
    ),
    "nothing left": ("sweep smoke --workload model --direction forward", ["nothing to measure"]),
    "no time": ("sweep smoke --seconds 0", ["seconds: 0.0", "greater than 0"]),
    "time in words": ("sweep smoke --timeout long", ["--timeout", "valid number"]),
    "no replicates": ("sweep smoke --replicates 0", ["replicates: 0", "greater than or equal to 1"]),
    "resume nothing": ("sweep --resume missing", ["missing holds no run"]),
    "resume something else": ("sweep smoke --resume missing", ["--resume", "preset cannot be given"]),
    "resume with another axis": ("sweep --resume missing --block 4", ["--resume", "block cannot be given"]),
    "plan a resumed run": ("sweep --resume missing --plan", ["--resume", "plan cannot be given"]),
    "a file for a folder": (f"{SWEEP} --out a_file", ["a_file"]),
    "a folder in a file": (f"{SWEEP} --out a_file/inside", ["a_file/inside"]),
    "report nothing": ("report", ["DIR"]),
    "report no run": ("report missing", ["missing holds no run"]),
    "join into nowhere": ("report one another", ["--out DIR"]),
    "check a dtype": ("check --dtype float8", ["'float8'", "float32, float16, bfloat16, float64"]),
    "check a device": ("check --device tpu", ["tpu", "cpu"]),
    "check an implementation": ("check --implementation naive", ["'naive'", "naive_global"]),
    "compare with nothing": ("compare one", ["B"]),
    "compare no run": ("compare missing another", ["missing holds no run"]),
    "compare into a file that is there": ("compare one another --out a_file", ["a_file exists already"]),
    "compare into nowhere": ("compare one another --out no/file.csv", ["no folder no"]),
    "a threshold in words": ("compare one another --threshold much", ["--threshold", "valid number"]),
    "inspect a target": ("inspect --target sm_42", ["'sm_42'", "sm_80, sm_90"]),
    "inspect problems": ("inspect --problems few", ["'few'", "standard, all"]),
    "inspect what has no kernels": (
        "inspect --implementation haloed_blocked",
        ["haloed_blocked has no kernels of Triton"],
    ),
    "inspect into a file that is there": ("inspect --out a_file", ["a_file exists already"]),
    "models that nobody knows": ("models --model halonet_h9", ["'halonet_h9'", "halonet_h0, "]),
    "models into a file that is there": ("models --out a_file", ["a_file exists already"]),
}


@pytest.mark.parametrize(("line", "words"), BAD_USE.values(), ids=BAD_USE)
def test_bad_use_is_one_line_that_says_what_was_given_and_what_is_allowed(
    halobench, tmp_path, monkeypatch, line, words
):
    monkeypatch.chdir(tmp_path)
    Path("a_file").touch()
    code, out, err = halobench(line)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("halobench: ")
    assert [word for word in words if word not in err] == []
    assert [path.name for path in tmp_path.iterdir()] == ["a_file"]


@pytest.mark.parametrize("bug", [ValueError("of a library"), KeyError("time_s"), FileNotFoundError("lost")])
def test_a_bug_keeps_its_traceback_and_is_no_bad_use(halobench, monkeypatch, bug):
    def broken(*_):
        raise bug

    monkeypatch.setattr(sweep, "show_plan", broken)
    code, _, err = halobench("sweep smoke --plan")
    assert code == 70
    assert [word for word in ("Traceback", type(bug).__name__, "in broken") if word not in err] == []


def test_a_bad_file_is_one_line_too(halobench, tmp_path):
    (tmp_path / "mine.toml").write_text("[attention]\nresolution = [8]\nblok = [4]")
    code, _, err = halobench(f"sweep --spec {tmp_path}/mine.toml")
    assert (code, err) == (2, "halobench: attention.blok: there is no such axis or setting\n")


def test_without_a_command_there_is_help(halobench):
    _, out, err = halobench("")
    assert "sweep" in out
    assert err == ""


def test_a_plan_names_the_cases_and_measures_nothing(halobench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    axes = "--implementation naive_global --block 3,4 --stride 1,2 --threads 2"
    code, out, err = halobench(f"{SWEEP} {axes} --plan")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert "naive_global/forward/1x2x8x8d8/b4h1s2/zero/sum/float32/cpu2" in lines
    assert "left out: 4 combinations, stride 2 does not divide block 3" in lines
    assert ["naive_global", "12"] in [line.split()[:2] for line in lines]
    assert lines[-1].startswith("12 cases, about ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", ["--help", "sweep --help"])
def test_help_imports_nothing_that_takes_long(line):
    done = child(line, "-X", "importtime")
    modules = {entry.rpartition("|")[2].strip().partition(".")[0] for entry in done.stderr.splitlines()}
    assert done.returncode == 0
    assert "typer" in modules
    assert modules.isdisjoint({"torch", "numpy", "pandas", "matplotlib", "timm", "scipy"})


def test_a_sweep_can_leave_kernels_as_they_are(halobench, monkeypatch):
    asked = []
    monkeypatch.setattr(sweep, "show_plan", lambda wanted: asked.append(wanted.run.autotune) or 0)
    for option in ("", "--autotune known", "--no-autotune"):
        assert halobench(f"{SWEEP} --plan {option}")[0] == 0
    assert asked == ["try", "known", "off"]


def test_help_names_every_axis(halobench):
    axes = {*spec.AttentionGrid.model_fields, *spec.ModelGrid.model_fields}
    _, out, _ = halobench("sweep --help")
    assert [name for name in axes if f"--{name.replace('_', '-')} " not in out] == []


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A folder with the records given, as a sweep would have left it; of the reports there are a few."""
    few = {name: contract.REPORTS[name] for name in ("speedup", "not_measured", "time_over_resolution")}
    monkeypatch.setattr(contract.REPORTS, "_entries", few)

    def store(*records):
        folder = tmp_path / "run"
        run_store = session.start(folder, [record.case for record in records], Spec(), ["halobench"])
        for record in records:
            run_store.add(record)
        return folder

    return store


@pytest.mark.parametrize("status", BAD)
def test_what_is_broken_makes_the_exit_code_1(halobench, stored, status):
    folder = stored(attention_record(), attention_record("sdpa_blocked", status=status, samples=()))
    assert halobench(f"report {folder}")[0] == 1


def test_what_was_not_measured_for_a_reason_does_not(halobench, stored):
    reasons = [status for status in SEVERITY if status not in ("ok", *BAD)]
    records = [attention_record(status, status=status, samples=()) for status in reasons]
    assert halobench(f"report {stored(attention_record(), *records)}")[0] == 0


def test_runs_are_joined_in_a_folder_of_their_own(halobench, stored, tmp_path):
    folder = stored(attention_record())
    code, out, _ = halobench(f"report {folder} {folder} --out {tmp_path}/both")
    assert code == 0
    assert f"the page: {tmp_path}/both/report.html" in out
    assert len(pd.read_csv(tmp_path / "both" / "results.csv")) == 1


@pytest.mark.parametrize("line", ["report {}", "sweep --resume {}"])
def test_a_damaged_database_is_bad_use(halobench, tmp_path, line):
    (tmp_path / "results.db").write_text("no database")
    code, _, err = halobench(line.format(tmp_path))
    assert (code, err.count("\n")) == (2, 1)
    assert "results.db" in err


@pytest.fixture(scope="module")
def swept(once):
    """A folder after a real sweep, and what was printed meanwhile."""

    def sweeping(folder):
        done = child(f"{SWEEP} --threads 2 --out {folder}/run")
        assert (done.returncode, done.stderr) == (0, "")
        return f"{folder}/run", done.stdout

    folder, said = once("swept", sweeping)
    return Path(folder), said


@pytest.fixture
def copied(swept, tmp_path):
    return Path(shutil.copytree(swept[0], tmp_path / "copied"))


def content(folder):
    """Every file, its bytes and its time."""
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.slow
def test_a_sweep_leaves_all_that_a_reader_needs(swept):
    names = {str(path.relative_to(swept[0])) for path in swept[0].rglob("*")}
    wanted = {"results.db", "results.parquet", "results.csv", "report.html", "environment.json", "spec.toml"}
    assert wanted <= names
    for suffix in ("png", "svg"):
        assert any(name.startswith("figures/") and name.endswith(suffix) for name in names)
    assert any(name.startswith("tables/") for name in names)


@pytest.mark.slow
def test_every_planned_case_has_a_row(swept):
    planned = [case.id for case in Store(swept[0]).plan()]
    assert len(planned) >= 2 * 2 * 5  # borders, directions, implementations
    for table in (pd.read_parquet(swept[0] / "results.parquet"), pd.read_csv(swept[0] / "results.csv")):
        assert list(table["case"]) == planned
        assert set(table["status"]) <= {"ok", "unsupported"}


@pytest.mark.slow
def test_where_there_is_no_terminal_a_sweep_prints_a_line_a_case(swept):
    folder, out = swept
    cases = Store(folder).plan()
    lines = out.splitlines()
    assert "\x1b" not in out
    for number, case in enumerate(cases, start=1):
        (line,) = (line for line in lines if line.startswith(f"[{number}/{len(cases)}, "))
        assert f" s left] {case.id}: " in line
    assert lines[-1] == f"the page: {folder}/report.html"


@pytest.mark.slow
def test_a_sweep_into_the_folder_of_another_is_refused_and_changes_nothing(swept, halobench):
    before = content(swept[0])
    code, _, err = halobench(f"{SWEEP} --out {swept[0]}")
    assert (code, err.count("\n")) == (2, 1)
    assert "holds a run already" in err
    assert content(swept[0]) == before


@pytest.mark.slow
def test_a_report_is_made_again_from_what_is_stored(copied, halobench, swept):
    (copied / "report.html").unlink()
    shutil.rmtree(copied / "figures")
    assert halobench(f"report {copied}")[0] == 0
    assert {path.name for path in copied.rglob("*")} == {path.name for path in swept[0].rglob("*")}
    again, before = (pd.read_csv(folder / "results.csv") for folder in (copied, swept[0]))
    assert set(again.pop("run")) == {copied.name}
    assert_frame_equal(again, before.drop(columns="run"))


@pytest.mark.slow
def test_the_stored_spec_gives_the_same_plan_again(swept, halobench):
    _, out, _ = halobench(f"sweep --spec {swept[0]}/spec.toml --plan")
    planned = [case.id for case in Store(swept[0]).plan()]
    assert out.splitlines()[: len(planned)] == planned


@pytest.mark.slow
def test_a_run_of_another_machine_is_not_resumed(copied, halobench):
    environment = copied / "environment.json"
    environment.write_text(environment.read_text().replace('"cores": ', '"cores": 99'))
    code, _, err = halobench(f"sweep --resume {copied}")
    assert code == 2
    assert "was begun elsewhere: cores was 99" in err


def test_a_run_is_compared_with_itself(halobench, stored):
    folder = stored(attention_record(), attention_record("sdpa_blocked", status="oom", samples=()))
    code, out, err = halobench(f"compare {folder} {folder}")
    assert (code, err) == (0, "")
    assert "2 cases: 1 same, 1 unknown (not measured in both)" in out


@pytest.mark.parametrize(
    ("threshold", "words"), [("-1", "threshold: -1.0 must be"), ("nan", "threshold: nan")]
)
def test_a_threshold_that_means_nothing_is_bad_use(halobench, stored, threshold, words):
    folder = stored(attention_record())
    code, out, err = halobench(f"compare {folder} {folder} --threshold {threshold}")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_runs_of_different_machines_are_not_joined(halobench, tmp_path):
    for name, cpu in (("a", "one"), ("b", "another")):
        Store.create(tmp_path / name, [])
        (tmp_path / name / "environment.json").write_text(f'{{"cpu": "{cpu}"}}')
    code, _, err = halobench(f"report {tmp_path / 'a'} {tmp_path / 'b'} --out {tmp_path / 'both'}")
    assert (code, err.count("\n")) == (2, 1)
    assert "cannot be joined: cpu was one, now another" in err
    assert not (tmp_path / "both").exists()


def test_a_report_that_breaks_leaves_the_others_and_says_so(halobench, stored, registered):
    def broken(frame):
        return frame["colour"]

    registered(contract.REPORTS, "broken", contract.Report("broken", broken, "measurement", 0))
    folder = stored(attention_record())
    code, _, err = halobench(f"report {folder}")
    assert (code, "KeyError: 'colour'" in err) == (0, True)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "This report failed: KeyError" in page
    assert "report-speedup" in page


def test_runs_are_not_joined_into_one_of_them(halobench, stored):
    folder = stored(attention_record())
    code, _, err = halobench(f"report {folder} {folder} --out {folder}")
    assert code == 2
    assert "is one of the runs that are joined: --out must name another folder" in err


def test_a_report_is_not_written_over_another_run(halobench, stored, tmp_path):
    folder = stored(attention_record())
    other = tmp_path / "other"
    session.start(other, [attention_record().case], Spec(), ["halobench"])
    before = content(other)
    code, _, err = halobench(f"report {folder} --out {other}")
    assert (code, "holds another run" in err) == (2, True)
    assert content(other) == before


def test_spaces_after_commas_are_no_part_of_a_name(halobench):
    code, out, _ = halobench(
        "sweep smoke --workload attention --block '4, 2' --dtype 'float32, float64' --plan"
    )
    assert code == 0
    assert {"b2h1", "b4h1"} <= {part for line in out.splitlines() for part in line.split("/")}


def test_a_plan_of_a_huge_map_takes_no_time(halobench):
    code, out, _ = halobench(f"{SWEEP} --implementation haloed_blocked --resolution 1000000000 --plan")
    assert code == 0
    assert "1000000000x1000000000" in out


def test_a_terminal_of_ascii_shows_the_nearest_letters():
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from halobench import cli; sys.argv = ['halobench', 'list']\n"
         "from halobench.commands import list; list.run = lambda: print('3 µs ±5 % 4 °C π')\ncli.main()"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"3 us +-5 % 4 degC ?\n")


def test_a_report_that_breaks_while_it_is_saved_leaves_the_others(halobench, stored, registered):
    def unsaved(frame):
        figure = Figure()
        figure.suptitle("$\\frac{$")  # mathematics that matplotlib cannot set
        return figure

    registered(contract.REPORTS, "unsaved", contract.Report("unsaved", unsaved, "measurement", 0))
    folder = stored(attention_record())
    assert halobench(f"report {folder}")[0] == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "This report failed: ValueError" in page
    assert "report-speedup" in page


def test_an_interrupted_sweep_names_its_folder_and_how_to_go_on(halobench, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "measure", interrupted)
    code, out, err = halobench(f"{SWEEP} --implementation haloed_blocked --out '{tmp_path}/a run'")
    assert code == 130
    assert f"measuring into {tmp_path}/a run" in out
    assert err == (
        f"interrupted; what was measured is kept, and halobench sweep --resume '{tmp_path}/a run' goes on\n"
    )
