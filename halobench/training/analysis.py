"""What came of training: from rows, one per run and epoch, to points and tables."""

from math import inf

import pandas as pd
from scipy import stats

from halobench import units
from halobench.report.markdown import Cells
from halobench.report.style import ordered

CURVES = ["run", "model", "implementation", "block", "halo", "width", "params", "image_size"]
CURVES += ["seed", "device", "dtype", "epoch", "loss", "losses", "accuracy", "tested", "seconds", "reason"]
PUBLISHED = ["model", "family", "label", "image_size", "params", "top1", "source", "verified"]
HALONET, CONVOLUTION = "HaloNet", "convolution in its place"  # families


def compared(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the network that every implementation was trained in."""
    first = frame.iloc[0]
    return frame[(frame["model"] == first["model"]) & (frame["seed"] == first["seed"])]


def differences(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the relative differences to the first implementation's losses: the largest of an epoch's steps.

    Epoch by implementation; infinite where a loss is no number.
    """
    steps = rows.dropna(subset="epoch").explode("losses").astype({"losses": float})
    steps["step"] = steps.groupby("implementation").cumcount()
    losses = steps.pivot(index=["epoch", "step"], columns="implementation", values="losses")
    losses = losses[ordered(losses.columns)]
    apart = losses.iloc[:, 1:].div(losses.iloc[:, :1].squeeze(axis=1), axis=0).sub(1).abs()
    return apart.fillna(inf).groupby("epoch").max()


def furthest(frame: pd.DataFrame, dtype: str) -> float:
    """The largest of them; 0 where nothing was compared."""
    rows = compared(frame)
    return float(differences(rows[rows["dtype"] == dtype]).to_numpy().max(initial=0.0))


def points(frame: pd.DataFrame, implementation: str) -> pd.DataFrame:
    """A row a network with this attention inside, with the columns of published figures and the spread.

    `top1` is the mean of the seeds, `least` and `most` are the extremes, `low` and `high` Wilson's 95 %
    interval of that mean on so many test images.
    """
    rows = frame[(frame["dtype"] == "float32") & frame["implementation"].isin(["", implementation])]
    last = rows[rows["epoch"] == rows["epoch"].max()]
    return pd.DataFrame(_point(part) for _, part in last.groupby("model", sort=False))


def _point(part: pd.DataFrame) -> dict[str, object]:
    row, accuracy = part.iloc[0], part["accuracy"]
    halo = "" if pd.isna(row["halo"]) else f" b{row['block']:.0f} h{row['halo']:.0f}"
    test = stats.binomtest(round(accuracy.mean() * row["tested"]), int(row["tested"]))
    low, high = test.proportion_ci(method="wilson")
    point = {
        "model": row["model"],
        "family": HALONET if halo else CONVOLUTION,
        "label": f"w{row['width']}{halo}",
        "image_size": row["image_size"],
        "params": row["params"],
        "top1": accuracy.mean(),
        "source": f"scikit-learn's digits, mean of {part['seed'].nunique()} seeds",
        "verified": True,
    }
    return point | {"least": accuracy.min(), "most": accuracy.max(), "low": low, "high": high}


def compared_table(rows: pd.DataFrame) -> Cells:
    """An implementation and dtype a line; what could not be trained has the reason."""
    cells = [["implementation", "dtype", "accuracy", "largest difference of a loss", "an epoch", "left out"]]
    for dtype, part in rows.groupby("dtype", sort=False):
        apart = differences(part).max()
        for name in ordered(part["implementation"]):
            own = part[part["implementation"] == name]
            last, difference = own.iloc[-1], apart.get(name)
            shown = units.NOTHING if difference is None else f"{difference:.1e}"
            measured = units.percent(last["accuracy"]), shown, units.seconds(own["seconds"].median())
            cells.append([name, str(dtype), *measured, "" if pd.isna(last["reason"]) else last["reason"]])
    return cells


def points_table(found: pd.DataFrame) -> Cells:
    """A network a line."""
    cells = [["network", "parameters", "accuracy", "seeds from", "to", "95 % interval"]]
    for row in found.to_dict("records"):
        mean, least, most, low, high = (
            units.percent(row[name]) for name in ("top1", "least", "most", "low", "high")
        )
        name = f"{row['family']} {row['label']}"
        cells.append([name, str(row["params"]), mean, least, most, f"{low} to {high}"])
    return cells
