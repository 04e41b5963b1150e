"""What a meta-gradient may turn out to be: each algorithm on exact derivatives, in the project's letters.

A candidate is a function of a probe and of at most one free number (lambda, delta, a factor on alpha); it gives the
mean over the probe's tasks. Inner steps on f_s (support), outer loss f_o (query, unless said otherwise):

    w_0 = w,  w_{j+1} = w_j - alpha M grad f_s(w_j),  M = I, or a block of it (ANIL)
    MAML-k            (I - alpha H_s(w_0) M) ... (I - alpha H_s(w_{k-1}) M) grad f_o(w_k)
    last m through    the last m factors of it; none of them is FO-MAML-k
    multi-step loss   the mean over j = 1, ..., k of MAML-j (or FO-MAML-j)
    Reptile-k         (w_0 - w_k)/alpha
    HF-MAML(delta)    MAML with every H v replaced by a difference quotient of gradients
    iMAML(lambda)     (I + H_s(phi)/lambda)^{-1} grad f_o(phi), phi an exact, proximal or plain inner solution
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from simulations.identification.probes import Probe
from simulations.identification.quartic import DIM, Quartic

_NEWTON_STEPS = 60
_UNSOLVED = np.full(DIM, np.nan)
SPLITS = tuple(range(1, DIM))
MOST_SOLVER_STEPS = 10


@dataclass(frozen=True)
class Candidate:
    """One algorithm: its name, what is peculiar about it, and its direction on a probe.

    Args:
        name: of the algorithm, as `--expect` spells it.
        direction: (probe, number) -> (DIM,), the mean over the tasks.
        traits: what it does otherwise than the algorithm of that name, in words.
        free: name of the free number, "" if there is none.
        span: where the free number is looked for.
        rank: the smaller the simpler; of candidates that agree the simplest is named.
    """

    name: str
    direction: Callable[[Probe, float], np.ndarray]
    traits: tuple[str, ...] = ()
    free: str = ""
    span: tuple[float, float] = (0.0, 0.0)
    rank: int = 0

    @property
    def label(self) -> str:
        """Name and traits in one line."""
        return ", ".join((self.name, *self.traits))


@dataclass(frozen=True)
class Path:
    """How the inner steps go: on which data, in which block, with which factor on alpha, up to which iterate."""

    data: int = 0
    block: tuple[int, int] = (0, DIM)
    factor: float = 1.0
    fixed: int | None = None
    offset: int = 0

    def steps(self, probe: Probe) -> int:
        """The number of inner steps taken."""
        return max((probe.steps if self.fixed is None else self.fixed) + self.offset, 0)

    def points(self, probe: Probe, losses: tuple[Quartic, Quartic], pull: float = 0.0) -> list[np.ndarray]:
        """w_0, ..., w_k of one task; `pull` is the weight lambda of a proximal term."""
        support, start = losses[self.data], probe.w
        points = [start]
        for _ in range(self.steps(probe)):
            here = points[-1]
            step = support.gradient(here) + pull * (here - start)
            points.append(here - self.factor * probe.alpha * self.masked(step))
        return points

    def masked(self, vector: np.ndarray) -> np.ndarray:
        """The vector outside the block set to 0."""
        first, stop = self.block
        kept = np.zeros(DIM)
        kept[first:stop] = vector[first:stop]
        return kept


def _over_tasks(one: Callable) -> Callable[[Probe, float], np.ndarray]:
    """From one task's direction to the mean over tasks."""

    def direction(probe: Probe, number: float) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.mean([one(probe, losses, number) for losses in probe.losses], axis=0)

    return direction


def _through(path: Path, probe: Probe, losses, points: list[np.ndarray], vector: np.ndarray, last: int) -> np.ndarray:
    """The last so many factors I - alpha H M, transposed Jacobians of the inner steps, applied to a vector."""
    for point in reversed(points[max(len(points) - 1 - last, 0) : -1]):
        bent = losses[path.data].hessian(point) @ path.masked(vector)
        vector = vector - path.factor * probe.alpha * bent
    return vector


def unrolled(path: Path, outer: int, last: int | None) -> Callable:
    """Differentiated through the last so many inner steps, all of them if None."""

    def one(probe: Probe, losses, number: float) -> np.ndarray:
        points = path.points(probe, losses)
        depth = len(points) - 1 if last is None else last
        return _through(path, probe, losses, points, losses[outer].gradient(points[-1]), depth)

    return _over_tasks(one)


