from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from halobench.device.fake import FakeClock
from halobench.doctor import checks, examine, gpu_checks
from halobench.doctor.checks import Finding
from halobench.screens import doctor

TORCH = [Requirement("torch>=2.11,<2.16")]
GIB = 2**30

VERDICTS = {
    "a supported Python": (checks.python("3.12.1", ">=3.11,<3.14"), "ok", "3.12.1"),
    "an old Python": (checks.python("3.10.0", ">=3.11,<3.14"), "bad", "supported is >=3.11,<3.14"),
    "a supported torch": (checks.packages({"torch": "2.14.1+cpu"}, TORCH), "ok", "torch 2.14.1+cpu"),
    "an old torch": (checks.packages({"torch": "2.10"}, TORCH), "bad", "torch 2.10 (needs torch<2.16,"),
    "no torch": (checks.packages({"torch": None}, TORCH), "bad", "torch missing"),
    "as pinned": (checks.pinned({"torch": "2.14.1+cpu", "x": "1"}, {"torch": "2.14.1"}), "ok", "constraints"),
    "not as pinned": (checks.pinned({"torch": "2.15"}, {"torch": "2.14.1"}), "warn", "2.15 (pinned 2.14.1)"),
    "a peer that is missing": (checks.peers({"natten": None}), "ok", "natten not installed"),
    "a compiler": (checks.compiler(None), "ok", "all that torch.compile needs"),
    "no compiler": (checks.compiler("needs g++"), "warn", "needs g++"),
    "no GPU": (checks.cuda(None), "ok", "no device"),
    "a thread a core": (checks.threads(4, 4, None), "ok", "4 of torch, 4 cores"),
    "two threads a core": (checks.threads(8, 4, None), "warn", "8 of torch"),
    "less than a core": (checks.threads(1, 2, 0.5), "bad", "1 of torch, 2 cores, limited to 0.5"),
    "more threads than allowed": (checks.threads(4, 4, 1.5), "bad", "limited to 1.5"),
    "a quiet machine": (checks.load({"a": 0.02, "b": 0.01}, 0.1), "ok", "0.03 cores (a 0.02, b 0.01)"),
    "another program": (checks.load({"a": 0.3}, 0.1), "warn", "a 0.3"),
    "a full core": (checks.load({"a": 1.0}, 0.1), "bad", "a 1"),
    "an untold frequency": (checks.frequency(None, None), "ok", "not told"),
    "a steady frequency": (checks.frequency("performance", False), "ok", "boost off"),
    "a saving governor": (checks.frequency("powersave", False), "warn", "powersave"),
    "boost": (checks.frequency("performance", True), "warn", "boost on"),
    "no swap": (checks.swap(0), "ok", "not in use"),
    "swap": (checks.swap(2 * GIB), "warn", "2 GiB in use"),
    "much memory": (checks.space("memory", 16 * GIB), "ok", "16 GiB free"),
    "little memory": (checks.space("memory", 2 * GIB), "warn", "2 GiB free"),
    "no memory": (checks.space("memory", GIB / 2), "bad", "512 MiB free"),
    "no disk": (checks.space("disk", 0), "bad", "0 B free"),
    "a machine of its own": (checks.virtual(False, 0.0), "ok", "no"),
    "a guest": (checks.virtual(True, 0.012), "warn", "1.2% of its time"),
    "a fine clock": (checks.timer(40e-9), "ok", "40 ns"),
    "a coarse clock": (checks.timer(1e-3), "bad", "1 ms"),
    "no noise": (checks.noise([1e-3] * 20), "ok", "0.0% apart, worst 1x"),
    "some noise": (checks.noise([1.0, 1.05] * 10), "warn", "4.9% apart"),
    "much noise": (checks.noise([1.0, 2.0] * 10), "bad", "apart"),
    "a late sample": (checks.noise([1.0] * 20 + [3.0]), "warn", "worst 3x"),
}  # fmt: skip


@pytest.mark.parametrize(("finding", "verdict", "found"), VERDICTS.values(), ids=VERDICTS)
def test_a_check_says_what_it_found(finding, verdict, found):
    assert finding.verdict == verdict
    assert found in finding.found


@pytest.mark.parametrize("finding", [found for found, *_ in VERDICTS.values()], ids=VERDICTS)
def test_what_is_not_fit_comes_with_what_to_do(finding):
    assert finding.verdict == "ok" or finding.advice


