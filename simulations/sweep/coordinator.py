"""The one who hands out cells and writes down what comes back."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Protocol

from simulations.sweep.configuration import Configuration
from simulations.sweep.content import key, written
from simulations.sweep.ledger import Ledger, LedgerError
from simulations.sweep.local import Done, Processes
from simulations.sweep.plan import Plan
from simulations.sweep.provenance import provenance
from simulations.sweep.worker import Task
from simulations.verdicts.sampled import BLOCK

_BATCH_SECONDS, _MOST_IN_A_BATCH = 0.25, 128
_COMMIT_SECONDS, _MOST_IN_A_COMMIT = 0.5, 1000
_LOOKED_UP = 200
_GRACE = 2.0


class Pool(Protocol):
    """Who computes: `local.Processes`, `cluster.Cluster`."""

    size: int
    busy: bool
    room: int

    def give(self, batch: list[Task]) -> None:
        """Hand out a batch."""

    def wait(self, timeout: float) -> Iterator[Done]:
        """What has come back within so many seconds."""

    def close(self) -> None:
        """Let all workers go."""


@dataclass
class Progress:
    """How far a sweep is.

    cells: all of them. counts: of the ledger, by status. done: by this run. rate: cells a second since its first.
    """

    cells: int
    counts: Counter = field(default_factory=Counter)
    done: int = 0
    rate: float = 0.0


@dataclass(frozen=True)
class Options:
    """How a sweep is run, which does not touch its results.

    workers: processes; by default one for every core. scheduler: address of a Dask scheduler to use instead.
    part: (k, n), to do every n-th cell only, from the k-th on, k = 1, ..., n. shuffle: another order of the cells.
    until_decided: sample cells that are undecided. extend: take a ledger of another configuration and add to it.
    retry: do cells again that were errors or lost.
    """

    workers: int | None = None
    scheduler: str | None = None
    part: tuple[int, int] = (1, 1)
    shuffle: int | None = None
    until_decided: bool = False
    extend: bool = False
    retry: bool = False


def sweep(
    configuration: Configuration,
    folder: str | Path,
    options: Options | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> tuple[Progress, str]:
    """Do the cells of a sweep that its ledger does not have.

    Args:
        configuration: what to do.
        folder: of the ledger; made if it is not there.
        options: how.
        progress: called twice a second or so.

    Returns:
        How far it came, and why it ended: "finished", "interrupted" (by SIGINT or SIGTERM) or "stopped" (by an error,
        where the configuration says so).

    Raises:
        LedgerError: the ledger cannot be written, or belongs to another configuration.
        NoWorkers: nothing can be computed.
    """
    options = options or Options()
    plan = Plan(configuration)
    with Ledger(folder, write=True) as ledger:
        cells = _entered(ledger, configuration, plan, options)
        pool = _pool(configuration, options)
        try:
            run = ledger.begin(provenance(configuration, options.scheduler or f"{pool.size} processes"))
            state = Progress(cells, Counter(ledger.counts()))
            with _interruptible() as interrupted:
                work = _Work(ledger, pool, run, state, progress, interrupted, configuration.workers.on_error == "stop")
                work.do(_missing(ledger, plan, options))
                if options.until_decided:
                    work.decide(configuration.sampling.budget)
        finally:
            pool.close()
        return state, work.ended


def _pool(configuration: Configuration, options: Options) -> Pool:
    limit = configuration.workers.time_limit
    if options.scheduler is None:
        return Processes(options.workers or os.cpu_count() or 1, limit)
    from simulations.sweep.cluster import Cluster

    return Cluster(options.scheduler, limit)


def _entered(ledger: Ledger, configuration: Configuration, plan: Plan, options: Options) -> int:
    """Note the configuration in the ledger; how many cells the ledger is to have then."""
    known = ledger.configured()
    for old in known:
        if old["hash"] != configuration.hash and not options.extend:
            differences = "\n".join(_differences(old["record"], json.loads(json.dumps(configuration.record))))
            raise LedgerError(
                f"{ledger.folder} belongs to another configuration; give another folder with -o, or --extend to add "
                f"these cells to it. What differs:\n{differences}"
            )
    part = f"{options.part[0]}/{options.part[1]}"
    record = json.dumps(configuration.record, sort_keys=True)
    ledger.configure((configuration.hash, part, len(_numbers(plan, options.part)), configuration.text, record))
    if options.retry:
        ledger.forget(("ERROR", "lost"))
    return planned(ledger.configured())


def planned(configured: list[dict]) -> int:
    """How many different cells the configurations of a ledger have, as `Ledger.configured` gives them."""
    from simulations.sweep.configuration import read

    whole = {row["hash"] for row in configured if row["part"] == "1/1"}
    rows = [row for row in configured if row["part"] == "1/1" or row["hash"] not in whole]
    if len({(row["hash"], row["part"].partition("/")[2]) for row in rows}) == 1:
        return sum(row["cells"] for row in rows)
    keys = set()
    for row in rows:
        plan, part = Plan(read(row["text"])), tuple(map(int, row["part"].split("/")))
        keys.update(key(plan.content(number)) for number in _numbers(plan, part))
    return len(keys)


def _numbers(plan: Plan, part: tuple[int, int]) -> range:
    return range(part[0] - 1, len(plan), part[1])


def _differences(old: dict, new: dict) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        before, after = (_short(record.get(name, "not given")) for record in (old, new))
        if old.get(name) != new.get(name):
            yield f"  {name}: {before} there, {after} now"


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _missing(ledger: Ledger, plan: Plan, options: Options) -> Iterator[Task]:
    """The cells that the ledger does not have, looked up some at a time."""
    cells = plan.cells(_numbers(plan, options.part), options.shuffle)
    while keys := {key(cell): cell for cell in islice(cells, _LOOKED_UP)}:
        known = ledger.known(list(keys))
        yield from (Task(name, written(cell)) for name, cell in keys.items() if name not in known)


@contextlib.contextmanager
def _interruptible() -> Iterator[list[int]]:
    """A list that holds the signals which asked to stop, so far; a second one ends at once."""
    asked: list[int] = []

    def note(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    try:
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread
        before = {}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Work:
    """Hands out tasks and commits what comes back until there is no more, or somebody stops it."""

    def __init__(self, ledger, pool, run, state, progress, interrupted, stop) -> None:
        self.ledger, self.pool, self.run, self.state, self.progress = ledger, pool, run, state, progress
        self.interrupted, self.stop_on_error = interrupted, stop
        self.ended, self._pending, self._committed = "finished", [], time.monotonic()
        self._began, self._seconds = self._committed, 0.01

    def do(self, tasks: Iterator[Task]) -> None:
        """All of the tasks."""
        batch = list(islice(tasks, self._batch))
        while self.ended == "finished" and (batch or self.pool.busy):
            while self.pool.room and batch:  # room also hands out again what came back from the dead
                self.pool.give(batch)
                batch = list(islice(tasks, self._batch))
            self._collect()
            if self.interrupted:
                self.ended = "interrupted"
        if self.ended != "finished":
            self._finish(_GRACE)
        self._commit()

    def decide(self, budget: int) -> None:
        """Sample what is undecided: 1, 2, 4, ... blocks in all, each pass over all that is left."""
        most = max(budget, BLOCK)
        while self.ended == "finished":
            tasks = self._undecided(most)
            first = next(tasks, None)
            if first is None:
                return
            self.do(chain([first], tasks))

    def _undecided(self, most: int) -> Iterator[Task]:
        after = ""
        while rows := self.ledger.undecided(after, most, _LOOKED_UP):
            for after, content, state, draws in rows:
                yield Task(after, content, state, max(1, draws // BLOCK))

    @property
    def _batch(self) -> int:
        return max(1, min(_MOST_IN_A_BATCH, int(_BATCH_SECONDS / self._seconds)))

    def _collect(self, timeout: float = 0.2) -> None:
        for task, outcome, seconds in self.pool.wait(timeout):
            if not self.state.done:
                self._began = time.monotonic() - seconds
            self._pending.append((task.key, task.content, outcome, self.run, seconds))
            self._seconds += 0.1 * (seconds - self._seconds)
            if task.state:
                self.state.counts["UNDECIDED"] -= 1
            else:
                self.state.done += 1
            self.state.counts[outcome.status] += 1
            if self.stop_on_error and outcome.status in ("ERROR", "lost"):
                self.ended = "stopped"
        if time.monotonic() - self._committed > _COMMIT_SECONDS or len(self._pending) >= _MOST_IN_A_COMMIT:
            self._commit()

    def _commit(self) -> None:
        if self._pending:
            self.ledger.commit(self._pending)
            self._pending = []
        self._committed = time.monotonic()
        self.state.rate = self.state.done / max(self._committed - self._began, 1e-9)
        self.progress(self.state)

    def _finish(self, seconds: float) -> None:
        """Take what is finished within so many seconds; the rest is dropped."""
        end = time.monotonic() + seconds
        while self.pool.busy and time.monotonic() < end:
            self._collect(0.1)
