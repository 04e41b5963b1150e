"""The worst instances that search has found, one for each constant it could use up, kept in `worst.json`.

The file keeps the largest share of each constant among several runs of `mamlbound search --all --json`, at budgets up
to 200. Its cells are among those of an ordinary check, so a constant cut below the share that is kept here is seen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from simulations.verdicts.cell import Cell
from simulations.verdicts.key import read

_FILE = Path(__file__).with_name("worst.json")


@dataclass(frozen=True)
class Worst:
    """The instance that uses up most of a published constant: share of it, and the replay key of the cell."""

    claim: str
    constant: str
    share: float
    key: str

    @cached_property
    def cell(self) -> Cell:
        """The cell of the key."""
        return read(self.key)


def worst_cases() -> list[Worst]:
    """What the file keeps."""
    return [Worst(**each) for each in json.loads(_FILE.read_text())]