def files(root, **content):
    for name, text in content.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_frequency_is_read_where_the_system_tells(tmp_path):
    assert (examine.governor(tmp_path), examine.boost(tmp_path)) == (None, None)
    files(tmp_path, devices__system__cpu__cpu0__cpufreq__scaling_governor="powersave\n")
    files(tmp_path, devices__system__cpu__cpufreq__boost="1\n")
    assert (examine.governor(tmp_path), examine.boost(tmp_path)) == ("powersave", True)
    files(tmp_path, devices__system__cpu__intel_pstate__no_turbo="1\n")
    assert examine.boost(tmp_path) is False


def test_pins_are_read_without_comments():
    assert examine.pins("# why\ntorch==2.14.1  # here\n\ntimm==1.0.31") == {
        "torch": "2.14.1",
        "timm": "1.0.31",
    }


def test_products_are_timed_until_they_took_long_enough():
    assert examine.product_times(FakeClock([9.0] * 10 + [0.01] * 200), 1.5) == [0.01] * 200


class Nvml:
    """What a driver answers; a name that is not given raises."""

    NVMLError = OSError
    NVML_CLOCK_SM = NVML_MEMORY_ERROR_TYPE_UNCORRECTED = NVML_VOLATILE_ECC = 0

    def __init__(self, **answers):
        self.answers = {"Init": 0, "DeviceGetHandleByUUID": 0} | answers

    def __getattr__(self, name):
        def answer(*asked):
            if name.removeprefix("nvml") not in self.answers:
                raise OSError("not supported")
            return self.answers[name.removeprefix("nvml")]

        return answer


FIT = {
    "DeviceGetPersistenceMode": 1,
    "DeviceGetClockInfo": 1980,
    "DeviceGetMaxClockInfo": 1980,
    "DeviceGetCurrentClocksEventReasons": 0x1,
    "DeviceGetComputeRunningProcesses": [],
    "DeviceGetEccMode": (1, 1),
    "DeviceGetTotalEccErrors": 0,
}
UNFIT = {
    "persistence off": ({"DeviceGetPersistenceMode": 0}, Finding("gpu persistence", "warn", "off")),
    "too hot": (
        {"DeviceGetCurrentClocksEventReasons": 0x61},
        Finding("gpu throttling", "bad", "software thermal slowdown, hardware thermal slowdown"),
    ),
    "shared": (
        {"DeviceGetComputeRunningProcesses": [SimpleNamespace(pid=-1)]},
        Finding("gpu company", "bad", "1 others: -1"),
    ),
    "broken memory": (
        {"DeviceGetTotalEccErrors": 2},
        Finding("gpu memory", "bad", "2 errors not corrected"),
    ),
}


def test_a_gpu_that_is_fit_has_nothing_against_it():
    assert {finding.verdict for finding in gpu_checks.findings(Nvml(**FIT), "one")} == {"ok"}


@pytest.mark.parametrize(("answers", "expected"), UNFIT.values(), ids=UNFIT)
def test_what_is_wrong_with_a_gpu_is_named(answers, expected):
    (found,) = (one for one in gpu_checks.findings(Nvml(**FIT | answers), "one") if one.verdict != "ok")
    assert (found.name, found.verdict, found.found) == (expected.name, expected.verdict, expected.found)
    assert found.advice


def test_a_question_that_a_driver_does_not_answer_is_said():
    told = gpu_checks.findings(
        Nvml(**{name: answer for name, answer in FIT.items() if "Ecc" not in name}), "one"
    )
    assert [found.found for found in told if found.verdict == "warn"] == ["not told: not supported"]


def test_without_a_driver_there_is_one_line():
    silent = Nvml()
    del silent.answers["Init"]
    assert [found.name for found in gpu_checks.findings(silent, "one")] == ["gpu"]


@pytest.mark.parametrize(
    ("verdicts", "code"), [(["ok", "warn"], 0), (["bad", "ok"], 1)], ids=["fit", "unfit"]
)
def test_one_bad_finding_makes_the_exit_code_1(monkeypatch, capsys, verdicts, code):
    found = [Finding(f"check {n}", verdict, "as found", "do this") for n, verdict in enumerate(verdicts)]
    monkeypatch.setattr(doctor, "findings", lambda: iter(found))
    assert doctor.show() == code
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == verdicts
    assert lines[0].endswith("as found: do this")


def test_this_machine_can_be_asked(monkeypatch):
    monkeypatch.setattr(examine, "WATCHED_S", 0.01)
    monkeypatch.setattr(examine, "SAMPLED_S", 0.01)
    found = {finding.name: finding.verdict for finding in examine.findings()}
    assert {"python", "packages", "threads", "load", "noise", "memory", "disk", "clock"} <= set(found)
    assert (found["python"], found["packages"]) == ("ok", "ok")
