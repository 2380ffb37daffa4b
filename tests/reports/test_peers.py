from cases import attention_record, frame_of

from halobench.report.contract import REPORTS
from halobench.results.derived import with_metrics


def shown(*records):
    return REPORTS["peers"](with_metrics(frame_of(*records)))


def test_the_share_of_our_copies_is_of_the_whole_time():
    record = attention_record(
        "timm_halo", samples=(4e-3,) * 6, samples_adapt=(1e-3, 9e-3, 1e-3), border="zero"
    )
    line = shown(record).splitlines()[-1]
    assert line.startswith("| timm_halo | 16x16, b8 h3, zero, batch 2, ")
    assert line.endswith(" | bhyxd | 4 ms | 1 ms | 25.0% |")


def test_what_copies_nothing_is_not_listed():
    assert "sdpa_blocked" not in shown(
        attention_record("sdpa_blocked"), attention_record(samples_adapt=(1e-4,))
    )


def test_slow_ones_of_a_name_come_last():
    records = [
        attention_record(name, batch=batch, samples=(batch * 1e-3,) * 6, samples_adapt=(1e-4,))
        for name, batch in (("timm_halo", 3), ("natten", 9), ("timm_halo", 2))
    ]
    cells = [line.split(" | ") for line in shown(*records).splitlines()[-3:]]
    assert [(name.strip("| "), time) for name, _, _, time, *_ in cells] == [
        ("natten", "9 ms"), ("timm_halo", "2 ms"), ("timm_halo", "3 ms"),
    ]  # fmt: skip


def test_without_such_code_it_says_so():
    assert shown(attention_record()) == (
        "No case of others' code that needs its inputs in another form was measured.\n"
    )
