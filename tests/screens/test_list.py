import importlib.metadata
from importlib.metadata import EntryPoint

import pytest

from halobench import plugins
from halobench.attention.implementation import GROUP, IMPLEMENTATIONS
from halobench.models import zoo
from halobench.report.contract import REPORTS
from halobench.results.derived import METRICS
from halobench.screens import list
from halobench.sweep.spec import presets


@pytest.fixture
def listed(capsys):
    list.show()
    return capsys.readouterr().out


NAMES = {
    "implementations": IMPLEMENTATIONS,
    "metrics": METRICS,
    "reports": REPORTS,
    "presets": presets(),
    "models": zoo.LISTED,
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_everything_that_has_a_name_is_listed(listed, names):
    first_words = {line.split()[0] for line in listed.splitlines() if line.strip()}
    assert set(names) <= first_words


def test_nothing_of_what_is_said_gets_lost(listed):
    words = " ".join(listed.split())
    assert all(f"[{entry.unit}] {entry.better} is better" in words for entry in METRICS.values())
    assert all(about in words for about in presets().values())


def test_a_published_accuracy_is_listed(listed):
    (line,) = (line for line in listed.splitlines() if line.startswith("halonet_h0 "))
    assert "256 px, halo attention inside, top-1 77.9% with H0" in line
    assert "top-1 78.8% with tf_efficientnet_b1.aa_in1k" in " ".join(listed.split())


def test_what_was_left_out_is_listed_with_the_reason(tmp_path, monkeypatch, capsys):
    (tmp_path / "needs_much.py").write_text("import no_such_package")
    monkeypatch.syspath_prepend(tmp_path)
    mine = EntryPoint(name="needs_much", value="needs_much", group=GROUP)
    real = importlib.metadata.entry_points
    monkeypatch.setattr(
        plugins, "entry_points", lambda group: [*real(group=group), *[mine] * (group == mine.group)]
    )
    list.show()
    assert "left out: needs_much, needs no_such_package" in capsys.readouterr().out
