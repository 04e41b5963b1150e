"""What an audit found: one line first, then what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from simulations.verdicts import Verdict
from theory import Claim

if TYPE_CHECKING:
    import pandas as pd

Outcome = Literal["violated", "proved", "not refuted", "undecided"]


@dataclass(frozen=True)
class Seen:
    """A planted fault, and where the claim is violated by it: instance, left over right; "" where it goes unseen."""

    fault: str
    instance: str
    ratio: float | None


@dataclass(frozen=True)
class Used:
    """A constant of the claim and the share of it that an instance uses up; None where none was found to need it."""

    constant: str
    value: str
    share: float | None
    key: str | None


@dataclass(frozen=True)
class Audit:
    """What was found of a claim.

    claim: audited. outcome: "violated" by an instance, "proved" by a certificate that replays, "not refuted" by all
    that was tried, or "undecided" where no instance could be decided. certificate: "replays", "does not replay" or
    "none". cells: (instance, Verdict) of the exact checks. worst: the cell with the least room. tried: cells of the
    search. faults, constants: tables.
    """

    claim: Claim
    outcome: Outcome
    certificate: str
    cells: Sequence[tuple[str, Verdict]]
    worst: Verdict | None
    tried: int
    faults: Sequence[Seen]
    constants: Sequence[Used]

    @property
    def verdict(self) -> str:
        """One line."""
        decided = sum(found.status in ("HOLDS", "VIOLATED") for _, found in self.cells) + self.tried
        room = sides = ""
        if self.worst is not None:
            room = f"the least room, right over left {self.worst.slack:.4g}, is on {self.worst.cell.family.name}"
            sides = f"on {self.worst.cell.family.name}: left {self.worst.lhs:.6g}, right {self.worst.rhs:.6g}"
        return {
            "violated": f"{self.claim.id} is VIOLATED {sides}",
            "proved": f"{self.claim.id} is PROVED: its certificate replays; {room}",
            "not refuted": f"{self.claim.id} is NOT REFUTED by {decided} cells, which is no proof; {room}",
            "undecided": f"{self.claim.id} is UNDECIDED: no instance shows it",
        }[self.outcome]

    @property
    def key(self) -> str | None:
        """Replays the worst cell; None where there is none, or its claim is in no file."""
        return self.worst and self.worst.replayable

    @property
    def table(self) -> pd.DataFrame:
        """The exact checks, one row a cell: instance and what `Verdict.row` says."""
        import pandas as pd

        return pd.DataFrame([{"instance": name, **found.row()} for name, found in self.cells])

    def record(self) -> dict[str, object]:
        """Everything, for JSON."""
        return {
            "claim": self.claim.id,
            "statement": str(self.claim.statement),
            "outcome": self.outcome,
            "verdict": self.verdict,
            "certificate": self.certificate,
            "key": self.key,
            "searched": self.tried,
            "cells": [{"instance": name, **found.row()} for name, found in self.cells],
            "faults": [asdict(each) for each in self.faults],
            "constants": [asdict(each) for each in self.constants],
        }

    def __str__(self) -> str:
        return self.verdict
