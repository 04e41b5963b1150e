"""The one place that talks to Numba: decorators, kernel signatures, and the folder that keeps compiled code.

Every kernel has an explicit signature and is compiled once, for all families, when it is first needed: an import
compiles nothing, and a run compiles what it runs. Kernels of families, oracles, methods and step rules are C callbacks,
so the engine takes them as arguments and is not compiled again for them. Compiled code is kept in a folder named by a
hash of the sources of `simulations/`: Numba looks only at the file that defines a kernel, and would otherwise keep
calling code of another file that has since changed.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import platform
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterable
from functools import cache, cached_property, update_wrapper
from pathlib import Path
from types import FunctionType, ModuleType
from typing import NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.ccallback import CFunc
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaExperimentalFeatureWarning
from numba.core.typing import Signature
from numba.extending import intrinsic
from numba.np.unsafe.ndarray import to_fixed_tuple  # noqa: F401

_SOURCES = Path(__file__).parent
_KEEP_DAYS = 30
_PATIENCE = 30.0
"""Seconds that a run waits for kernels a copy of the process compiles, before it compiles them itself."""

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


class _Kernel:
    """A function and its signature, compiled or fetched from the cache folder when first needed."""

    def __init__(self, function: Callable, signature: Signature) -> None:
        update_wrapper(self, function)
        self._signature = signature

    def signature(self) -> Signature:
        return self._signature


class Compiled(_Kernel):
    """A kernel called from Python; it releases the interpreter lock, so a thread pool runs it in parallel."""

    @cached_property
    def native(self) -> Dispatcher:
        """What Numba compiled, or finds in its cache, when first asked for."""
        return numba.njit(self._signature, cache=True, nogil=True, error_model="numpy")(self.__wrapped__)

    def __call__(self, *arguments):
        return self.native(*arguments)


class Callback(_Kernel, types.WrapperAddressProtocol):
    """A kernel that other kernels take as an argument."""

    @cached_property
    def native(self) -> CFunc:
        """What Numba compiled, or finds in its cache, when first asked for."""
        return numba.cfunc(self._signature, cache=True, error_model="numpy")(self.__wrapped__)

    def __wrapper_address__(self) -> int:
        return self.native.address


def compile_together(here: Compiled, there: Iterable[_Kernel]) -> None:
    """Compile a kernel, and others in a copy of this process at the same time, where nothing is compiled yet.

    Only Linux makes such copies safely, and only of a process with one thread; elsewhere, and once the folder holds
    something, each kernel is compiled or fetched when it is first needed.
    """
    alone = sys.platform == "linux" and threading.active_count() == 1 and (os.cpu_count() or 1) > 1
    if "native" in vars(here) or not alone or any(CACHE_FOLDER.rglob("*.nbi")):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        copy = os.fork()
    if copy == 0:
        with contextlib.suppress(BaseException):
            for kernel in there:
                kernel.native  # noqa: B018
        os._exit(0)
    try:
        here.native  # noqa: B018
    finally:
        _end(copy)


def _end(process: int) -> None:
    """Wait for a process of our own to end by itself, but not for ever."""
    deadline = time.monotonic() + _PATIENCE
    while os.waitpid(process, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(process, signal.SIGKILL)
        time.sleep(0.02)


def compiled(signature: Signature) -> Callable[[Callable], Compiled]:
    """A decorator that makes a function a `Compiled` kernel."""
    return lambda function: Compiled(function, signature)


def callback(signature: Signature) -> Callable[[Callable], Callback]:
    """A decorator that makes a function a `Callback`."""
    return lambda function: Callback(function, signature)


inlined = numba.njit(inline="always", error_model="numpy")
"""A helper that is copied into the kernels that call it."""

linked = numba.njit(cache=True, error_model="numpy")
"""A helper that is compiled once and called by the kernels that use it."""


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

    xp: what `np` stands for in it: numpy, cupy, or a tracer (`simulations.fused`), which may have `forms` of its own.
    """
    kernel = getattr(kernel, "kernel", kernel)
    form = getattr(xp, "forms", {}).get(kernel) or _ARRAY_FORMS.get(kernel)
    plain = form or getattr(kernel, "py_func", None) or kernel.__wrapped__
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
    return isinstance(helper, _Kernel) or (callable(helper) and type(helper).__module__.startswith("numba."))


def specialised(template: Callable, **names: object) -> Callable:
    """The source of `template` with these values for names it leaves open: inlined helpers and whole numbers.

    The result is a function for `callback` or `inlined`. Numba keeps compiled code under a function's name alone, so
    the name ends in a digest of what was filled in, the files of the helpers included.
    """
    digest = hashlib.sha256(template.__qualname__.encode())
    for name, value in sorted(names.items()):
        plain = getattr(value, "py_func", None)
        digest.update(f"{name} {plain.__qualname__ if plain else value}\0".encode())
        if plain:
            digest.update(_file_of(plain))
    filled = FunctionType(template.__code__, {**template.__globals__, **names}, template.__name__)
    filled.__qualname__ = f"{template.__qualname__}_{digest.hexdigest()[:16]}"
    filled.__doc__ = template.__doc__
    return filled


