"""The columns of the frame: what each holds, in which unit, and under which heading people see it.

The frame's types, the Parquet schema, the headings and units of the page, and the table of the reference
follow from it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from halobench import axes

Kind = Literal["word", "prose", "list", "seconds", "bytes", "flop", "count", "number", "percent"]
TEXT = ("word", "prose")


@dataclass(frozen=True)
class Column:
    """A column of the frame.

    Attributes:
        name: in the frame and in every file.
        kind: what a value is and how it is written; prose is a word that takes lines.
        about: a sentence for the reference.
        heading: what people see, where that is not the name without its underscores and unit.
    """

    name: str
    kind: Kind
    about: str
    heading: str = ""

    @property
    def dtype(self) -> str:
        """The type in the frame."""
        return "object" if self.kind in (*TEXT, "list") else "float64"

    @property
    def parquet(self) -> pa.DataType:
        """The type in a Parquet file, also where no row has a value."""
        if self.kind == "list":
            return pa.list_(pa.float64())
        return pa.string() if self.kind in TEXT else pa.float64()

    @property
    def head(self) -> str:
        """What stands above the column."""
        return self.heading or self.name.removesuffix("_s").replace("_", " ")


SAMPLES = "samples_s"
ASKED = (
    Column("case", "word", "Id of the case."),
    Column("workload", "word", "Attention or a model."),
    *(
        Column(field, "number" if field in axes.NUMBERS else "word", f"Axis `{axis.option}`.")
        for field, axis in axes.BY_FIELD.items()
    ),
)
MEASURED = (
    Column("status", "word", "`ok`, or why there is no time."),
    Column("reason", "prose", "One line that says why, where the status is not `ok`."),
    Column("error", "number", "Largest relative Frobenius error of output and gradients."),
    Column("time_s", "seconds", "Median of the samples.", "time"),
    Column("time_low_s", "seconds", "Lower end of its 95 % interval, from order statistics."),
    Column("time_high_s", "seconds", "Upper end of its 95 % interval."),
    Column("time_min_s", "seconds", "Shortest sample."),
    Column("time_p10_s", "seconds", "A tenth of the samples is shorter."),
    Column("time_p90_s", "seconds", "A tenth of the samples is longer."),
    Column("samples", "number", "How many samples there are."),
    Column("time_hot_s", "seconds", "On a GPU, median of calls back to back, where `time_s` is cold."),
    Column("host_s", "seconds", "Median time until the call returned; on a CPU that is the time itself."),
    Column(
        "adapt_s", "seconds", "Median time of what our wrapper of others' code does to the inputs, apart."
    ),
    Column("compile_s", "seconds", "First call less a steady one, and less `tune_s`."),
    Column("tune_s", "seconds", "Trials of a kernel's configurations, in the first call."),
    Column("user_s", "seconds", "CPU time of all threads in the program, per timed call."),
    Column("system_s", "seconds", "CPU time of all threads in the system, per timed call."),
    Column(
        "page_faults", "number", "Pages of memory that a timed call touched for the first time, on average."
    ),
    Column("voluntary_switches", "number", "Times a thread of a timed call waited, on average."),
    Column("involuntary_switches", "number", "Times a thread of a timed call was put aside, on average."),
    Column("others_cores", "number", "Cores that other processes and machines used during the samples."),
    Column("warmup_s", "seconds", "Calls before times were steady, all of them."),
    Column(
        "peak_bytes",
        "bytes",
        "Most bytes live at once during a call, output included, inputs not.",
        "peak memory",
    ),
    Column("reserved_bytes", "bytes", "On a GPU, what torch's allocator held.", "reserved memory"),
    Column("flop", "flop", "[Useful operations](semantics.md#work-asked-for).", "useful operations"),
    Column("flop_executed", "flop", "Operations that the implementation executes.", "executed operations"),
    Column("min_bytes", "bytes", "Bytes that any implementation must move.", "least traffic"),
    Column("params", "count", "Parameters of a network.", "parameters"),
    Column("top1", "percent", "Published top-1 accuracy of a network at that size.", "top-1 accuracy"),
    Column("config", "word", "Configuration that kernels ran with."),
    Column(
        "device_state", "prose", "On a GPU, clock rate, power and throttling before and after the samples."
    ),
    Column("ended", "word", "When the last of its measurements was over, UTC."),
    Column("traceback", "prose", "That of the exception behind `failed` or `oom`."),
    Column(SAMPLES, "list", "Every sample; not in the CSV file."),
)
COLUMNS = (*ASKED, *MEASURED)
BY_NAME = {column.name: column for column in COLUMNS}


def schema(names: Iterable[str]) -> pa.Schema:
    """Return the Parquet schema of a frame with these columns; those of metrics hold numbers."""
    known = {name: column.parquet for name, column in BY_NAME.items()} | {"run": pa.string()}
    return pa.schema([(name, known.get(name, pa.float64())) for name in names])
