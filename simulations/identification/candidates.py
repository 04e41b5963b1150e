"""What a meta-gradient may turn out to be: every candidate with its name, its peculiarities and its free number.

The directions themselves are in `directions`. A candidate is named by the simplest of those that explain the answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simulations.identification import directions as of
from simulations.identification.directions import Path, Solver
from simulations.identification.probes import Batch
from simulations.identification.quartic import DIM

NAMES = {"maml": "", "fo-maml": "", "hf-maml": "delta", "imaml": "lambda", "anil": "", "reptile": "", "gradient": ""}
SPLITS = tuple(range(1, DIM))
MOST_FIXED_STEPS = 10
MOST_TERMS = 10
_PULLS, _DELTAS = (0.1, 1e3), (1e-8, 3.0)
_AN_OCTAVE = 16
_DENSE = 257
_FACTORS = {"span": (2.0**-10, 2.0**5), "points": 15 * _AN_OCTAVE + 1}
_STEPS = {"span": (2.0**-12, 1.0), "points": 12 * _AN_OCTAVE + 1}
_STOPPED = (1e-1, 1e-2, 1e-3, 1e-4)


@dataclass(frozen=True, eq=False)
class Candidate:
    """One algorithm: its name, what is peculiar about it, and its direction on a batch of probes.

    name: of the algorithm, as `expect` spells it.
    direction: (batch, numbers (G,)) -> (G, probes, DIM), the mean over the tasks.
    traits: what it does otherwise than the algorithm of that name; one may hold the free number as {number}.
    free: name of the free number, "" if there is none. span: where it is looked for, at first in so many points.
    stage: candidates of a later stage are tried where none of an earlier one explains the answers.
    limit: name of the algorithm it becomes for a special value of its number.
    unsolved: (batch, number) -> relative residual of its linear solve, for solvers stopped early.
    """

    name: str
    direction: Callable[[Batch, np.ndarray], np.ndarray]
    traits: tuple[str, ...] = ()
    free: str = ""
    span: tuple[float, float] = (1.0, 1.0)
    points: int = 33
    stage: int = 1
    limit: str = ""
    unsolved: Callable[[Batch, float], float] | None = None

    def label(self, number: float) -> str:
        """Name, free number and traits in one line."""
        shown = [trait.format(number=f"{number:.6g}") for trait in self.traits]
        if self.free and shown == list(self.traits):
            return ", ".join((f"{self.name}({self.free} = {number:.6g})", *shown))
        return ", ".join((self.name, *shown))


def _count(steps: int) -> str:
    return f"{steps} inner step{'s' * (steps > 1)}"


def _unrolled(most_steps: int) -> Iterator[Candidate]:
    yield Candidate("maml", of.unrolled(Path()))
    yield Candidate("fo-maml", of.unrolled(Path(), last=0))
    yield Candidate("reptile", of.reptile(Path()))
    yield Candidate("gradient", of.plain(1), ("at w itself, no inner step",))
    yield Candidate("gradient", of.plain(0), ("of the support loss at w itself",))
    for last in range(1, most_steps):
        words = f"differentiated through the last {_count(last)} only"
        yield Candidate("maml", of.unrolled(Path(), last=last), (words,))
    swapped = {(0, 0): "support data in the outer loss", (1, 1): "query data in the inner steps"}
    swapped[1, 0] = "support and query exchanged"
    for name, last in (("maml", None), ("fo-maml", 0)):
        for (inner, outer), words in swapped.items():
            yield Candidate(name, of.unrolled(Path(data=inner), outer, last), (words,))
        for steps in range(1, MOST_FIXED_STEPS + 1):
            yield Candidate(name, of.unrolled(Path(fixed=steps), last=last), (f"{_count(steps)} whatever k",))
        for offset, words in ((-1, "one inner step fewer than k"), (1, "one inner step more than k")):
            yield Candidate(name, of.unrolled(Path(offset=offset), last=last), (words,))
        for first, words in ((1, "1, ..., k"), (0, "0, ..., k")):
            trait = f"mean over the iterates {words} in the outer loss"
            yield Candidate(name, of.multi_step_loss(first, last), (trait,))
    for where, words in (("start", "at w"), ("end", "at the last iterate"), ("late", "one iterate late")):
        yield Candidate("maml", of.unrolled(Path(), bent=where), (f"Hessians of the inner steps {words}",))
    yield Candidate("maml", of.unrolled(Path(), curved=1), ("Hessians of the query loss",))
    yield Candidate("reptile", of.reptile(Path(data=1)), ("steps on query data",))
    for split in SPLITS:
        for block in ((0, split), (split, DIM)):
            words = f"inner steps on w[{block[0]}:{block[1]}] only"
            yield Candidate("anil", of.unrolled(Path(block=block)), (words,))
            yield Candidate("anil", of.unrolled(Path(block=block), last=0), (words, "first order"))


def _with_number() -> Iterator[Candidate]:
    for name, last in (("maml", None), ("fo-maml", 0)):
        of_alpha = of.stepped(Path(), last, relative=True)
        words = ("inner step {number} alpha",)
        yield Candidate(name, of_alpha, words, "alpha factor", stage=2, limit=name, **_FACTORS)
        instead = of.stepped(Path(), last, relative=False)
        words = ("inner step {number} whatever alpha",)
        yield Candidate(name, instead, words, "alpha", stage=2, limit=name, **_STEPS)
    for inner in ("exact", "proximal", "plain"):
        yield Candidate("imaml", of.implicit(inner), _inner(inner), "lambda", _PULLS, stage=2)
    reach = {"unit": "delta v/||v||", "plain": "delta v", "alpha": "delta v/(alpha ||v||)"}
    for scaling, words in reach.items():
        for central in (True, False):
            trait = f"w +- {words}" if central else f"one-sided, w + {words}"
            yield _hessian_free(of.hessian_free(scaling, central), trait)
    for central in (True, False):
        for split in SPLITS:
            trait = f"{'' if central else 'one-sided, '}a delta of its own for w[:{split}] and w[{split}:]"
            yield _hessian_free(of.hessian_free("unit", central, split), trait)


def _hessian_free(direction: Callable, trait: str) -> Candidate:
    return Candidate("hf-maml", direction, (trait,), "delta", _DELTAS, stage=2, limit="maml")


def _inner(kind: str) -> tuple[str, ...]:
    return () if kind == "exact" else (f"{kind} inner solution by k gradient steps",)


def _unfinished() -> Iterator[Candidate]:
    """Solvers stopped early, and codes that ignore both k and alpha."""
    stopped = [(f"conjugate gradients stopped after {n}", Solver(n)) for n in range(1, DIM)]
    stopped += [(f"conjugate gradients stopped at a residual of {short(e)}", Solver(DIM, e)) for e in _STOPPED]
    stopped += [(f"Neumann series stopped after {n}", Solver(n, neumann=True)) for n in range(1, MOST_TERMS + 1)]
    for inner in ("exact", "proximal", "plain"):
        for words, solver in stopped:
            given = (of.implicit(inner, solver), (*_inner(inner), words), "lambda", _PULLS)
            points = _DENSE if solver.tolerance else Candidate.points
            yield Candidate("imaml", *given, points, stage=3, unsolved=of.solve_error(inner, solver))
    for name, last in (("maml", None), ("fo-maml", 0)):
        for steps in range(1, MOST_FIXED_STEPS + 1):
            words = (f"{_count(steps)} of {{number}} whatever k and alpha",)
            hard_coded = of.stepped(Path(fixed=steps), last, relative=False)
            yield Candidate(name, hard_coded, words, "alpha", stage=3, **_STEPS)


def short(number: float) -> str:
    """1e-2 for 0.0123."""
    return f"{number:.0e}".replace("e-0", "e-").replace("e+00", "")


@lru_cache(maxsize=16)
def candidates(most_steps: int) -> tuple[Candidate, ...]:
    """Every candidate for probes with at most so many inner steps, the simplest first."""
    return (*_unrolled(most_steps), *_with_number(), *_unfinished())
