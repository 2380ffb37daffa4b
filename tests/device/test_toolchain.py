"""What is missing to compile is said before anything is compiled."""

import sysconfig

from halobench.device import toolchain


def test_on_a_gpu_nothing_more_is_needed(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert toolchain.missing("cuda") is None


def test_the_compiler_is_the_first_word_of_the_variable(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler --fast")
    assert toolchain.missing("cpu") == "needs no-such-compiler"


def test_the_header_files_of_python_are_needed(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "python3")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert toolchain.missing("cpu") == "needs the header files of Python"
    (tmp_path / "Python.h").touch()
    assert toolchain.missing("cpu") is None
