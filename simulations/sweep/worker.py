"""A worker process: takes batches of cells from a socket, gives back one outcome after the other."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import NamedTuple

_LOOKS = 0.5
_ONE_AT_A_TIME = threading.Lock()


class Task(NamedTuple):
    """One cell to do. state, blocks: from where to go on sampling, and how far; "" and 0 at first."""

    key: str
    content: str
    state: str = ""
    blocks: int = 0


def outcomes(batch: list[Task]) -> Iterator[tuple[object, float]]:
    """Of every task its outcome and the seconds it took."""
    from simulations.sweep.evaluate import evaluated

    for task in batch:
        start = time.perf_counter()
        found = evaluated(json.loads(task.content), task.state, task.blocks)
        yield found, time.perf_counter() - start


def batch_of_outcomes(batch: list[Task]) -> list[tuple[object, float]]:
    """All at once, for schedulers; threads of one process take turns, since a run keeps some state of the process."""
    with _ONE_AT_A_TIME:
        return list(outcomes([Task(*each) for each in batch]))


def main() -> None:
    """Serve the socket whose number is the first argument, until it closes or the parent is gone."""
    socket, parent = Connection(int(sys.argv[1])), int(sys.argv[2])
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    try:
        importlib.import_module("simulations.sweep.evaluate")
    except Exception as error:
        socket.send(f"{type(error).__name__}: {error}")
        return
    socket.send(None)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            for found in outcomes(socket.recv()):
                socket.send(found)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOKS)
    os._exit(1)


if __name__ == "__main__":
    main()
