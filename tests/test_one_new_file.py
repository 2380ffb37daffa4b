"""Whatever plugs in is one new file: nothing else is touched, and its name is found wherever names are."""

import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from cases import attention_record, frame_of

from halobench import cli, commands, plugins
from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.report import output
from halobench.report.contract import REPORTS
from halobench.report.html.page import page
from halobench.results.derived import METRICS, with_metrics
from halobench.screens import list as screen
from halobench.sweep import presets, spec
from halobench.sweep.plan import plan

ROOT = Path(__file__).parent.parent
FILES = {
    "implementation": """
        \"\"\"Values as they are: an implementation of one file.\"\"\"
        from halobench.attention import attention

        @attention("mine_implementation")
        def mine(q, k, v, position, problem):
            return v
    """,
    "metric": """
        \"\"\"A metric of one file.\"\"\"
        from halobench.results.derived import metric

        @metric(unit="x", better="higher")
        def mine_metric(frame):
            \"\"\"Half the time.\"\"\"
            return frame["time_s"] / 2
    """,
    "report": """
        \"\"\"A report of one file.\"\"\"
        from halobench.report import report

        @report("mine_report", section="measurement", order=1)
        def mine(frame):
            \"\"\"What my report shows.\"\"\"
            return f"{len(frame)} rows of mine"
    """,
}
COMMAND = """
\"\"\"The command `mine_command`.\"\"\"

def run() -> int:
    \"\"\"Do what mine does.\"\"\"
    print("mine ran")
    return 3
"""
PRESET = """# A preset of one file.
[[attention]]
resolution = [8]
implementation = ["all"]
block = [4]
halo = [1]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of plug-ins with entry points, commands and presets, as if each lay where ours do."""
    folder = tmp_path_factory.mktemp("one_new_file")
    for kind, text in FILES.items():
        body = "\n".join(line.removeprefix(" " * 8) for line in text.strip("\n").splitlines())
        (folder / f"mine_{kind}.py").write_text(body)
    for name in ("commands", "presets"):
        (folder / name).mkdir()
    (folder / "commands" / "mine_command.py").write_text(COMMAND)
    (folder / "presets" / "mine_preset.toml").write_text(PRESET)
    groups = {"implementation": IMPLEMENTATIONS.group, "metric": METRICS.group, "report": REPORTS.group}
    mine = [
        EntryPoint(f"mine_{kind}", f"mine_{kind}", group)._for(type("Dist", (), {"name": plugins.OURS}))
        for kind, group in groups.items()
    ]
    real = plugins.entry_points
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(folder)
        patched.setattr(
            plugins,
            "entry_points",
            lambda group: [*real(group=group), *(entry for entry in mine if entry.group == group)],
        )
        patched.setattr(commands, "__path__", [*commands.__path__, str(folder / "commands")])
        patched.setattr(presets, "__path__", [*presets.__path__, str(folder / "presets")])
        yield folder
    for registry, name in zip(
        (IMPLEMENTATIONS, METRICS, REPORTS),
        ("mine_implementation", "mine_metric", "mine_report"),
        strict=True,
    ):
        if name in registry.registered():
            registry.remove(name)
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", [*(f"mine_{kind}" for kind in FILES), "mine_preset"])
def test_it_is_listed(folder, capsys, name):
    screen.show()
    assert re.search(rf"^{name} ", capsys.readouterr().out, re.MULTILINE)


def test_an_implementation_is_in_the_plan_of_a_preset(folder):
    cases = plan(spec.spec(spec.preset("mine_preset"), {}, {})).cases
    assert "mine_implementation" in [case.implementation for case in cases]
    assert {case.problem.height for case in cases} == {8}


def test_a_report_and_a_metric_are_on_the_page(folder):
    frame = with_metrics(frame_of(attention_record("mine_implementation", samples=(1.0,) * 6)))
    rendered = {name: output.shown(name, entry(frame)) for name, entry in REPORTS.items()}
    html = page(frame, rendered, {"run": {}}, "mine")
    assert "What my report shows" in html
    assert "1 rows of mine" in html
    assert re.search(r'"name":"mine_metric"', html)
    measurement = [entry.name for entry in sorted(REPORTS.values(), key=lambda entry: entry.place)]
    assert measurement.index("timm_throughput") + 1 == measurement.index("mine_report")


def test_a_command_is_run_and_its_exit_code_is_the_program_s(folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["halobench", "mine_command"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code, capsys.readouterr().out) == (3, "mine ran\n")


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("commands", "### `halobench mine_command`\n\nDo what mine does."),
        ("metrics", "| `mine_metric` | Half the time [x, higher is better] |"),
        ("reports", "| `mine_report` | measurement | What my report shows |"),
        ("presets", "| `mine_preset` | A preset of one file. |"),
    ],
)
def test_it_is_in_the_reference_that_is_generated(folder, monkeypatch, table, name):
    monkeypatch.syspath_prepend(ROOT / "docs")
    tables = __import__("tables")
    assert name in getattr(tables, table)()


def test_an_implementation_is_in_the_reference_by_the_first_line_of_its_file(folder, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    tables = __import__("tables")
    monkeypatch.setattr(tables, "KERNELS", folder)
    assert (
        "| `mine_implementation` | Values as they are: an implementation of one file |"
        in tables.implementations()
    )
