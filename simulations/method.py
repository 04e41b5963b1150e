"""The record of a method: its kernels, its options, and the constants its step rules stand on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real

from simulations.family import Family, positive_integer
from simulations.philox import MOST_STAGES
from theory import CLAIMS
from theory.rationals import Number, exact


@dataclass(frozen=True)
class Case:
    """What a method may look at to understand its options: the family and the experiment's own numbers."""

    family: Family
    alpha: Number
    D_in: float
    D_o: float
    eps: tuple[float, ...]


@dataclass(frozen=True)
class Options:
    """The options of one run as its method understands them.

    shown: every option by its name, and what follows from it.
    slots: blocks of scratch, each of one row a task, that the kernels ask for.
    direction, objective: the numbers `Setting.options` holds for the direction; for the objective and its gradient.
    """

    shown: Mapping[str, object]
    slots: int
    direction: tuple[float, ...] = ()
    objective: tuple[float, ...] = ()


@dataclass(frozen=True)
class Method:
    """One meta-learning algorithm.

    direction: kernel of the sampled update direction (DIRECTION in `simulations.kernels`).
    merged: the same without its outer noise, with the squares of the weights of that noise added to its last argument,
        where the noise enters linearly, so that one normal vector can stand for all of it; else None.
    gradient: kernel of the objective's exact gradient, of the same signature.
    objective: kernel of the objective (OBJECTIVE).
    options: (what the user asked by name, case) -> Options.
    source: where the method, and its published step if it has one, are published.
    step_factor: the published outer step is 1/(step_factor L~(w)); None where none is published.
    smoothness: (which, case, options) -> (c, m) with L(w) = c + m E||grad f_i(w)||, the smoothness of the objective,
        "published" or "sharp"; None where no such form is known.
    """

    direction: object
    gradient: object
    objective: object
    options: Callable[[Mapping, Case], Options]
    source: str
    step_factor: int | None = None
    smoothness: Callable[[str, Case, Options], tuple[float, float]] | None = None
    merged: object | None = None


def no_options(slots: int) -> Callable[[Mapping, Case], Options]:
    """The `options` of a method that has none."""

    def options(asked: Mapping, case: Case) -> Options:
        known(asked)
        return Options({}, slots)

    return options


def known(asked: Mapping, *names: str) -> None:
    """Refuse options of other names.

    Raises:
        ValueError: an unknown option.
    """
    for name in asked:
        if name not in names:
            takes = f"are {', '.join(names)}" if names else "of this method are none"
            raise ValueError(f"method_options {takes}, got {name!r}")


def stages(asked: Mapping, name: str, default: int) -> int:
    """An option that counts steps, each with noise of its own: a whole number from 1 to MOST_STAGES.

    Raises:
        ValueError: it is not.
    """
    count = positive_integer(f"method_options: {name}", asked.get(name, default))
    if count > MOST_STAGES:
        raise ValueError(f"method_options: {name} can be at most {MOST_STAGES}, where noise would repeat, got {count}")
    return count


def positive(asked: Mapping, name: str, default: float) -> float:
    """An option that is a positive, finite number.

    Raises:
        ValueError: it is not.
    """
    value = asked.get(name, default)
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value < math.inf:
        raise ValueError(f"method_options: {name} must be a positive number, got {value!r}")
    return float(value)


def one_step_smoothness(which: str, case: Case, options: Options) -> tuple[float, float]:
    """Of MAML's F, one inner step: cL L + cg rho alpha E||g||, FMO Lemma 4.9 or sharp."""
    L, alpha = exact(case.family.constants.L), exact(case.alpha)
    found = CLAIMS["smoothness"].constants(which, a=alpha * L)
    return float(found["cL"] * L), float(found["cg"] * exact(case.family.constants.rho) * alpha)
