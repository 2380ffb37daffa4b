"""Imports run one way: a module may use those of the lines above its own."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = [
    {"registry", "plugins", "problem", "clock", "text", "stats", "published", "files", "toolchain", "tuning"}
    | {"allocator", "openmp", "compile_cache", "ptxas", "undefined"},
    {
        "attention",
        "record",
        "metrics",
        "doubts",
        "report",
        "hard",
        "standard",
        "case_id",
        "parts_figure",
        "kinds",
    },
    {
        "oracle",
        "layer",
        "store",
        "probes",
        "environment",
        "summary",
        "learned",
        "digits",
        "recipe",
        "plausible",
        "trial",
    },
    {"ceiling_kernels", "inspection"},
    {"ceilings"},
    {"check", "models", "compare", "doctor"},
    {"prepare", "spec", "accuracy", "learning"},
    {"sampling"},
    {"prepare_attention", "prepare_model", "sweep", "run"},
    {"worker", "html", "progress", "outcome", "parts", "operators"},
    {"doctor_gpu"},
    {
        "execute",
        "listing",
        "checking",
        "comparing",
        "models_table",
        "accuracy_table",
        "explaining",
        "training",
        "doctoring",
        "inspecting",
        "estimate",
    },
    {"sweeping", "verdicts", "campaign_speed"},
    {"campaign_sweep", "campaign_summary"},
    {"campaign_parts", "campaign_merge"},
    {"campaign"},
    {"cli"},
    {"__main__"},
]
DATA = {"data", "presets"}


def imported(path: Path) -> set[str]:
    """The modules of halobench that a file imports, `from halobench import x` counted as x."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            parent, _, child = (node.module or "").partition(".")
            if parent == "halobench":
                found |= {child.split(".")[0]} if child else {alias.name for alias in node.names}
    return found


def files_of(module: str) -> list[Path]:
    path = ROOT / "halobench" / f"{module}.py"
    return [path] if path.exists() else sorted((ROOT / "halobench" / module).glob("*.py"))


def test_imports_point_down():
    below: set[str] = set()
    for layer in LAYERS:
        for name in sorted(layer):
            for path in files_of(name):
                assert imported(path) <= below | {name}, path
        below |= layer


def test_every_module_has_a_layer():
    modules = {path.stem for path in (ROOT / "halobench").glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in (ROOT / "halobench").glob("*/__init__.py")}
    assert modules | packages == set.union(*LAYERS) | DATA


def test_plugins_use_the_lower_layers_only():
    for path in [*ROOT.glob("kernels/*.py"), *ROOT.glob("reports/*.py")]:
        assert imported(path) <= LAYERS[0] | LAYERS[1], path


def test_plugins_import_only_private_files_of_their_folder():
    for path in [*ROOT.glob("kernels/*.py"), *ROOT.glob("reports/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert (node.module or "").startswith("_"), path


@pytest.mark.parametrize("path", sorted(ROOT.glob("halobench/**/*.py")), ids=lambda path: path.stem)
def test_every_file_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
