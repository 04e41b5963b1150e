"""The one place that talks to Numba: decorators, kernel signatures, and the folder that keeps compiled code.

Every kernel has an explicit signature and is compiled once, for all families, when its file is first imported. Kernels
of families, oracles, methods and step rules are C callbacks, so the engine takes them as arguments and is not compiled
again for them. Compiled code is kept in a folder named by a hash of the sources of `simulations/`: Numba looks only at
the file that defines a kernel, and would otherwise keep calling code of another file that has since changed.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.errors import NumbaExperimentalFeatureWarning
from numba.extending import intrinsic

_SOURCES = Path(__file__).parent
_KEEP_DAYS = 30

warnings.filterwarnings("ignore", category=NumbaExperimentalFeatureWarning, message="First-class function type")


def _source_hash() -> str:
    digest = hashlib.sha256()
    for path in sorted(_SOURCES.rglob("*.py")):
        digest.update(str(path.relative_to(_SOURCES)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _cache_folder() -> Path:
    """The folder of this source state, in the user's cache; where that cannot be written, one for this process only."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mamlbound"
    folder = home / _source_hash()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        temporary = tempfile.mkdtemp(prefix="mamlbound-")
        atexit.register(shutil.rmtree, temporary, ignore_errors=True)
        return Path(temporary)
    for other in home.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if other != folder and time.time() - other.stat().st_mtime > _KEEP_DAYS * 86400:
                shutil.rmtree(other, ignore_errors=True)
    return folder


CACHE_FOLDER = _cache_folder()
numba.config.CACHE_DIR = str(CACHE_FOLDER)


def compiled(signature: types.Type) -> Callable:
    """A kernel called from Python; it releases the interpreter lock, so a thread pool runs it in parallel."""
    return numba.njit(signature, cache=True, nogil=True, error_model="numpy")


def callback(signature: types.Type) -> Callable:
    """A kernel that other kernels take as an argument."""
    return numba.cfunc(signature, cache=True, error_model="numpy")


inlined = numba.njit(inline="always", error_model="numpy")


_ARRAY_FORMS: dict[object, Callable] = {}


def array_form(kernel: object) -> Callable:
    """Register what stands for a kernel or helper on arrays, where its own source does not run on them as it stands.

    On arrays every argument has one more axis, in front, for the replicates; what all of them share has length 1 there
    or no such axis. `np` in the form is the array module in use.
    """

    def register(form: Callable) -> Callable:
        _ARRAY_FORMS[kernel] = form
        return form

    return register


_ONE_PASS: set = set()


def one_pass(kernel: object) -> object:
    """Mark a helper of numbers alone: on a GPU its whole source becomes one kernel (`simulations.fused`)."""
    _ONE_PASS.add(kernel)
    return kernel


def has_array_form(kernel: object) -> bool:
    """Whether a form for arrays was registered."""
    return kernel in _ARRAY_FORMS


@cache
def on_arrays(kernel: object, xp: ModuleType = np) -> Callable:
    """The source of a kernel or helper as a plain function, which runs on arrays as it stands, with all it calls.

    xp: the array module that `np` stands for in it, numpy or cupy.
    """
    kernel = getattr(kernel, "kernel", kernel)
    plain = _ARRAY_FORMS.get(kernel) or getattr(kernel, "py_func", None) or kernel.__wrapped__
    called = {name: plain.__globals__[name] for name in plain.__code__.co_names if name in plain.__globals__}
    helpers = {name: _helper(helper, xp) for name, helper in called.items() if _is_kernel(helper)}
    module = {"np": xp} if called.get("np") is np else {}
    rebuilt = FunctionType(
        plain.__code__, {**plain.__globals__, **helpers, **module}, plain.__name__, None, plain.__closure__
    )
    rebuilt.kernel = kernel
    return rebuilt


def _helper(kernel: object, xp: ModuleType) -> Callable:
    if kernel in _ONE_PASS and isinstance(xp, ModuleType):
        from simulations.fused import elementwise

        return elementwise(kernel, xp)
    return on_arrays(kernel, xp)


def _is_kernel(helper: object) -> bool:
    return callable(helper) and type(helper).__module__.startswith("numba.")


@intrinsic
def bits_of(typing_context, x):
    """The 64 bits of a float64, as an unsigned integer."""
    return types.uint64(types.float64), lambda _, builder, __, args: builder.bitcast(args[0], ir.IntType(64))


@intrinsic
def float_of(typing_context, x):
    """The float64 of these 64 bits."""
    return types.float64(types.uint64), lambda _, builder, __, args: builder.bitcast(args[0], ir.DoubleType())


@intrinsic
def fused(typing_context, x, y, z):
    """x y + z, rounded once: on every machine the same."""
    return types.float64(*(types.float64,) * 3), lambda _, builder, __, args: builder.fma(*args)


@array_form(fused)
def _(x, y, z):
    return x * y + z


@array_form(bits_of)
def _(x):
    return x.view(np.uint64)


@array_form(float_of)
def _(x):
    return x.view(np.float64)


REAL = types.float64
COUNT = types.int64
WORD = types.uint64
VECTOR = REAL[::1]
MATRIX = REAL[:, ::1]
TABLE = REAL[:, :, ::1]
PICKS = COUNT[::1]

VALUES = types.void(MATRIX, PICKS, TABLE, VECTOR, VECTOR)
GRADIENTS = types.void(MATRIX, PICKS, TABLE, VECTOR, MATRIX)
PRODUCTS = types.void(MATRIX, MATRIX, PICKS, TABLE, VECTOR, MATRIX)
JETS = types.void(MATRIX, PICKS, TABLE, VECTOR, MATRIX, MATRIX)


