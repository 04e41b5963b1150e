"""The ledger of a sweep: SQLite in a folder, one writer, and a cell counts as done only after its commit."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import astuple, fields
from pathlib import Path

from simulations.sweep.content import PHYSICS
from simulations.sweep.evaluate import Outcome

FILE, LOCK = "ledger.sqlite", "ledger.lock"
FORMAT = 1
RESULT = tuple(each.name for each in fields(Outcome))
_REAL = {"lhs", "rhs", "slack", "T_median", "smallest", "log_e"}
_WHOLE = {"expected", "T", "passed", "diverged", "draws"}
_TYPES = {**dict.fromkeys(_REAL, "REAL"), **dict.fromkeys(_WHOLE, "INTEGER")}
_ROW = ("key", "content", *RESULT, "digest", "run", "seconds")
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS configurations (
    hash TEXT, part TEXT, cells INTEGER NOT NULL, text TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (hash, part)
);
CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, provenance TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cells (
    key TEXT PRIMARY KEY, content TEXT NOT NULL, {", ".join(f"{name} {_TYPES.get(name, 'TEXT')}" for name in RESULT)},
    digest TEXT NOT NULL, run INTEGER, seconds REAL
) WITHOUT ROWID;
"""


class LedgerError(ValueError):
    """The ledger cannot be read or written; one sentence says why and what would help."""


