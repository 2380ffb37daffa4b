import base64
import hashlib
import json
import re
import shlex

import pytest
from cases import attention_record, frame_of, model_record

from halobench.cli import main
from halobench.report import output
from halobench.report.contract import REPORTS
from halobench.report.html.columns import data
from halobench.report.html.page import page
from halobench.results.derived import with_metrics
from halobench.screens import sweep
from halobench.sweep.command_line import command
from halobench.sweep.plan import plan
from halobench.sweep.spec import RunSettings

SCRIPT = "</script><script>alert('x')</script>"
ENVIRONMENT = {
    "command": f"halobench sweep {SCRIPT}",
    "started": "2026-11-23T05:36:00+00:00",
    "commit": "aa9fec10c0e2",
    "cpu": "AMD EPYC",
    "cores": 2,
    "packages": {"torch": "2.14.1", "triton": None},
    "gpu": {"name": SCRIPT, "driver": None},
}
RECORDS = [
    attention_record(samples=(1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 6e-3, 7e-3)),
    attention_record(
        "naive_global", samples=(), status="failed", reason=f"{SCRIPT} ![x](https://example.org/x.png)"
    ),
    model_record(f"timm/{SCRIPT}\u2028"),
]
ASKED = {
    "defaults": attention_record(),
    "a map that is not square": attention_record(height=8, width=24, direction="forward_backward"),
    "every option": attention_record(
        *("sdpa_blocked",),
        **{"block": 4, "halo": 1, "stride": 2, "dim_qk": 8, "dim_v": 24, "border": "zero", "position": "sum"},
        **{"offset": "compact", "scale": 0.125, "position_scale": 1 / 3, "dtype": "bfloat16"},
    ),
    "ours": model_record(direction="training", dtype="bfloat16", layout="channels_last"),
    "as published": model_record("timm/halonet26t", "original", image_size=256),
    "without attention": model_record("timm/resnet50", ""),
}


def frame(*records):
    return with_metrics(frame_of(*records))


def page_of(*records, environments=None, **options):
    table = frame(*records)
    rendered = {name: output.shown(name, render(table)) for name, render in REPORTS.items()}
    return page(table, rendered, environments or {"out/run": ENVIRONMENT}, "a run", **options)


def embedded(html):
    return json.loads(re.search(r'<script id="data" type="application/json">(.*)</script>', html)[1])


def column(content, name):
    place = [entry["name"] for entry in content["columns"]].index(name)
    return [row[place] for row in content["rows"]]


@pytest.fixture(scope="module")
def html():
    return page_of(*RECORDS, headlines=[f"headline {SCRIPT}"])


def test_nothing_in_a_run_becomes_markup(html):
    assert html.count("<script") == html.count("</script>") == 2  # the data and ours
    assert html.count("alert(") >= 4  # headline, environment, reason, model: shown as text


def test_what_is_embedded_can_not_end_its_element(html):
    written = re.search(r'type="application/json">(.*)</script>', html)[1]
    assert not re.search("[<>&\u2028\u2029]", written)
    assert column(embedded(html), "model")[2] == f"timm/{SCRIPT}\u2028"


def test_the_page_needs_no_network(html):
    addresses = re.findall(r"""(?:src|href|srcset|action|data)\s*=\s*["']?([^"'\s>]+)""", html)
    assert addresses
    assert all(address.startswith(("#", "data:image/svg+xml;base64,")) for address in addresses)
    assert not re.search(r"@import|url\(|<link|<iframe|<object|fetch\(|XMLHttpRequest|innerHTML", html)


def test_only_the_script_of_the_page_may_run(html):
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in html
    )


def test_every_figure_is_in_the_page_and_every_link_has_its_place(html):
    table = frame(*RECORDS)
    figures = [name for name, render in REPORTS.items() if not isinstance(render(table), str)]
    images = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", html)
    assert len(images) == len(figures) > 3
    assert all(b"<svg" in base64.b64decode(image) for image in images)
    assert set(re.findall(r'href="#([^"]+)"', html)) == set(re.findall(r'<section id="([^"]+)"', html))


