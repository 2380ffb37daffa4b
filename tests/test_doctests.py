"""The examples in docstrings of public functions run, and give what they say."""

import doctest
import importlib

import pytest

PUBLIC = {
    "halobench.attention.functional": "halo_attention",
    "halobench.attention.layer": "HaloAttention",
    "halobench.attention.implementation": "attention",
    "halobench.models.zoo": "create",
    "halobench.models.swap": "use",
    "halobench.report.contract": "report",
    "halobench.results.derived": "metric",
}


@pytest.mark.parametrize(("module", "name"), PUBLIC.items(), ids=PUBLIC.values())
def test_the_example_of_a_public_name_runs(module, name):
    public = getattr(importlib.import_module(module), name)
    (test,) = doctest.DocTestFinder(recurse=False).find(
        public, name, globs=dict(vars(importlib.import_module(module)))
    )
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0
