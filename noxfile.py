"""The checks of this repository, each a session; CI runs the defaults."""

import nox

nox.options.default_venv_backend = "none"  # one environment, with its large torch wheel
nox.options.sessions = ["lint", "types", "tests"]


@nox.session
def lint(session: nox.Session) -> None:
    """Formatting, lint rules, and which layer may import which."""
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("lint-imports")
    session.run("cog", "-I", "docs", "--check", "docs/reference.md")


@nox.session
def types(session: nox.Session) -> None:
    """Types of the package and its plug-ins."""
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Everything that runs without a GPU."""
    run = "pytest", "-n", "auto", "--maxprocesses", "4", "--dist", "load", *session.posargs
    one_thread = {"OMP_NUM_THREADS": "1"}  # of each process: together they have a core each
    session.run(*run, "-m", "not gpu", env=one_thread)
    session.run(*run, "-m", "interpreted", env=one_thread | {"TRITON_INTERPRET": "1"})


@nox.session
def thorough(session: nox.Session) -> None:
    """Random problems, ten times as many as `tests` has; some twenty minutes."""
    many = {"OMP_NUM_THREADS": "1", "HALOBENCH_THOROUGH": "10"}
    session.run("pytest", "-n", "auto", "tests/attention/test_random_problems.py", *session.posargs, env=many)


@nox.session
def docs(session: nox.Session) -> None:
    """Write the tables of the reference anew."""
    session.run("cog", "-I", "docs", "-r", "docs/reference.md")


@nox.session
def gpu(session: nox.Session) -> None:
    """What a GPU can tell in minutes, the most telling first; again: goes on."""
    session.run("python", "-m", "halobench", "campaign", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Our implementations beside timm's own layer, interleaved, as ratios; minutes."""
    session.run("python", "tests/bench/against_timm.py", *session.posargs)