def test_markdown_tables_become_tables(html):
    models = html[html.index('<section id="report-models">') :]
    assert ">implementation</th>" in models[: models.index("</section>")]


def test_what_most_come_for_stands_first(html):
    order = re.findall(r'<section id="(?:report-)?([^"]+)"', html)
    assert order[:2] == ["time_over_resolution", "speedup"]
    assert order.index("time_over_resolution") < order.index("models") < order.index("not_measured")
    assert order[-4:] == ["explorer", "cases", "published_sources", "environment"]


def test_the_top_says_where_it_was_measured_and_how_to_do_it_again(html):
    top = html[: html.index("<nav")]
    assert "AMD EPYC, 2 cores · torch 2.14.1 · 2026-11-23 05:36:00 UTC · commit aa9fec10c0e2" in top
    assert "· again with <code>halobench sweep &lt;/script&gt;" in top


def test_environments_of_several_runs_stand_apart():
    html = page_of(RECORDS[0], environments={"out/one": ENVIRONMENT, "out/two": {"seed": 0}})
    assert re.findall(r"<h3>(.*)</h3>", html) == ["out/one", "out/two"]
    assert '<th scope="row">gpu.driver</th>' in html
    assert '<th scope="row">seed</th>' in html


def test_the_data_holds_every_case_in_base_units():
    content = data(frame(*RECORDS))
    assert column(content, "time_s") == [0.004, None, 0.2]
    assert column(content, "spread")[0] == pytest.approx(
        0.75
    )  # samples of 1 to 7 ms, all of them its interval
    assert column(content, "resolution") == ["16x16", "16x16", "128x128"]
    assert column(content, "status") == ["ok", "failed", "ok"]


def test_columns_without_a_value_and_raw_samples_are_left_out():
    names = [entry["name"] for entry in data(frame(RECORDS[0]), str)["columns"]]
    assert {"model", "image_size", "reserved_bytes", "samples_s"}.isdisjoint(names)
    assert {"case", "samples", "throughput", "command"} <= set(names)


def test_shown_at_first_is_what_differs_among_the_cases_of_a_workload():
    content = data(frame(attention_record(halo=1), attention_record(halo=3), model_record()))
    shown = {entry["name"] for entry in content["columns"] if entry["shown"]}
    assert {"workload", "halo", "resolution", "time_s", "spread"} >= shown - {
        *("status", "peak_bytes", "flop", "flop_executed", "samples")
    }
    assert {"workload", "halo", "time_s"} <= shown


def test_a_metric_is_read_by_its_unit():
    kinds = {entry["name"]: entry["kind"] for entry in data(frame(*RECORDS))["columns"]}
    assert (kinds["waste"], kinds["throughput"]) == ("ratio", "number")


@pytest.mark.parametrize("record", ASKED.values(), ids=ASKED)
def test_the_command_of_a_case_plans_this_case_alone(record, monkeypatch):
    (row,) = frame_of(record).to_dict("records")
    words = shlex.split(command(row, RunSettings(seconds=0.7, seed=3)))
    monkeypatch.setattr(sweep, "show_plan", lambda wanted: asked.append(wanted) or 0)
    asked = []
    monkeypatch.setattr("sys.argv", [*words, "--plan"])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert plan(asked[0]).cases == [record.case]
    assert asked[0].run == RunSettings(seconds=0.7, seed=3)


def test_a_page_of_two_hundred_cases_is_small():
    records = [attention_record(batch=batch) for batch in range(1, 201)]
    assert len(page_of(*records)) < 2_500_000


def test_a_run_without_cases_has_a_page():
    html = page_of()
    assert "Everything that was planned was measured." in html
    assert "<script" not in html


def test_a_run_of_attention_alone_has_no_sections_about_networks():
    html = page_of(attention_record(), attention_record("naive_global"))
    shown, _, others = html.partition('<details id="empty">')
    assert "accuracies" not in shown
    assert "No model was measured." not in shown
    assert "<li>Published accuracy over parameters: No network was planned.</li>" in others
    assert others.count("<li>") >= 7
    assert 'href="#report-models"' not in html
