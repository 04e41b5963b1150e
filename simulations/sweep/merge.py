"""Two ledgers as one, by the keys of their cells."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

from simulations.sweep.content import PHYSICS
from simulations.sweep.ledger import FILE, RESULT, Ledger, LedgerError

_AT_ONCE = 1000
_PLACES = {name: 2 + k for k, name in enumerate(RESULT)}
_DIGEST = 2 + len(RESULT)


def merge(sources: list[str | Path], folder: str | Path) -> int:
    """Unite ledgers in a new one; how many cells it has.

    A cell that was sampled further in one of them is taken from there; otherwise two results of one cell must be the
    same.

    Args:
        sources: folders of ledgers.
        folder: of the new one, which must not have a ledger.

    Raises:
        LedgerError: a ledger cannot be read or written, or two do not agree; then nothing is left in the folder.
    """
    target = Path(folder)
    if (target / FILE).exists():
        raise LedgerError(f"{target} has a ledger already: give a new folder with -o")
    for source in sources:
        Ledger(source).close()
    try:
        with Ledger(target, write=True) as whole:
            for source in sources:
                with Ledger(source) as part:
                    _add(part, whole)
            return sum(whole.counts().values())
    except BaseException:
        for file in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
            (target / file).unlink(missing_ok=True)
        raise


def _add(part: Ledger, whole: Ledger) -> None:
    physics = part.physics
    if physics != str(PHYSICS):
        raise LedgerError(f"{part.folder} was computed with physics {physics}, this program has physics {PHYSICS}")
    whole.configure(
        *((row["hash"], row["part"], row["cells"], row["text"], json.dumps(row["record"], sort_keys=True))
          for row in part.configured())
    )  # fmt: skip
    numbers = {number: whole.begin(provenance) for number, provenance in part.provenance().items()}
    rows = part.rows()
    while some := list(islice(rows, _AT_ONCE)):
        known = {row[0]: row for row in whole.found([row[0] for row in some])}
        for row in some:
            if row[0] in known:
                _compare(known[row[0]], row, whole, part)
        whole.insert([(*row[:-2], numbers.get(row[-2]), row[-1]) for row in some])


def _compare(one: tuple, other: tuple, whole: Ledger, part: Ledger) -> None:
    draws = [row[_PLACES["draws"]] or 0 for row in (one, other)]
    failed = any(row[_PLACES["status"]] in ("ERROR", "lost") for row in (one, other))
    if one[1] != other[1] or (one[_DIGEST] != other[_DIGEST] and draws[0] == draws[1] and not failed):
        told = " and ".join(
            f"{name} = {one[place]!r} and {other[place]!r}"
            for name, place in _PLACES.items()
            if one[place] != other[place]
        )
        raise LedgerError(
            f"{part.folder} does not agree with what is merged before it: cell {one[0]} has {told}; "
            f"`mamlbound replay {one[0]} --ledger {part.folder}` tells which is right"
        )
