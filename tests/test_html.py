import base64
import re

import pytest
from cases import attention_record, frame_of, model_record

from halobench import html, plugins, report
from halobench.metrics import with_metrics
from halobench.report import REPORTS

plugins.load_all(report.GROUP)
SCRIPT = "<script>alert('x')</script>"
RECORDS = [
    attention_record(samples=(1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 6e-3, 7e-3)),
    attention_record(
        "naive_global", samples=(), status="failed", reason=f"{SCRIPT} ![x](https://example.org/x.png)"
    ),
    model_record(f"timm/{SCRIPT}"),
]


def page_of(*records, **options):
    frame = with_metrics(frame_of(*records))
    rendered = {name: render(frame) for name, render in REPORTS.items()}
    return html.page(
        frame, rendered, {"gpu": {"name": SCRIPT, "driver": None}, "seed": 0}, "a run", **options
    )


@pytest.fixture(scope="module")
def page():
    return page_of(*RECORDS, headline=f"headline {SCRIPT}")


def test_nothing_in_a_run_becomes_markup(page):
    assert "<script" not in page
    assert page.count("alert(") >= 4  # headline, environment, reason, model: shown as text


def test_the_page_needs_no_network(page):
    addresses = re.findall(r"""(?:src|href|srcset|action|data)\s*=\s*["']?([^"'\s>]+)""", page)
    assert addresses
    assert all(address.startswith(("#", "data:image/svg+xml;base64,")) for address in addresses)
    assert not re.search(r"@import|url\(|<link|<iframe|<object", page)


def test_every_figure_is_in_the_page_and_every_link_has_its_place(page):
    frame = with_metrics(frame_of(*RECORDS))
    figures = [name for name, render in REPORTS.items() if not isinstance(render(frame), str)]
    images = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page)
    assert len(images) == len(figures) > 3
    assert all(b"<svg" in base64.b64decode(image) for image in images)
    assert set(re.findall(r'href="#([^"]+)"', page)) == set(re.findall(r'<section id="([^"]+)"', page))


def test_every_case_has_a_row_with_the_number_in_full(page):
    cases = page[page.index('<section id="cases">') : page.index('<section id="environment">')]
    assert cases.count("<tr") == 1 + len(RECORDS)
    assert 'data-value="0.004" title="0.004">4 ms ±75.0%</td>' in cases
    assert 'data-value="" title="">-</td>' in cases


def test_markdown_tables_become_tables(page):
    models = page[page.index('<section id="models">') :]
    assert ">implementation</th>" in models[: models.index("</section>")]


def test_what_most_come_for_stands_first(page):
    order = re.findall(r'<section id="([^"]+)"', page)
    assert order[:2] == ["speedup", "time_over_resolution"]
    assert order[-3:] == ["published_sources", "cases", "environment"]


def test_environment_shows_nested_entries_by_their_path(page):
    assert '<th scope="row">gpu.driver</th>' in page
    assert '<th scope="row">seed</th>' in page


def test_a_run_without_cases_has_a_page():
    assert "Everything that was planned was measured." in page_of()
