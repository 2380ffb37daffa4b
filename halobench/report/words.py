"""Problems and cases in words, as tables and figures name them."""

from collections.abc import Collection

from halobench.axes import BY_NAME, SAID, Row

MAP = SAID["resolution"]
BLOCK_HALO = SAID["block"]


def said(row: Row, columns: Collection[str], *, usual: bool = True) -> str:
    """Say what these columns ask for, in words; what goes without saying is left out unless `usual`."""
    told = [BY_NAME[name] for name, fields in SAID.items() if not set(fields).isdisjoint(columns)]
    return ", ".join(axis.said(row) for axis in told if usual or not axis.goes_without_saying(row))


def map_name(row: Row) -> str:
    return BY_NAME["resolution"].said(row)


def block_halo_name(row: Row) -> str:
    return BY_NAME["block"].said(row)
