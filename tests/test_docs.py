import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(
    r"^```python\n(.*?)^```", README + (ROOT / "docs/models.md").read_text(), re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("extra", ["-e .", "-e '.[dev]'"], ids=["to measure", "to develop"])
def test_the_readme_says_how_to_install(extra):
    assert f"pip install -c constraints.txt {extra} " in README


@pytest.mark.parametrize("code", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_examples_run(code):
    exec(compile(code, "example", "exec"), {"__name__": "readme"})


def test_the_readme_has_an_example():
    assert EXAMPLES
