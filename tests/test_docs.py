import re
from pathlib import Path

import pytest

from halobench.attention.implementation import IMPLEMENTATIONS
from halobench.cli import app
from halobench.report.contract import REPORTS
from halobench.results.derived import METRICS
from halobench.sweep.spec import presets

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = "\n".join([README, *(path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("docs/*.md")))])
COMMANDS = [entry.name for entry in app().registered_commands]
EXAMPLES = re.findall(
    r"^```python\n(.*?)^```", README + (ROOT / "docs/models.md").read_text(), re.MULTILINE | re.DOTALL
)
NAMES = {
    "implementation": IMPLEMENTATIONS,
    "metric": METRICS,
    "report": REPORTS,
    "preset": presets(),
    "command": COMMANDS,
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, id=f"{kind} {name}") for kind, names in NAMES.items() for name in names]
)
def test_every_name_is_in_the_docs(name):
    assert re.search(rf"(?<![\w-]){name}(?![\w-])", DOCS)


@pytest.mark.parametrize("extra", ["-e .", "-e '.[dev]'"], ids=["to measure", "to develop"])
def test_the_readme_says_how_to_install(extra):
    assert f"pip install -c constraints.txt {extra} " in README


@pytest.mark.parametrize("code", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_examples_run(code):
    exec(compile(code, "example", "exec"), {"__name__": "readme"})


def test_the_readme_has_an_example():
    assert EXAMPLES