def stretched(last: int | None) -> Callable:
    """MAML or FO-MAML with alpha times the free number."""

    def direction(probe: Probe, number: float) -> np.ndarray:
        return unrolled(Path(factor=number), 1, last)(probe, number)

    return direction


def multi_step_loss(path: Path, last: int | None) -> Callable:
    """The mean over the iterates 1, ..., k of what `unrolled` gives at each."""

    def one(probe: Probe, losses, number: float) -> np.ndarray:
        points = path.points(probe, losses)
        total = np.zeros(DIM)
        for j in range(1, len(points)):
            depth = j if last is None else last
            total += _through(path, probe, losses, points[: j + 1], losses[1].gradient(points[j]), depth)
        return total / max(len(points) - 1, 1)

    return _over_tasks(one)


def reptile(path: Path) -> Callable:
    """(w_0 - w_k)/alpha."""

    def one(probe: Probe, losses, number: float) -> np.ndarray:
        points = path.points(probe, losses)
        return (points[0] - points[-1]) / probe.alpha

    return _over_tasks(one)


def hessian_free(scaling: str, split: int = DIM, central: bool = True) -> Callable:
    """Difference quotients along v: w +- delta v ("plain"), or delta v/||v||, over all of v or block by block."""

    def quotient(support: Quartic, point: np.ndarray, vector: np.ndarray, delta: float) -> np.ndarray:
        sizes = np.ones(DIM)
        if scaling == "unit":
            for block in (slice(0, split), slice(split, DIM)):
                sizes[block] = np.linalg.norm(vector[block])
        reach = delta / np.where(sizes > 0, sizes, 1.0)
        ahead = support.gradient(point + reach * vector)
        behind = support.gradient(point - reach * vector) if central else support.gradient(point)
        return (ahead - behind) / ((2 if central else 1) * reach)

    def one(probe: Probe, losses, delta: float) -> np.ndarray:
        points = Path().points(probe, losses)
        vector = losses[1].gradient(points[-1])
        for point in reversed(points[:-1]):
            vector = vector - probe.alpha * quotient(losses[0], point, vector, delta)
        return vector

    return _over_tasks(one)


def _proximal_point(support: Quartic, start: np.ndarray, pull: float) -> np.ndarray:
    """argmin f_s(phi) + (lambda/2)||phi - w||^2 near w, by damped Newton steps; NaN if it is not found."""
    point = start
    for _ in range(_NEWTON_STEPS):
        slope = support.gradient(point) + pull * (point - start)
        curved = support.hessian(point) + pull * np.eye(DIM)
        least = np.linalg.eigvalsh(curved)[0] if np.isfinite(curved).all() else -np.inf
        if least <= 0:
            return _UNSOLVED
        step = np.linalg.solve(curved, slope)
        point = point - step * min(1.0, 0.5 / max(np.linalg.norm(step), 1e-300))
        if np.linalg.norm(step) <= 1e-15 * (1 + np.linalg.norm(point)):
            return point
    return point if np.linalg.norm(slope) < 1e-12 else _UNSOLVED


def _conjugate_gradients(matrix: np.ndarray, right: np.ndarray, steps: int) -> np.ndarray:
    found, residual = np.zeros(DIM), right
    along, size = residual, residual @ residual
    for _ in range(steps):
        image = matrix @ along
        length = size / (along @ image)
        found, residual = found + length * along, residual - length * image
        size, before = residual @ residual, size
        if size <= 1e-30 * (right @ right):
            break
        along = residual + size / before * along
    return found


def _neumann(matrix: np.ndarray, right: np.ndarray, steps: int) -> np.ndarray:
    """The first terms of the series of (I + H/lambda)^{-1}."""
    term = found = right
    for _ in range(steps):
        term = term - matrix @ term
        found = found + term
    return found


SOLVERS = {"conjugate gradients": _conjugate_gradients, "Neumann series": _neumann}


def implicit(inner: str, solver: str = "", steps: int = 0) -> Callable:
    """(I + H/lambda)^{-1} grad f_o at the inner solution, solved exactly or by so many steps of a solver."""

    def one(probe: Probe, losses, pull: float) -> np.ndarray:
        if inner == "exact":
            point = _proximal_point(losses[0], probe.w, pull)
        else:
            point = Path().points(probe, losses, pull if inner == "proximal" else 0.0)[-1]
        if not np.isfinite(point).all():
            return _UNSOLVED
        matrix = np.eye(DIM) + losses[0].hessian(point) / pull
        right = losses[1].gradient(point)
        return SOLVERS[solver](matrix, right, steps) if solver else np.linalg.solve(matrix, right)

    return _over_tasks(one)