class Tasks(NamedTuple):
    """A finite set of tasks as kernels see it. Row r of a call belongs to the task i = picks[r].

    values(points, picks, parameters, shared, out): out[r] = f_i(points[r]).
    gradients(points, picks, parameters, shared, out): out[r] = grad f_i(points[r]).
    products(points, vectors, picks, parameters, shared, out): out[r] = Hess f_i(points[r]) vectors[r].
    jets(points, picks, parameters, shared, slopes, bends): slopes[r] = grad f_i(points[r]) and bends[r] the diagonal of
    Hess f_i(points[r]), which has nothing else; called for separable tasks only.
    table: (parameters, tasks, d), what tells the tasks apart; shared: what they have in common. The `parameters` of a
    call are the table's columns of its picks, (parameters, rows, d): the table itself when every task is asked once.
    """

    values: object
    gradients: object
    products: object
    jets: object
    table: object
    shared: object


TASKS = types.NamedTuple(
    [*(types.FunctionType(kind) for kind in (VALUES, GRADIENTS, PRODUCTS, JETS)), TABLE, VECTOR], Tasks
)


class Address(NamedTuple):
    """Where a random number lives: its value is a function of this and of its index alone."""

    seed: int
    replicate: int
    iteration: int
    role: int


ADDRESS = types.NamedUniTuple(WORD, 4, Address)
SAMPLED_GRADIENTS = types.void(TASKS, VECTOR, MATRIX, PICKS, TABLE, REAL, ADDRESS, MATRIX)
SAMPLED_PRODUCTS = types.void(TASKS, VECTOR, MATRIX, MATRIX, PICKS, TABLE, REAL, ADDRESS, MATRIX)


class Oracle(NamedTuple):
    """What an algorithm may ask of the tasks: means of `samples` noisy gradients and Hessian-vector products.

    gradients(tasks, spread, points, picks, parameters, samples, address, out) and products(tasks, spread, points,
    vectors, picks, parameters, samples, address, out), rows as in `Tasks`; samples = inf gives the exact answer.
    """

    tasks: object
    gradients: object
    products: object
    spread: object


ORACLE = types.NamedTuple(
    [TASKS, types.FunctionType(SAMPLED_GRADIENTS), types.FunctionType(SAMPLED_PRODUCTS), VECTOR], Oracle
)


class Setting(NamedTuple):
    """The numbers of one algorithm: inner step, batch sizes (inf for an exact oracle), and its method's own options."""

    alpha: float
    D_in: float
    D_o: float
    D_h: float
    options: object


SETTING = types.NamedTuple([REAL, REAL, REAL, REAL, VECTOR], Setting)
DIRECTION = types.void(ORACLE, SETTING, MATRIX, PICKS, TABLE, VECTOR, ADDRESS, TABLE, MATRIX)
MERGED = types.void(ORACLE, SETTING, MATRIX, PICKS, TABLE, VECTOR, ADDRESS, TABLE, MATRIX, MATRIX)


class StepRule(NamedTuple):
    """A step 1/(base + slope E||g||), its mean taken over B_step sampled tasks with D_step samples, or exactly.

    base: in units of L. slope: in units of rho alpha. D_step: samples a task, inf for exact gradients.
    """

    base: float
    slope: float
    B_step: int
    D_step: float


STEP_RULE = types.NamedTuple([REAL, REAL, COUNT, REAL], StepRule)


class Law(NamedTuple):
    """The law of a task: probabilities (tasks,), their running sums, and the tasks' numbers 0, 1, ... in order."""

    probabilities: object
    cumulative: object
    everyone: object


LAW = types.NamedTuple([VECTOR, VECTOR, PICKS], Law)
STEP = types.void(ORACLE, STEP_RULE, LAW, MATRIX, REAL, ADDRESS, TABLE, PICKS, TABLE, VECTOR)
OBJECTIVE = types.void(TASKS, LAW, SETTING, MATRIX, PICKS, TABLE, TABLE, VECTOR)


class Plan(NamedTuple):
    """One algorithm on one set of tasks, as the engine sees it.

    direction: the sampled update direction, with `setting`; gradient: that of the objective F, by enumeration;
    objective: F; both with `exact`, whose oracles are exact.
    slots: blocks of scratch the kernels ask for. lanes: replicates in a block; tile: rows of a batch in a block, all of
    them where there are lanes. B: tasks in a batch, 0 for all of them.
    merge: 1 for `merged`, the direction without outer noise and the squared weights of that noise, 0 for `direction`.
    reuse: 1 where direction and gradient are one and the same number.
    last: the iteration after which nothing more is done. norm_every, record_every: how often ||grad F|| is found, and
    F and the step are noted.
    """

    direction: object
    merged: object
    gradient: object
    objective: object
    step: object
    oracle: object
    law: object
    setting: object
    exact: object
    rule: object
    slots: int
    lanes: int
    tile: int
    B: int
    merge: int
    reuse: int
    last: int
    norm_every: int
    record_every: int
    seed: int


PLAN = types.NamedTuple(
    [
        *(types.FunctionType(signature) for signature in (DIRECTION, MERGED, DIRECTION, OBJECTIVE, STEP)),
        *(ORACLE, LAW, SETTING, SETTING, STEP_RULE),
        *(COUNT,) * 9,
        WORD,
    ],
    Plan,
)
