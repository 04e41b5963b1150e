"""Calling somebody else's code: what it gave back, or in one sentence why that is no answer."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from simulations.identification.probes import Probe
from simulations.identification.quartic import DIM, loss

Outcome = Literal["answer", "None", "raises", "shape", "not a number", "non-finite", "zero", "hangs", "dies"]
Asker = Callable[[Probe], "Answer"]
_GRACE = 1.0


@dataclass(frozen=True, eq=False)
class Answer:
    """What one call gave.

    outcome: "answer", or what was wrong. vector: (DIM,) in float64 where there is one. message: the sentence that says
    what was wrong. precision: of the array that came back. changed: which of its inputs it changed, "" if none.
    """

    outcome: Outcome
    vector: np.ndarray | None = None
    message: str = ""
    precision: str = ""
    changed: str = ""

    @property
    def last(self) -> bool:
        """No further question makes sense."""
        return self.outcome in ("hangs", "dies")


class _OutOfTime(BaseException):
    """Not an Exception, so that code under examination does not swallow it."""


@contextlib.contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raise _OutOfTime in this thread after so many seconds, as soon as it runs Python code.

    The main thread is woken by a signal, from a blocking call too; another thread only between two bytecodes.
    """
    if threading.current_thread() is threading.main_thread():

        def ring(*_: object) -> None:
            raise _OutOfTime

        before = signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        return
    thread = ctypes.c_ulong(threading.get_ident())
    interrupt = ctypes.pythonapi.PyThreadState_SetAsyncExc
    timer = threading.Timer(seconds, interrupt, (thread, ctypes.py_object(_OutOfTime)))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        interrupt(thread, None)


def ask(meta_gradient: Callable, probe: Probe, dtype: str, timeout: float) -> Answer:
    """The answer of `meta_gradient(loss, w, tasks, alpha, steps)` to one probe.

    Args:
        meta_gradient: the code under examination.
        probe: the question.
        dtype: "float64" or "float32", in which w and the tasks are handed over.
        timeout: seconds after which it counts as hanging. Code that never returns to Python cannot be stopped here:
            see `asking`.
    """
    w = probe.w.astype(dtype)
    tasks = [tuple(data.astype(dtype) for data in task) for task in probe.tasks]
    names = ["w", *(f"the {kind} rows of task {i}" for i in range(len(tasks)) for kind in ("support", "query"))]
    arrays = [w, *(data for task in tasks for data in task)]
    given = [array.copy() for array in arrays]
    try:
        with _deadline(timeout):
            read = _read(meta_gradient(loss, w, tasks, probe.alpha, probe.steps))
    except _OutOfTime:
        return Answer("hangs", message=f"it did not return within {timeout:g} s")
    except (Exception, SystemExit) as error:
        text = str(error).strip().split("\n")[0]
        return Answer("raises", message=f"it raises {type(error).__name__}: {text}" if text else f"it raises {error!r}")
    changed = [name for name, x, y in zip(names, given, arrays, strict=True) if not np.array_equal(x, y)]
    return Answer(*read, changed=changed[0] if changed else "")


def _read(returned: object) -> tuple[Outcome, np.ndarray | None, str, str]:
    if returned is None:
        return "None", None, "it returns None", ""
    detached = returned.detach().cpu() if hasattr(returned, "detach") else returned
    try:
        array = np.asarray(detached)
        vector = np.array(array, float) if array.dtype.kind != "c" else None
    except Exception:
        vector = None
    if vector is None:
        return "not a number", None, f"it returns {type(returned).__name__}, which is no array of real numbers", ""
    if vector.shape != (DIM,):
        return "shape", None, f"it returns an array of shape {vector.shape}; w has shape ({DIM},)", ""
    if not np.isfinite(vector).all():
        return "non-finite", None, "it returns numbers that are not finite", str(array.dtype)
    return "answer" if vector.any() else "zero", vector, "" if vector.any() else "it returns 0", str(array.dtype)


@contextlib.contextmanager
def asking(meta_gradient: Callable, dtype: str, timeout: float, isolated: bool) -> Iterator[Asker]:
    """A function that puts a probe to the code, here or (isolated) in a forked process.

    The process keeps whatever state the code keeps from call to call. It is killed where it is late, and may die by
    itself, without harm to this one; libraries that own threads or a GPU may not survive the fork.
    """
    if not isolated:
        yield lambda probe: ask(meta_gradient, probe, dtype, timeout)
        return
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()

    def serve() -> None:
        for probe in iter(there.recv, None):
            there.send(ask(meta_gradient, probe, dtype, timeout))

    process = fork.Process(target=serve, daemon=True)
    process.start()
    there.close()

    def put(probe: Probe) -> Answer:
        try:
            here.send(probe)
            if here.poll(timeout + _GRACE):
                return here.recv()
        except (EOFError, OSError):
            process.join()
            return Answer("dies", message=f"its process dies with exit code {process.exitcode}")
        return Answer("hangs", message=f"it did not return within {timeout:g} s, nor could it be interrupted")

    try:
        yield put
    finally:
        process.kill()
        process.join()
        here.close()
