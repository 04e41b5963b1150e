"""Whether a ledger is what it says: the file, the keys, the digests; and one cell done again."""

from __future__ import annotations

import json
from dataclasses import astuple, fields
from pathlib import Path

from simulations.kernels import CACHE_FOLDER
from simulations.sweep.content import PHYSICS, key, written
from simulations.sweep.coordinator import planned
from simulations.sweep.evaluate import Outcome, evaluated
from simulations.sweep.ledger import Ledger, digest, outcome
from simulations.verdicts.sampled import BLOCK

_STATUSES = {"HOLDS", "VIOLATED", "UNDECIDED", "NOT_APPLICABLE", "MEASURED", "ERROR", "lost"}
_SHOWN = 10


def audit(folder: str | Path) -> tuple[list[str], list[str]]:
    """Examine a ledger: what is wrong with it, and what is worth knowing.

    Raises:
        LedgerError: there is none, or it cannot be read at all.
    """
    wrong, notes, count = [], [], 0
    with Ledger(folder) as ledger:
        wrong += [f"SQLite: {text}" for text in ledger.integrity()]
        if ledger.physics != str(PHYSICS):
            notes.append(f"it was computed with physics {ledger.physics}, this program has physics {PHYSICS}")
        for row in ledger.rows():
            count += 1
            wrong += [f"cell {row[0]}: {text}" for text in _faults(row, ledger.physics == str(PHYSICS))]
            if len(wrong) > _SHOWN:
                wrong.append("and perhaps more")
                break
        cells = planned(ledger.configured())
        if count > cells:
            wrong.append(f"it has {count} cells, its configurations have {cells}")
        runs = ledger.provenance().values()
        notes.append(f"{count} of {cells} cells, written in {len(runs)} runs")
        if any(each["sources"] != CACHE_FOLDER.name for each in runs):
            notes.append("some cells were computed by other sources than these; `mamlbound replay` compares")
    return wrong, notes


def _faults(row: tuple, same_physics: bool):
    try:
        cell, found = json.loads(row[1]), outcome(row)
    except ValueError as error:
        yield f"its content is no JSON: {error}"
        return
    if row[1] != written(cell) or (same_physics and key(cell) != row[0]):
        yield "its key is not that of its content"
    if digest(row[0], astuple(found)) != row[-3]:
        yield "its result is not the one that was written"
    if found.status not in _STATUSES:
        yield f"there is no status {found.status!r}"


def again(folder: str | Path, start: str) -> tuple[str, dict, Outcome, Outcome]:
    """Do one cell of a ledger again: key, content, what is written, what was found now.

    Args:
        folder: of the ledger.
        start: of the key.

    Raises:
        LedgerError: there is no such cell.
    """
    with Ledger(folder) as ledger:
        name, text, before = ledger.row(start)
    cell = json.loads(text)
    return name, cell, before, anew(cell, before.draws or 0)


def anew(cell: dict, draws: int = 0) -> Outcome:
    """Do a cell, with so many draws where it needs any."""
    found = evaluated(cell)
    while found.state and found.draws < draws and found.status == "UNDECIDED":
        found = evaluated(cell, found.state, max(1, found.draws // BLOCK))
    return found


def differences(one: Outcome, other: Outcome) -> list[str]:
    """What differs, field by field."""
    names = [each.name for each in fields(Outcome)]
    pairs = ((name, getattr(one, name), getattr(other, name)) for name in names)
    return [f"{name}: {before!r} is written, {now!r} is found now" for name, before, now in pairs if before != now]
