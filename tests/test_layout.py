"""Rules of the layout beside the layers, which import-linter checks (`[tool.importlinter]` in pyproject)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = [ROOT / name for name in ("halobench", "kernels", "reports")]
SOURCES = [path for folder in FOLDERS for path in sorted(folder.rglob("*.py"))]
PACKAGES = [path for path in SOURCES if path.name == "__init__.py"]
PLUGINS = [path for path in SOURCES if path.parent in FOLDERS]


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: path.stem)
def test_a_plugin_imports_only_private_files_of_its_folder(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            assert (node.module or "").startswith("_")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: path.parent.name)
def test_a_package_exports_names_and_does_nothing_else(path):
    docstring, *others = ast.parse(path.read_text(encoding="utf-8")).body
    assert isinstance(docstring, ast.Expr)
    assert all(isinstance(node, ast.Import | ast.ImportFrom | ast.Assign) for node in others)