class Ledger:
    """A folder's ledger.

    Args:
        folder: where it is.
        write: whether to write to it, which one process can do at a time; a folder that is not there is made.

    Raises:
        LedgerError: it is not there, is damaged, is another program's, or is being written by another process.
    """

    def __init__(self, folder: str | Path, write: bool = False) -> None:
        self.folder, self._lock = Path(folder), None
        self.file = self.folder / FILE
        if write:
            self._take()
        elif not self.file.is_file():
            raise LedgerError(f"there is no ledger in {self.folder}: `mamlbound sweep FILE.toml -o DIR` makes one")
        try:
            with self._telling():
                self.base = self._opened(write)
                self._recognise(write)
        except LedgerError:
            self.close()
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; what was not committed is not kept."""
        if getattr(self, "base", None) is not None:
            with contextlib.suppress(sqlite3.Error):
                self.base.close()
            self.base = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        except OSError as error:
            raise LedgerError(f"cannot write to {self.folder}: {error.strerror}; give another folder with -o") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._lock, 20).decode() or "unknown"
            self.close()
            raise LedgerError(
                f"{self.folder} is being written by process {holder}: wait for it, or give another folder with -o"
            ) from None
        with contextlib.suppress(OSError):
            os.ftruncate(self._lock, 0)
            os.write(self._lock, str(os.getpid()).encode())

    def _opened(self, write: bool) -> sqlite3.Connection:
        if write:
            base = sqlite3.connect(self.file, isolation_level=None)
            base.execute("PRAGMA journal_mode = WAL")
            base.execute("PRAGMA synchronous = FULL")
            return base
        where = self.file.absolute().as_uri()
        base = sqlite3.connect(f"{where}?mode=ro", uri=True, isolation_level=None)
        try:
            base.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            base.close()
            base = sqlite3.connect(f"{where}?immutable=1", uri=True, isolation_level=None)
        return base

    def _recognise(self, write: bool) -> None:
        if write:
            self.base.executescript(_SCHEMA)
            self.base.executemany(
                "INSERT OR IGNORE INTO meta VALUES (?, ?)", [("format", str(FORMAT)), ("physics", str(PHYSICS))]
            )
        found = dict(self.base.execute("SELECT name, value FROM meta"))
        if found.get("format") != str(FORMAT):
            raise LedgerError(f"{self.file} has format {found.get('format')}, this program writes format {FORMAT}")
        if write and found.get("physics") != str(PHYSICS):
            raise LedgerError(
                f"{self.folder} was computed with physics {found.get('physics')}, this program has physics {PHYSICS}: "
                "results would not agree; give another folder with -o"
            )
        if write:
            damage = self.base.execute("PRAGMA quick_check(1)").fetchone()[0]
            if damage != "ok":
                raise LedgerError(_damaged(self.file, damage))

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """Errors of SQLite as one sentence."""
        try:
            yield
        except sqlite3.Error as error:
            text = str(error)
            if "full" in text or "disk I/O" in text:
                text = f"the disk of {self.folder} is full ({text}): what was written is safe; make room and resume"
            elif "readonly" in text or "unable to open" in text:
                text = f"cannot write to {self.file}: it is read-only ({text})"
            elif isinstance(error, sqlite3.DatabaseError):
                text = _damaged(self.file, text)
            raise LedgerError(text) from None

    def configured(self) -> list[dict[str, object]]:
        """The configurations: hash, part, cells, text, record."""
        with self._telling():
            rows = self.base.execute("SELECT hash, part, cells, text, record FROM configurations ORDER BY hash, part")
            names = ("hash", "part", "cells", "text", "record")
            return [dict(zip(names, row, strict=True)) | {"record": json.loads(row[4])} for row in rows]

    def configure(self, *rows: tuple[str, str, int, str, str]) -> None:
        """Note configurations: hash, part, cells, text, record as JSON."""
        with self._telling():
            self.base.executemany("INSERT OR IGNORE INTO configurations VALUES (?, ?, ?, ?, ?)", rows)

    def begin(self, provenance: dict[str, object]) -> int:
        """Note a run of the command; its number."""
        with self._telling():
            text = json.dumps(provenance, sort_keys=True)
            return self.base.execute("INSERT INTO runs (provenance) VALUES (?)", (text,)).lastrowid

    def provenance(self) -> dict[int, dict[str, object]]:
        """Of every run, by its number."""
        with self._telling():
            return {k: json.loads(text) for k, text in self.base.execute("SELECT id, provenance FROM runs ORDER BY id")}

    @property
    def physics(self) -> str | None:
        """With which `PHYSICS` the cells were computed."""
        with self._telling():
            return dict(self.base.execute("SELECT name, value FROM meta")).get("physics")

    def commit(self, done: Iterable[tuple[str, str, Outcome, int, float]]) -> None:
        """Write cells, all of them or none: key, content, outcome, number of the run, seconds.

        A cell that is there is replaced by one with more draws only.
        """
        rows = [
            (key, content, *astuple(outcome), digest(key, astuple(outcome)), run, seconds)
            for key, content, outcome, run, seconds in done
        ]
        self.insert(rows)

    def insert(self, rows: Iterable[tuple]) -> None:
        """Write rows as `rows` of another ledger gives them."""
        replaced = ", ".join(f"{name} = excluded.{name}" for name in _ROW[2:])
        statement = (
            f"INSERT INTO cells VALUES ({', '.join('?' * len(_ROW))}) ON CONFLICT (key) DO UPDATE SET {replaced} "
            "WHERE ifnull(excluded.draws, 0) > ifnull(cells.draws, 0) OR cells.status IN ('ERROR', 'lost')"
        )
        with self._telling():
            try:
                self.base.execute("BEGIN IMMEDIATE")
                self.base.executemany(statement, rows)
                self.base.execute("COMMIT")
            except sqlite3.Error:
                if self.base.in_transaction:
                    self.base.execute("ROLLBACK")
                raise

    def forget(self, statuses: tuple[str, ...]) -> int:
        """Drop the cells with these statuses, to be done again; how many."""
        with self._telling():
            marks = ", ".join("?" * len(statuses))
            return self.base.execute(f"DELETE FROM cells WHERE status IN ({marks})", statuses).rowcount

    def known(self, keys: list[str]) -> set[str]:
        """Which of the keys are there."""
        with self._telling():
            marks = ", ".join("?" * len(keys))
            return {key for (key,) in self.base.execute(f"SELECT key FROM cells WHERE key IN ({marks})", keys)}

    def found(self, keys: list[str]) -> list[tuple]:
        """The cells of these keys, as `rows` gives them."""
        with self._telling():
            marks = ", ".join("?" * len(keys))
            return self.base.execute(f"SELECT {', '.join(_ROW)} FROM cells WHERE key IN ({marks})", keys).fetchall()

    def counts(self) -> dict[str, int]:
        """Cells by status."""
        with self._telling():
            return dict(self.base.execute("SELECT status, count(*) FROM cells GROUP BY status ORDER BY status"))

    def undecided(self, after: str, most: int, count: int) -> list[tuple[str, str, str, int]]:
        """Cells that more draws may decide, in order of their keys: key, content, state, draws.

        Args:
            after: a key, before the first.
            most: draws that a cell may have afterwards.
            count: of cells.
        """
        with self._telling():
            return self.base.execute(
                "SELECT key, content, state, draws FROM cells WHERE key > ? AND status = 'UNDECIDED' AND state != '' "
                "AND draws * 2 <= ? ORDER BY key LIMIT ?",
                (after, most, count),
            ).fetchall()

    def rows(self) -> Iterator[tuple]:
        """Every cell in order of the keys, as `insert` takes it."""
        with self._telling():
            yield from self.base.execute(f"SELECT {', '.join(_ROW)} FROM cells ORDER BY key")

    def row(self, start: str) -> tuple[str, str, Outcome]:
        """The one cell whose key begins so: key, content, outcome.

        Raises:
            LedgerError: there is none, or more than one.
        """
        with self._telling():
            found = self.base.execute(
                f"SELECT {', '.join(_ROW)} FROM cells WHERE substr(key, 1, ?) = ? LIMIT 2", (len(start), start)
            ).fetchall()
        if len(found) != 1:
            many = "more than one cell" if found else "no cell"
            raise LedgerError(f"{self.folder} has {many} whose key begins with {start!r}")
        return found[0][0], found[0][1], outcome(found[0])

    def integrity(self) -> list[str]:
        """What SQLite itself finds wrong; empty if nothing."""
        with self._telling():
            return [text for (text,) in self.base.execute("PRAGMA integrity_check(10)") if text != "ok"]


def outcome(row: tuple) -> Outcome:
    """The outcome in a row of the ledger."""
    given = dict(zip(_ROW, row, strict=True))
    return Outcome(**{name: bool(given[name]) if name == "expected" else given[name] for name in RESULT})


def digest(key: str, values: tuple) -> str:
    """Of a cell and its outcome."""
    text = json.dumps([key, *(int(value) if isinstance(value, bool) else value for value in values)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _damaged(file: Path, text: str) -> str:
    return f"{file} is damaged ({text}): put back a copy, or sweep into another folder; `mamlbound doctor` says more"
