"""One process a peer, so that no thread pool or allocator of one stands in the way of another; timed in turns."""

from __future__ import annotations

import importlib
import multiprocessing
import time
from multiprocessing.connection import Connection

import numpy as np

from benchmarks.cases import Case


class Peer:
    """A peer in a process of its own.

    Raises:
        ImportError: the peer is not installed.
    """

    def __init__(self, name: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(name, other), daemon=True)
        self._process.start()
        self.variants: dict[str, str] = self._answer()

    def norms(self, variant: str, case: Case) -> np.ndarray:
        """Squared norms of grad F, (records, replicates), after a whole run."""
        return self._ask("norms", variant, case)

    def prepare(self, variant: str, case: Case) -> float:
        """Build and run once; seconds it took."""
        return self._ask("prepare", variant, case)

    def spend(self, variant: str) -> tuple[float, float]:
        """Wall and CPU seconds of one run of what was prepared last under this name."""
        return self._ask("spend", variant)

    def close(self) -> None:
        self._pipe.close()
        self._process.join()

    def _ask(self, *question):
        self._pipe.send(question)
        return self._answer()

    def _answer(self):
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


def _serve(name: str, pipe: Connection) -> None:
    try:
        variants = importlib.import_module(f"benchmarks.peers.{name}").VARIANTS
    except ImportError as missing:
        pipe.send(ImportError(str(missing)))
        return
    pipe.send({variant: draws for variant, (draws, _) in variants.items()})
    ready = {}
    while True:
        try:
            question, variant, *case = pipe.recv()
        except EOFError:
            return
        try:
            if question == "norms":
                pipe.send(np.array(variants[variant][1](*case)()[1]))
            elif question == "prepare":
                start = time.perf_counter()
                ready[variant] = variants[variant][1](*case)
                ready[variant]()
                pipe.send(time.perf_counter() - start)
            else:
                wall, cpu = time.perf_counter(), time.process_time()
                ready[variant]()
                pipe.send((time.perf_counter() - wall, time.process_time() - cpu))
        except Exception as failure:
            pipe.send(RuntimeError(f"{variant}: {failure!r}"))
