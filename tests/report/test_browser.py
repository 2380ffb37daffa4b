"""What the page does when it is opened and used, in headless Chromium, from disk."""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess

import pytest
from cases import attention_record, frame_of, model_record

from halobench import units
from halobench.report.html.page import page
from halobench.results.derived import with_metrics
from halobench.sweep.command_line import command
from halobench.sweep.spec import RunSettings

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium and no google-chrome here"),
]
QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
QUIET += ["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"]
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
RECORDS = [
    attention_record(samples=tuple(1e-3 * count for count in range(1, 4)) * 3),  # 2 ms
    attention_record("naive_global", samples=(4e-3,) * 6),
    attention_record(samples=(8e-3,) * 6, height=32, width=32),
    attention_record(samples=(6e-3,) * 6, direction="forward_backward"),
    attention_record("naive_global", status="failed", reason=HOSTILE, direction="forward_backward"),
    model_record(f"timm/{HOSTILE}", "original"),
]
NUMBERS = {
    "seconds": [0.0, 4e-10, 4.15e-6, 0.0009999, 0.9996, 12.34, 4e3],
    "bytes": [0, 1023, 1024, 12_345_678, 2**31, 5e13],
    "flop": [12, 999.6, 1e6, 3.456e9, 2.5e15],
    "count": [7, 25_557_032, 5.488e6],
    "number": [1.234e-7, 0.01239, 5, 99.96, 1234.4],
    "ratio": [0.0692, 1, 38.31],
    "percent": [0.7934, 1],
}
READ = {"seconds": units.seconds, "bytes": units.bytes_, "flop": units.flop, "count": units.count}
READ |= {"number": units.number, "ratio": units.ratio, "percent": units.percent}
HARNESS = """
const failed = [];
addEventListener("error", (event) => failed.push(event.message));
console.error = (...words) => failed.push(words.join(" "));
const all = (selector) => [...document.querySelectorAll(selector)];
const set = (id, value) => {
  find(id).value = value;
  find(id).dispatchEvent(new Event("input", { bubbles: true }));
};
const click = (selector) => document.querySelector(selector).click();
const shown = (name) => all(`#table tbody td.${name}`).map((cell) => cell.textContent);
const drawn = () => ["svg", ".mark", ".interval"].map((kind) => all(`#chart ${kind}`).length);
const seen = { opened: [find("count").textContent, find("drawn").textContent, drawn()] };

const head = '#table th[data-name="time_s"]';
seen.sorted = ["up", "down", "measured"].map(() => {
  document.querySelector(`${head} button`).focus();
  document.activeElement.click();
  return [document.activeElement.parentNode.getAttribute("aria-sort"), shown("time_s")];
});
set("search", "naive fail");
seen.searched = [shown("implementation"), shown("status"), location.hash];
click("#reset");
set("only_direction", "forward");
seen.filtered = [shown("direction"), drawn()[1], find("only_direction").className];
click("#reset");
click("#column_status");
seen.hidden = [shown("status").length, shown("time_s").length, csv(CASES, state).split("\\n")[0]];
set("y", "speedup");
seen.speedup = drawn();
set("y", "peak_bytes");
set("facet", "");
seen.memory = [drawn(), all("#chart text").map((label) => label.textContent)];
set("x", "implementation");
seen.words = [drawn()[1], find("logx").disabled];
document.querySelector(".mark").focus();
document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
seen.chosen = [find("chosen").hidden, find("chosen").innerText, document.activeElement.ariaLabel];
click("#close");
const { x, y, width } = all(".mark").at(-1).getBoundingClientRect();
const near = { clientX: x + width, clientY: y + width, bubbles: true };
all(".mark").at(-1).ownerSVGElement.dispatchEvent(new PointerEvent("pointermove", near));
seen.pointed = [find("chosen").hidden, find("chosen").innerText, all(".mark.chosen").length];
click("#table tbody tr:last-child");
seen.hostile = [find("chosen").innerText, all("img").length];
seen.numbers = Object.entries(GIVEN).map(([kind, values]) => [kind, values.map(READ[kind])]);
seen.failed = failed;
document.body.append(element("pre", { id: "seen" }, JSON.stringify(seen)));
"""