def plain(outer: int) -> Callable:
    """The gradient at w itself."""
    return _over_tasks(lambda probe, losses, number: losses[outer].gradient(probe.w))


def _unrolled_family(most_steps: int) -> Iterator[Candidate]:
    yield Candidate("maml", unrolled(Path(), 1, None))
    yield Candidate("fo-maml", unrolled(Path(), 1, 0), rank=1)
    for last in range(1, most_steps):
        words = f"differentiated through the last {last} inner step{'s' * (last > 1)} only"
        yield Candidate("maml", unrolled(Path(), 1, last), (words,), rank=10 + last)
    data = {(0, 0): "support data in the outer loss", (1, 1): "query data in the inner steps"}
    data[1, 0] = "support and query exchanged"
    for last, name in ((None, "maml"), (0, "fo-maml")):
        for (inner, outer), words in data.items():
            yield Candidate(name, unrolled(Path(data=inner), outer, last), (words,), rank=12)
        for steps in range(1, most_steps + 3):
            words = f"{steps} inner step{'s' * (steps > 1)} whatever k"
            yield Candidate(name, unrolled(Path(fixed=steps), 1, last), (words,), rank=14)
        for offset, words in ((-1, "one inner step fewer than k"), (1, "one inner step more than k")):
            yield Candidate(name, unrolled(Path(offset=offset), 1, last), (words,), rank=15)
        mean = "mean over the iterates in the outer loss"
        yield Candidate(name, multi_step_loss(Path(), last), (mean,), rank=20)


def _block_family() -> Iterator[Candidate]:
    for split in SPLITS:
        for block in ((0, split), (split, DIM)):
            words = f"inner steps on w[{block[0]}:{block[1]}] only"
            yield Candidate("anil", unrolled(Path(block=block), 1, None), (words,), rank=30)
            yield Candidate("anil", unrolled(Path(block=block), 1, 0), (words, "first order"), rank=31)


def _free_family() -> Iterator[Candidate]:
    alphas = (1e-3, 30.0)
    for last, name in ((None, "maml"), (0, "fo-maml")):
        yield Candidate(name, stretched(last), ("another inner step",), "alpha factor", alphas, 40)
    spans, deltas = (0.3, 300.0), (1e-3, 3.0)
    for inner, rank in (("exact", 0), ("proximal", 1), ("plain", 2)):
        words = () if inner == "exact" else (f"{inner} inner solution by k gradient steps",)
        yield Candidate("imaml", implicit(inner), words, "lambda", spans, 41 + rank)
        for solver in SOLVERS:
            for steps in range(1, DIM if solver == "conjugate gradients" else MOST_SOLVER_STEPS + 1):
                early = (*words, f"{solver} stopped after {steps}")
                yield Candidate("imaml", implicit(inner, solver, steps), early, "lambda", spans, 50 + steps)
    yield Candidate("hf-maml", hessian_free("unit"), ("w +- delta v/||v||",), "delta", deltas, 45)
    yield Candidate("hf-maml", hessian_free("plain"), ("w +- delta v",), "delta", deltas, 46)
    yield Candidate(
        "hf-maml", hessian_free("unit", central=False), ("one-sided, w + delta v/||v||",), "delta", deltas, 47
    )
    yield Candidate("hf-maml", hessian_free("plain", central=False), ("one-sided, w + delta v",), "delta", deltas, 47)
    for central, side in ((True, ()), (False, ("one-sided",))):
        for split in SPLITS:
            words = (*side, f"a delta of its own for w[:{split}] and w[{split}:]")
            yield Candidate("hf-maml", hessian_free("unit", split, central), words, "delta", deltas, 48)


def candidates(most_steps: int) -> list[Candidate]:
    """Every candidate for probes with at most so many inner steps, the simplest first."""
    found = [*_unrolled_family(most_steps), *_block_family(), *_free_family()]
    found.append(Candidate("reptile", reptile(Path()), rank=2))
    found.append(Candidate("reptile", reptile(Path(data=1)), ("steps on query data",), rank=16))
    found.append(Candidate("gradient", plain(1), ("at w itself, no inner step",), rank=3))
    found.append(Candidate("gradient", plain(0), ("of the support loss at w itself",), rank=3))
    return sorted(found, key=lambda candidate: candidate.rank)
