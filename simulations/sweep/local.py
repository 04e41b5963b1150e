"""Worker processes of this machine: rebuilt when they die, their cells given to others."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait

from simulations.sweep.evaluate import Outcome
from simulations.sweep.worker import Task

ATTEMPTS = 3
_BATCHES = 2
_FAILED_STARTS = 10
_ONE_THREAD = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Done = tuple[Task, Outcome, float]


class NoWorkers(ValueError):
    """Nothing can be computed; one sentence says why."""


@dataclass
class _Worker:
    process: subprocess.Popen
    socket: Connection
    ready: bool = False
    tasks: deque[Task] = field(default_factory=deque)
    given: deque[int] = field(default_factory=deque)
    since: float = 0.0


class Processes:
    """A pool of worker processes.

    Args:
        number: of processes.
        time_limit: of a cell, in seconds; None for none.
    """

    def __init__(self, number: int, time_limit: float | None = None) -> None:
        self.time_limit, self._returned, self._deaths = time_limit, deque(), Counter()
        self._failed_starts, self._overran = 0, set()
        self._workers = [_started() for _ in range(number)]

    @property
    def size(self) -> int:
        """Cells that are worked on at the same time."""
        return len(self._workers)

    @property
    def pids(self) -> list[int]:
        """Of the processes."""
        return [worker.process.pid for worker in self._workers]

    @property
    def busy(self) -> bool:
        """Whether anything given has not come back."""
        return bool(self._returned) or any(worker.tasks for worker in self._workers)

    @property
    def room(self) -> int:
        """Batches that can be given now."""
        self._give_returned()
        free = sum(max(0, _BATCHES - len(worker.given)) for worker in self._workers if worker.ready)
        return 0 if self._returned else free

    def give(self, batch: list[Task]) -> None:
        """Hand out a batch; there must be room."""
        worker = min((each for each in self._workers if each.ready), key=lambda each: len(each.tasks))
        if not worker.tasks:
            worker.since = time.monotonic()
        worker.tasks.extend(batch)
        worker.given.append(len(batch))
        with contextlib.suppress(OSError):  # it has died, which `wait` sees
            worker.socket.send(batch)

    def wait(self, timeout: float) -> Iterator[Done]:
        """What is finished, waiting for something at most so many seconds.

        Raises:
            NoWorkers: processes do not start.
        """
        sockets = {worker.socket: worker for worker in self._workers}
        for ready in wait(list(sockets), timeout):
            yield from self._received(sockets[ready])
        if self.time_limit is not None:
            now = time.monotonic()
            for worker in self._workers:
                if worker.tasks and now - worker.since > self.time_limit:
                    self._overran.add(worker.tasks[0].key)
                    worker.process.kill()

    def close(self) -> None:
        """End all processes; what they have not given back is dropped."""
        for worker in self._workers:
            worker.process.kill()
            worker.socket.close()
            worker.process.wait()
        self._workers = []

    def _received(self, worker: _Worker) -> Iterator[Done]:
        """All that a worker has sent so far."""
        try:
            while worker.socket.poll():
                message = worker.socket.recv()
                if not worker.ready:
                    if message is not None:
                        raise NoWorkers(f"worker processes do not start: {message}")
                    worker.ready, self._failed_starts = True, 0
                    continue
                found, seconds = message
                worker.since = time.monotonic()
                worker.given[0] -= 1
                if not worker.given[0]:
                    worker.given.popleft()
                yield worker.tasks.popleft(), found, seconds
        except (EOFError, OSError):
            yield from self._buried(worker)

    def _buried(self, worker: _Worker) -> Iterator[Done]:
        """Replace a worker that has died; the cell it was at is tried again twice, the others as often as needed."""
        status = worker.process.wait()
        worker.socket.close()
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= _FAILED_STARTS:
                raise NoWorkers(f"worker processes die before they have started, the last {_way(status)}")
        if worker.tasks:
            culprit = worker.tasks.popleft()
            self._deaths[culprit.key] += 1
            if culprit.key in self._overran and self._deaths[culprit.key] > 1:
                reason = f"it ran past its time limit of {self.time_limit:g} s, twice"
                yield culprit, Outcome("ERROR", reason, expected=False), self.time_limit
            elif self._deaths[culprit.key] >= ATTEMPTS:
                reason = f"its worker died {ATTEMPTS} times, the last {_way(status)}"
                yield culprit, Outcome("lost", reason, expected=False), 0.0
            else:
                self._returned.append([culprit])
            if worker.tasks:
                self._returned.append(list(worker.tasks))
        self._workers[self._workers.index(worker)] = _started()

    def _give_returned(self) -> None:
        while self._returned and any(worker.ready and not worker.tasks for worker in self._workers):
            self.give(self._returned.popleft())


def _way(status: int) -> str:
    return f"by {signal.Signals(-status).name}" if status < 0 else f"with exit code {status}"


def _started() -> _Worker:
    here, there = socket.socketpair()
    path = os.pathsep.join(each or os.getcwd() for each in sys.path)
    process = subprocess.Popen(
        [sys.executable, "-m", "simulations.sweep.worker", str(there.fileno()), str(os.getpid())],
        pass_fds=[there.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **dict.fromkeys(_ONE_THREAD, "1"), "PYTHONPATH": path},
        process_group=0,
    )
    there.close()
    return _Worker(process, Connection(here.detach()))