def _file_of(function: Callable) -> bytes:
    """The file a function is written in; for one typed at a prompt something new, so that no kept code is its own."""
    path = Path(function.__code__.co_filename)
    return path.read_bytes() if path.is_file() else os.urandom(16)


@intrinsic
def bits_of(typing_context, x):
    """The 64 bits of a float64, as an unsigned integer."""
    return types.uint64(types.float64), lambda _, builder, __, args: builder.bitcast(args[0], ir.IntType(64))


@intrinsic
def float_of(typing_context, x):
    """The float64 of these 64 bits."""
    return types.float64(types.uint64), lambda _, builder, __, args: builder.bitcast(args[0], ir.DoubleType())


@intrinsic
def fma(typing_context, x, y, z):
    """x y + z, rounded once: the same bits on every machine."""
    return types.float64(*(types.float64,) * 3), lambda _, builder, __, args: builder.fma(*args)


_REGISTER = {"x86_64": "x", "AMD64": "x", "aarch64": "w", "arm64": "w"}.get(platform.machine())


@intrinsic
def held(typing_context, constant):
    """The constant itself, which a loop then keeps ready in a register instead of fetching it at every use.

    To the compiler it is what an empty instruction returns: it can be moved out of loops but not seen through.
    """

    def generate(_, builder, __, args):
        if _REGISTER is None:
            return args[0]
        double = ir.DoubleType()
        signature = ir.FunctionType(double, [double])
        kept = builder.asm(signature, "", f"={_REGISTER},0", [args[0]], side_effect=False)
        kept.attributes.add("readnone")
        kept.attributes.add("nounwind")
        return kept

    return types.float64(types.float64), generate


@array_form(fma)
def _(x, y, z):
    return x * y + z


@array_form(held)
def _(constant):
    return constant


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


class Tasks(NamedTuple):
    """A finite set of tasks as kernels see it. Row r of a call belongs to the task i = picks[r].

    values(points, picks, parameters, shared, out): out[r] = f_i(points[r]).
    gradients(points, picks, parameters, shared, out): out[r] = grad f_i(points[r]).
    products(points, vectors, picks, parameters, shared, out): out[r] = Hess f_i(points[r]) vectors[r].
    table: (parameters, tasks, d), what tells the tasks apart; shared: what they have in common. The `parameters` of a
    call are the table's columns of its picks, (parameters, rows, d): the table itself when every task is asked once.
    """

    values: object
    gradients: object
    products: object
    table: object
    shared: object


TASKS = types.NamedTuple(
    [types.FunctionType(VALUES), types.FunctionType(GRADIENTS), types.FunctionType(PRODUCTS), TABLE, VECTOR], Tasks
)


class Address(NamedTuple):
    """Where a random number lives: its value is a function of seed, replicate, iteration, role and its index alone.

    lanes: how many replicates, from this one on, a block of rows holds one after the other, as many rows of each.
    first: the row of each one's batch that the block begins with.
    """

    seed: int
    replicate: int
    iteration: int
    role: int
    lanes: int = np.uint64(1)
    first: int = np.uint64(0)


ADDRESS = types.NamedUniTuple(WORD, 6, Address)
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
DIRECTION = types.void(ORACLE, SETTING, MATRIX, PICKS, TABLE, VECTOR, ADDRESS, TABLE, MATRIX, MATRIX)


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
    objective: F; both with `exact`, whose oracles are exact. Kernels work on a block of rows: a row of the batch for
    each of several replicates, the lanes, or some rows of one replicate's; they add to what `out` holds.
    merge: 1 where `direction` leaves out the outer noise and adds the squares of its weights instead.
    slots: blocks of scratch the kernels ask for. lanes: replicates in a block; tile: rows of a batch in a block, all of
    them where there are lanes. B: tasks in a batch, 0 for all of them. reuse: 1 where direction and gradient are one
    and the same number.
    last: the iteration after which nothing more is done. norm_every, record_every: how often ||grad F|| is found, and
    F and the step are noted.
    """

    direction: object
    gradient: object
    objective: object
    step: object
    oracle: object
    law: object
    setting: object
    exact: object
    rule: object
    merge: int
    slots: int
    lanes: int
    tile: int
    B: int
    reuse: int
    last: int
    norm_every: int
    record_every: int
    seed: int


PLAN = types.NamedTuple(
    [
        *(types.FunctionType(signature) for signature in (DIRECTION, DIRECTION, OBJECTIVE, STEP)),
        *(ORACLE, LAW, SETTING, SETTING, STEP_RULE),
        *(COUNT,) * 9,
        WORD,
    ],
    Plan,
)
