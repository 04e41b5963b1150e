"""The verdict table of a ledger and its coverage, as data and as text; works on a ledger that is not finished."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulations import evidence
from simulations.sweep.coordinator import planned
from simulations.sweep.export import rows
from simulations.sweep.ledger import Ledger

STATUSES = ("HOLDS", "VIOLATED", "UNDECIDED", "NOT_APPLICABLE", "MEASURED", "ERROR", "lost")


@dataclass
class Line:
    """The cells of one claim and version, or of one method, on one family.

    counts: by status. unexpected: violations of a proved version. slack: the least. T: the largest.
    """

    who: str
    version: str
    family: str
    counts: Counter
    unexpected: int = 0
    slack: float = math.inf
    T: int | None = None

    @property
    def record(self) -> dict[str, object]:
        """As plain data."""
        counts = {status: self.counts[status] for status in STATUSES}
        slack = self.slack if math.isfinite(self.slack) else None
        return {"claim_or_method": self.who, "version": self.version, "family": self.family, **counts} | {
            "unexpected": self.unexpected,
            "least_slack": slack,
            "largest_T": self.T,
        }


@dataclass(frozen=True)
class Report:
    """What a ledger says.

    cells: how many there are to be. lines: by claim, version and family. notes: what else a reader must know.
    trouble: some cells that are violated, errors or lost, as (key, reason).
    """

    cells: int
    lines: list[Line]
    notes: list[str]
    trouble: list[tuple[str, str, str]]

    @property
    def counts(self) -> Counter:
        """Cells by status."""
        return sum((line.counts for line in self.lines), Counter())

    @property
    def coverage(self) -> str:
        """How many of the cells are there, in one line."""
        done, shown = sum(self.counts.values()), [f"{n} {status}" for status, n in self.counts.items()]
        share = 100 * done / self.cells if self.cells else 100.0
        return f"{done} of {self.cells} cells ({share:.1f} %): {', '.join(shown) or 'nothing yet'}"

    @property
    def code(self) -> int:
        """The exit code: 1 a proved version is violated, 4 errors, 3 something undecided or not done, 0 else."""
        counts = self.counts
        if any(line.unexpected for line in self.lines):
            return 1
        if counts["ERROR"] + counts["lost"]:
            return 4
        return 3 if counts["UNDECIDED"] or sum(counts.values()) < self.cells else 0


def report(folder: str | Path, most_trouble: int = 10) -> Report:
    """Read a ledger.

    Args:
        folder: of the ledger.
        most_trouble: cells to name.

    Raises:
        LedgerError: there is none, or it cannot be read.
    """
    lines: dict[tuple[str, str, str], Line] = {}
    trouble, sampled, common = [], [], False
    with Ledger(folder) as ledger:
        cells = planned(ledger.configured())
        for row in rows(ledger):
            who = (row["claim"] or row["method"], row["version"] or "", row["family"])
            line = lines.setdefault(who, Line(*who, Counter()))
            line.counts[row["status"]] += 1
            bad = row["status"] == "VIOLATED" and not row["expected"]
            line.unexpected += bad
            if row["slack"] is not None:
                line.slack = min(line.slack, row["slack"])
            if row["T"] is not None:
                line.T = max(line.T or 0, row["T"])
            if (bad or row["status"] in ("ERROR", "lost")) and len(trouble) < most_trouble:
                trouble.append((row["key"], row["status"], row["reason"]))
            if row["draws"]:
                sampled.append((row["log_e"], row["status"], row["delta"]))
            common = common or row["common_random_numbers"]
    ordered = [lines[who] for who in sorted(lines)]
    return Report(cells, ordered, list(_notes(sampled, common)), trouble)


def _notes(sampled: list[tuple[float, str, float]], common: bool):
    if sampled:
        delta = max(each[2] for each in sampled)
        values = np.exp(np.minimum([each[0] for each in sampled], 700.0))
        kept, found = int(evidence.rejected(values, delta).sum()), sum(each[1] == "VIOLATED" for each in sampled)
        yield (
            f"{len(sampled)} cells were sampled, each decided wrongly with probability at most {delta:g}; {found} are "
            f"violated, and e-BH keeps {kept} at a false discovery rate of {delta:g}"
        )
    if common:
        yield (
            "the cells share their random numbers: differences between cells have less noise, but the cells are not "
            "independent, so errors of averages over cells cannot be taken from their spread; the guarantee of each "
            "cell and of e-BH holds all the same"
        )
