import pytest
from cases import attention_record, frame_of, model_record

from halobench.device.usage import Usage
from halobench.report import summary
from halobench.report.caveats import doubts
from halobench.report.contract import REPORTS
from halobench.results.derived import with_metrics

QUIET = Usage(calls=10, user_s=1.0, system_s=0.05, page_faults=20, wall_s=1.0, others_s=0.05)
FAULTING = Usage(calls=10, user_s=1.0, system_s=1.0, page_faults=8660, voluntary_switches=30, wall_s=1.0)
BUSY = Usage(calls=10, user_s=1.0, wall_s=2.0, others_s=1.8)


def frame(*usages):
    return with_metrics(
        frame_of(*(attention_record(f"code_{place}", usage=usage) for place, usage in enumerate(usages)))
    )


def test_a_quiet_run_leaves_no_doubt():
    assert list(doubts(frame(QUIET))) == []
    assert REPORTS["usage"](frame(QUIET)) == (
        "In none of 1 cases did the system or other processes have a tenth.\n"
    )


def test_a_run_of_an_older_schema_says_nothing_of_it():
    assert list(doubts(frame(Usage()))) == []
    assert REPORTS["usage"](frame(Usage())) == "No case on a CPU says what its time is made of.\n"


def test_system_time_over_a_tenth_is_said_with_its_causes():
    (line,) = doubts(frame(QUIET, FAULTING))
    assert line.startswith("system time is over a tenth of the CPU time in 1 of 2 cases, most in code_1/")
    assert line.endswith(": 50.0%, with 866 page faults and 3 waits a call")


def test_other_processes_are_said():
    (line,) = doubts(frame(QUIET, BUSY))
    assert "over 0.1 of a core during 1 of 2 cases, most during code_1/" in line
    assert line.endswith(": 0.9 cores; stop them and measure again")


def test_the_report_lists_what_is_in_doubt_the_largest_share_of_the_system_first():
    lines = REPORTS["usage"](frame(QUIET, BUSY, FAULTING)).splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| code")]
    assert [(row[0], *row[3:]) for row in cells] == [
        ("code_2", "100 ms", "100 ms", "50.0%", "866", "3", "0", "0"),
        ("code_1", "100 ms", "0 ns", "0.0%", "0", "0", "0", "0.9"),
    ]


def test_the_report_tells_problems_apart_beside_networks_which_have_other_axes():
    small, large = (attention_record(height=size, width=size, usage=FAULTING) for size in (16, 32))
    networks = model_record(usage=FAULTING), model_record("timm/resnet50", "", usage=FAULTING)
    told = REPORTS["usage"](with_metrics(frame_of(small, large, *networks)))
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in told.splitlines()[4:]]
    assert [(name, problem.split(", ")[:2]) for name, problem in rows] == [
        ("haloed_blocked", ["16x16", "b8 h3"]),
        ("haloed_blocked", ["32x32", "b8 h3"]),
        ("haloed_blocked", ["halonet_h0", "128 px"]),
        ("-", ["timm/resnet50", "128 px"]),
    ]


ON_A_GPU = {"device": "cuda", "samples": (1e-3,) * 6}


def test_a_host_that_takes_longer_than_the_device_is_said():
    slow, quick = model_record(**ON_A_GPU, samples_host=(5e-3,) * 6), model_record("a", **ON_A_GPU)
    (line,) = doubts(with_metrics(frame_of(quick, slow)))
    assert line.startswith("the host takes longer than the device in 1 of 2 cases, where one call after")
    assert "most in halonet_h0/haloed_blocked/inference/2x128px/float32/cuda: 5 ms for 1 ms" in line
    assert list(doubts(with_metrics(frame_of(quick)))) == []


def test_images_come_at_the_pace_of_the_host_and_reports_show_its_time():
    slow = model_record(**ON_A_GPU, samples_host=(5e-3,) * 6)
    frame = with_metrics(frame_of(slow, model_record("timm/resnet50", "", samples=(1e-3,) * 6)))
    assert frame["images_per_second"].tolist() == pytest.approx([400, 2000])
    told = REPORTS["models"](frame)
    assert "1 ms ±0.0%, host 5 ms" in told
    assert told.count("host 5 ms") == told.count(", host ") == 1
    assert summary.table(frame)[2][0][1] == ("1 ms (host 5 ms)", True)
