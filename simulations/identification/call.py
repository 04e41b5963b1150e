"""Calling somebody else's code: what it gave back, or in one sentence why that is no answer."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from simulations.identification.probes import Probe
from simulations.identification.quartic import DIM, loss

Outcome = Literal[
    "answer", "None", "raises", "shape", "not a number", "non-finite", "zero", "hangs", "changes its input"
]


@dataclass(frozen=True, eq=False)
class Answer:
    """What one call gave.

    outcome: "answer", or what was wrong. vector: (DIM,) in float64 where there is one. message: the sentence that says
    what was wrong. precision: of the array that came back.
    """

    outcome: Outcome
    vector: np.ndarray | None = None
    message: str = ""
    precision: str = ""


class _OutOfTime(BaseException):
    """Not an Exception, so that code under examination does not swallow it."""


@contextlib.contextmanager
def _alarm(seconds: float):
    """Raise _OutOfTime in this thread after so many seconds; only the main thread can be interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: object) -> None:
        raise _OutOfTime

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def ask(meta_gradient: Callable, probe: Probe, dtype: str, timeout: float) -> Answer:
    """The answer of `meta_gradient(loss, w, tasks, alpha, steps)` to one probe.

    Args:
        meta_gradient: the code under examination.
        probe: the question.
        dtype: "float64" or "float32", in which w and the tasks are handed over.
        timeout: seconds after which it counts as hanging; a call that does not return to Python cannot be stopped.
    """
    w = probe.w.astype(dtype)
    tasks = [tuple(data.astype(dtype) for data in task) for task in probe.tasks]
    given = [w.copy(), *(data.copy() for task in tasks for data in task)]
    try:
        with _alarm(timeout):
            returned = meta_gradient(loss, w, tasks, probe.alpha, probe.steps)
    except _OutOfTime:
        return Answer("hangs", message=f"it did not return within {timeout:g} s")
    except Exception as error:
        text = str(error).strip().split("\n")[0]
        return Answer("raises", message=f"it raises {type(error).__name__}: {text}" if text else f"it raises {error!r}")
    after = [w, *(data for task in tasks for data in task)]
    changed = [name for name, x, y in zip(_names(tasks), given, after, strict=True) if not np.array_equal(x, y)]
    if changed:
        return Answer("changes its input", message=f"it changes {changed[0]}, which it was given")
    return _read(returned)


def _names(tasks: list) -> list[str]:
    return ["w", *(f"the {kind} rows of task {i}" for i in range(len(tasks)) for kind in ("support", "query"))]


def _read(returned: object) -> Answer:
    if returned is None:
        return Answer("None", message="it returns None")
    detached = returned.detach().cpu() if hasattr(returned, "detach") else returned
    try:
        array = np.asarray(detached)
        vector = array.astype(float)
    except (TypeError, ValueError):
        return Answer("not a number", message=f"it returns {type(returned).__name__}, which is no array of numbers")
    if vector.shape != (DIM,):
        return Answer("shape", message=f"it returns an array of shape {vector.shape}; w has shape ({DIM},)")
    if not np.isfinite(vector).all():
        return Answer("non-finite", message="it returns numbers that are not finite", precision=str(array.dtype))
    if not vector.any():
        return Answer("zero", vector, "it returns zero", str(array.dtype))
    return Answer("answer", vector, precision=str(array.dtype))
