"""Runs of code whose speed is known, under noise at three levels: the hour, the process, the sample.

`python tests/noise.py` prints the table of `docs/method.md`: how often identical code is called slower or
faster, and how often a change of a fifth of the cases is found.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from halobench.comparison import compare

CASES, SAMPLES = 40, 60


@dataclass(frozen=True)
class Noise:
    """Standard deviations of the logarithm of a time."""

    hour: float  # all of a run alike
    process: float
    sample: float  # each like the one before it, by 0.6; and 3 in 100 are late by a tenth on average

    def samples(self, chance, level):
        steps = chance.normal(0, self.sample * (1 - 0.6**2) ** 0.5, SAMPLES)
        late = (chance.random(SAMPLES) < 0.03) * chance.exponential(0.1, SAMPLES)
        series = lfilter([1], [1, -0.6], steps) + late
        return tuple(1e-3 * np.exp(level + chance.normal(0, self.process) + series))


MACHINES = {
    "GPU with locked clocks": Noise(0.005, 0.003, 0.008),
    "quiet virtual machine": Noise(0.01, 0.01, 0.015),
    "busy machine": Noise(0.02, 0.05, 0.03),
    "runners that differ": Noise(0.15, 0.03, 0.03),
}


def side(noise, chance, *, processes=1, cases=CASES, grown=()):
    """What `compare` takes; the first cases have times grown by these factors."""
    hour = chance.normal(0, noise.hour)
    levels = hour + np.log(np.append(grown, np.ones(cases - len(grown))))
    series = [[noise.samples(chance, level) for _ in range(processes)] for level in levels]
    known = {"status": "ok", "reason": "", "error": 0.0, "peak_bytes": 1.0}
    return pd.DataFrame([known | {"series": one} for one in series], index=[f"{i:03}" for i in range(cases)])


def called(noise, *, processes, growth=1.0, changed=0, rounds=100):
    """Of comparisons the share in which a case is called that did not change; of changes the share called."""
    chance = np.random.default_rng(0)
    alarms, found = 0, 0.0
    for _ in range(rounds):
        sides = (side(noise, chance, processes=processes, grown=grown) for grown in ((), [growth] * changed))
        table = compare.compare(*sides).sort_values("case")
        hits = table["verdict"].isin(["slower", "faster"]).to_numpy()
        alarms += hits[changed:].any()
        found += hits[:changed].mean() if changed else 0.0
    return alarms / rounds, found / rounds


if __name__ == "__main__":
    print("| machine | processes a side | false alarms | +10 % found | +20 % found | +50 % found |")
    for name, noise in MACHINES.items():
        for processes in (1, 5):
            alarms, _ = called(noise, processes=processes, rounds=200)
            some = {"processes": processes, "changed": 8, "rounds": 25}
            shares = [called(noise, growth=growth, **some)[1] for growth in (1.1, 1.2, 1.5)]
            print(f"| {name} | {processes} | {alarms:.1%} |", *(f"{share:.0%} |" for share in shares))