def opened(path, address=""):
    """The document after its scripts have run, and what Chromium had to say."""
    command = [CHROMIUM, *QUIET, f"--user-data-dir={path.parent / 'profile'}", "--dump-dom"]
    done = subprocess.run(
        [*command, path.as_uri() + address], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def source():
    return page(
        with_metrics(frame_of(*RECORDS)),
        {"not_measured": HOSTILE},
        {"run": {"cpu": HOSTILE}},
        HOSTILE,
        command=lambda row: command(row, RunSettings()),
    )


def used(source, script, folder):
    """The document after a script has used the page, and what was said; its digest lets it in."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    path = folder / "report.html"
    path.write_text(
        source.replace("script-src", f"script-src 'sha256-{digest}'").replace(
            "</body>", f"<script>{script}</script></body>"
        ),
        encoding="utf-8",
    )
    return opened(path)


@pytest.fixture(scope="module")
def seen(source, once):
    """What a script that uses the page found."""

    def using(folder):
        script = f"const GIVEN = {json.dumps(NUMBERS)};{HARNESS}"
        document, complaints = used(source, script, folder)
        assert complaints == []
        return json.loads(html.unescape(re.search(r'<pre id="seen">(.*?)</pre>', document, re.DOTALL)[1]))

    return once("used-page", using)


def test_the_page_as_it_is_takes_its_state_from_its_address(source, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(source, encoding="utf-8")
    document, complaints = opened(path, "#sort=-time_s&only_direction=forward")
    assert complaints == []
    assert re.findall(r'class="number time_s"[^>]*>([^<]*)', document) == ["8 ms", "4 ms", "2 ms"]


def test_a_run_in_which_nothing_was_measured_opens(tmp_path):
    record = model_record(samples=(), status="failed", reason="no luck")
    path = tmp_path / "report.html"
    path.write_text(page(with_metrics(frame_of(record)), {}, {}, "nothing"), encoding="utf-8")
    document, complaints = opened(path)
    assert complaints == []
    assert ">no luck</td>" in document


def test_all_cases_are_in_the_table_and_those_with_a_time_in_the_chart(seen):
    listed, drawn, (panels, marks, intervals) = seen["opened"]
    assert listed == "6 of 6 cases"
    assert drawn == "5 of 6 cases drawn; the others have no time over resolution that can be drawn"
    assert (panels, marks, intervals) == (3, 5, 5)


def test_a_click_on_a_head_sorts_up_then_down_then_as_measured(seen):
    up, down, measured = seen["sorted"]  # the focus stays on the head: what it says is read from there
    assert up == ["ascending", ["2 ms", "4 ms", "6 ms", "8 ms", "200 ms", "-"]]
    assert down == ["descending", ["200 ms", "8 ms", "6 ms", "4 ms", "2 ms", "-"]]
    assert measured == [None, ["2 ms", "4 ms", "8 ms", "6 ms", "-", "200 ms"]]


def test_words_and_choices_filter_table_and_chart(seen):
    assert seen["searched"] == [["naive_global"], ["failed"], "#search=naive+fail"]
    assert seen["filtered"] == [["forward"] * 3, 3, "used"]


def test_a_column_is_hidden_from_table_and_csv(seen):
    status, times, header = seen["hidden"]
    assert (status, times) == (0, 6)
    assert "time_s,spread" in header
    assert "status" not in header


def test_the_chart_draws_what_is_chosen(seen):
    assert seen["speedup"] == [1, 2, 0]  # panels, cases, intervals: one problem has a baseline
    drawn, labels = seen["memory"]
    assert drawn == [1, 5, 0]
    assert {"peak memory", "1 MiB", "64 MiB", "resolution", "128x128"} <= set(labels)
    assert seen["words"] == [5, True]


def test_arrows_go_from_case_to_case_and_say_what_it_is(seen):
    hidden, words, label = seen["chosen"]
    assert not hidden
    assert label == "naive_global/forward/2x4x16x16d16/b8h3/mask/none/float32/cpu2: 1 MiB"
    assert "4 ms, 95 % interval 4 ms to 4 ms; 6 samples" in words
    assert "halobench sweep smoke --workload attention --resolution 16x16" in words
    assert "--implementation naive_global" in words


def test_a_pointer_means_the_nearest_case(seen):
    hidden, words, marked = seen["pointed"]
    assert (hidden, marked) == (False, 1)
    assert "inference/2x128px" in words


def test_hostile_names_are_shown_as_text(seen):
    words, images = seen["hostile"]
    assert f"timm/{HOSTILE}" in words
    assert images == 0


@pytest.mark.parametrize("kind", NUMBERS)
def test_the_page_writes_numbers_as_python_does(seen, kind):
    assert dict(seen["numbers"])[kind] == [READ[kind](value) for value in NUMBERS[kind]]


def test_nothing_goes_wrong_unseen(seen):
    assert seen["failed"] == []


def test_a_page_without_commands_describes_its_cases(tmp_path):
    source = page(with_metrics(frame_of(*RECORDS)), {}, {"run": {}}, "a run")
    document, complaints = used(source, 'document.querySelector("#table tbody tr").click();', tmp_path)
    assert complaints == []
    chosen = re.search(r'id="chosen".*?</dl>', document, re.DOTALL)[0]
    assert RECORDS[0].case.id in chosen
    assert "again with" not in chosen
