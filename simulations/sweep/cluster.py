"""The cells of a sweep on an existing Dask cluster, whose workers need mamlbound and write nothing."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Iterator

from simulations.sweep.evaluate import Outcome
from simulations.sweep.local import Done, NoWorkers
from simulations.sweep.worker import Task, batch_of_outcomes

_BATCHES = 2


class Cluster:
    """A pool on a Dask scheduler, which gives the cells of workers that died to others.

    Args:
        address: of the scheduler.
        time_limit: must be None, since a cluster's thread cannot be stopped.

    Raises:
        NoWorkers: there is no Dask, no scheduler at the address, or a time limit is asked for.
    """

    def __init__(self, address: str, time_limit: float | None = None) -> None:
        if time_limit is not None:
            raise NoWorkers("time_limit needs processes of this machine: leave it out with --scheduler")
        try:
            from distributed import Client
        except ImportError:
            raise NoWorkers("--scheduler needs Dask: install mamlbound[cluster]") from None
        try:
            self._client = Client(address, timeout=10, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise NoWorkers(f"there is no Dask scheduler at {address}: {type(error).__name__}") from None
        self._finished, self._given, self._returned = queue.Queue(), {}, deque()

    @property
    def size(self) -> int:
        """Workers of the cluster."""
        return max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))

    @property
    def busy(self) -> bool:
        """Whether anything given has not come back."""
        return bool(self._given or self._returned)

    @property
    def room(self) -> int:
        """Batches that can be given now."""
        free = max(0, _BATCHES * self.size - len(self._given))
        while free and self._returned:
            self.give(self._returned.popleft())
            free -= 1
        return free

    def give(self, batch: list[Task]) -> None:
        """Hand out a batch; there must be room."""
        future = self._client.submit(batch_of_outcomes, batch, pure=False)
        self._given[future] = batch
        future.add_done_callback(self._finished.put)

    def wait(self, timeout: float) -> Iterator[Done]:
        """What is finished, waiting for something at most so many seconds.

        Raises:
            NoWorkers: the scheduler is gone, or the workers cannot do a cell at all.
        """
        if self._client.status != "running":
            raise NoWorkers("the Dask scheduler is gone; what was written is safe, and the same command goes on")
        try:
            future = self._finished.get(timeout=timeout)
        except queue.Empty:
            return
        batch = self._given.pop(future)
        if future.status == "finished":
            for task, (found, seconds) in zip(batch, future.result(), strict=True):
                yield task, found, seconds
        elif type(future.exception()).__name__ != "KilledWorker":
            raise NoWorkers(f"the workers of the cluster cannot do this: {future.exception()}")
        elif len(batch) > 1:
            self._returned.extend([task] for task in batch)
        else:
            yield batch[0], Outcome("lost", "its worker died as often as the scheduler allows", expected=False), 0.0

    def close(self) -> None:
        """Drop what has not come back."""
        for future in list(self._given):
            future.cancel()
        self._client.close()
