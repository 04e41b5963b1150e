"""The table of a sweep: one row a cell, one column a fact, the same bytes whatever order the cells were done in."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simulations.sweep.axes import Value, number
from simulations.sweep.content import portable
from simulations.sweep.ledger import RESULT, Ledger, LedgerError, outcome

if TYPE_CHECKING:
    import pandas as pd

_TEXT, _REAL, _WHOLE, _TRUTH = "string", "float64", "Int64", "bool"
NUMBERS = (
    *("L", "rho", "sigma", "sigma_tilde", "sigma_H", "Delta", "a", "alpha", "eps", "zeta", "shift"),
    *("B", "D_in", "D_o", "D_h", "B_step", "D_step"),
)
COUNTS = ("dim", "tasks", "N", "T", "iterations", "replicates", "seed")
RENAMED = {"T": "asked_T"}
SCHEMA: dict[str, str] = {
    "key": _TEXT,
    "kind": _TEXT,
    "claim": _TEXT,
    "version": _TEXT,
    "method": _TEXT,
    "family": _TEXT,
    **dict.fromkeys(NUMBERS, _REAL),
    **{RENAMED.get(name, name): _WHOLE for name in COUNTS},
    "common_random_numbers": _TRUTH,
    "delta": _REAL,
    "status": _TEXT,
    "reason": _TEXT,
    "evidence": _TEXT,
    "lhs": _REAL,
    "rhs": _REAL,
    "slack": _REAL,
    "expected": _TRUTH,
    "T": _WHOLE,
    "T_median": _REAL,
    "passed": _WHOLE,
    "smallest": _REAL,
    "diverged": _WHOLE,
    "draws": _WHOLE,
    "log_e": _REAL,
    "parameters": _TEXT,
    "replay": _TEXT,
}
"""Columns in their order and their types in pandas; docs/sweeps.md says what each means."""


def row(key: str, content: str, found: dict[str, object]) -> dict[str, object]:
    """One row of the table: `SCHEMA`.

    Args:
        key: of the cell.
        content: of the cell, as text.
        found: the fields of its Outcome.
    """
    cell = json.loads(content)
    options, family = cell["options"], cell["family"]
    given: dict[str, Value] = {**family, **options}
    numbers = {name: _float(given.get(name)) for name in NUMBERS}
    counts = {RENAMED.get(name, name): _count(given.get(name)) for name in COUNTS}
    who = {name: cell.get(name) for name in ("kind", "claim", "version", "method")}
    results = {name: found[name] for name in RESULT if name != "state"} | {"expected": bool(found["expected"])}
    return {
        "key": key,
        **who,
        "family": family["family"],
        **numbers,
        **counts,
        "common_random_numbers": bool(cell.get("common")),
        "delta": cell.get("delta"),
        **results,
        "parameters": json.dumps({"family": family, "options": options}, sort_keys=True),
        "replay": portable(cell),
    }


def _float(value: Value | None) -> float | None:
    found = None if value is None else number(value)
    return None if found is None else float(found)


def _count(value: Value | None) -> int | None:
    return value if isinstance(value, int) else None


def rows(ledger: Ledger) -> Iterator[dict[str, object]]:
    """Of every cell, in order of the keys."""
    for each in ledger.rows():
        yield row(each[0], each[1], vars(outcome(each)))


def frame(folder: str | Path) -> pd.DataFrame:
    """The table of a ledger's folder, finished or not.

    Raises:
        LedgerError: there is no ledger, or it cannot be read.
    """
    with Ledger(folder) as ledger:
        return _typed(list(rows(ledger)))


def _typed(found: list[dict[str, object]]) -> pd.DataFrame:
    import pandas as pd

    columns = {}
    for name, kind in SCHEMA.items():
        values = [each[name] for each in found]
        if kind == _REAL:
            values = np.array([np.nan if value is None else value for value in values], dtype=float)
        columns[name] = pd.array(values, dtype=kind) if kind != _REAL else values
    return pd.DataFrame(columns)


def digest(ledger: Ledger) -> str:
    """SHA-256 of the table's rows: of what was found, not of how or when."""
    found = hashlib.sha256()
    for each in rows(ledger):
        found.update(json.dumps(list(each.values())).encode() + b"\n")
    return found.hexdigest()


def export(folder: str | Path, file: str | Path, form: str) -> int:
    """Write the table; an older file is replaced whole or not at all. How many rows.

    Args:
        folder: of the ledger.
        file: to write.
        form: "parquet" or "csv".

    Raises:
        LedgerError: the ledger cannot be read, or the file not be written.
    """
    table, part = frame(folder), Path(f"{file}.part")
    try:
        if form == "parquet":
            table.to_parquet(part, index=False)
        else:
            table.to_csv(part, index=False)
        os.replace(part, file)
    except OSError as error:
        raise LedgerError(f"cannot write to {file}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
    return len(table)
