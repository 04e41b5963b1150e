"""Adversarial search: the instance and the point that bring a claim's left side nearest to its right side.

Candidates come from instances made to be hard, and from the families with constants drawn over decades; where the
claim is about a point, each is improved by Nelder and Mead's method over w. Sides are exact, so what is found is a
verdict with a key. A proved claim that is beaten means that the program is wrong.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.optimize import minimize

from simulations import exact, families
from simulations.family import Family, real
from simulations.verdicts import Cell, Verdict, judged, trajectory
from simulations.verdicts.assumptions import ASSUMED
from simulations.verdicts.cuts import cut, share
from simulations.verdicts.suite import chosen_claims, flattest_task, opposed_tasks
from simulations.verdicts.verdict import symbols_of, unseen
from theory import Claim

_ROUNDS = 40
_LESS = 0.99
_NEAR = 1e-3
_SHAPES = ("cosine", "welsch", "rotated")
_FREE: Mapping[str, object] = MappingProxyType({})


class Beaten(ArithmeticError):
    """A proved claim was beaten, by `found`: a mistake in the claim, in its proof, or in this program."""

    def __init__(self, found: Verdict) -> None:
        super().__init__(f"a PROVED claim is beaten, so this program is wrong: {found}; {_key(found)}")
        self.found = found


@dataclass(frozen=True)
class Found:
    """The worst instance of a search.

    published, sharp: verdicts there, by the version they are about; sharp is None where the claim has no such version.
    ratio: left over right of the published version; of lower claims right over left. 1 would be equality. Where a
        constant was searched for, the share of it that the instance uses up, the others as they are.
    share: the same against the sharp version.
    tried: how many cells were decided.
    """

    published: Verdict
    sharp: Verdict | None
    ratio: float
    share: float
    tried: int


def search(
    claim: str | Claim,
    budget: int = 400,
    seed: int = 0,
    constant: str | None = None,
    at: Mapping[str, object] = _FREE,
) -> Found:
    """Bring the two sides of a claim together, or use up one of its constants.

    Args:
        claim: one that instances can show, by its id or itself.
        budget: cells to decide, at least 1.
        seed: of the candidates.
        constant: the one to use up, by its name in the published version; by default the whole right side.
        at: fields of `Cell` that are held fixed, such as D_in.

    Raises:
        ValueError: there is no such claim or constant, or no instance shows it.
        Beaten: a proved version is violated.
    """
    if isinstance(claim, str):
        (claim,) = chosen_claims([claim])
    if claim.id in ASSUMED or unseen(claim, "published"):
        raise ValueError(f"{claim.id} speaks of what no instance shows: there is nothing to search")
    if constant is not None and constant not in claim.published:
        raise ValueError(f"constant of {claim.id} must be one of {', '.join(claim.published)}, got {constant!r}")
    run, names = _Run(claim, budget, constant), symbols_of(claim, "published")
    made, drawn = _candidates(claim, names, np.random.Generator(np.random.Philox(seed)))
    run.improve_best([(family, _asked(options, names, at)) for family, options in made])
    while run.left:
        family, options = next(drawn)
        run.improve(family, _asked(options, names, at))
    if run.best is None:
        what = f"needs {constant} of {claim.id}" if constant else f"lies in the domain of {claim.id}"
        raise ValueError(f"none of {run.tried} instances {what} and can be decided exactly")
    family, options = run.best
    sharp = run.decided(family, options, "sharp") if "sharp" in claim.versions else None
    known = sharp is not None and (constant is None or constant in claim.sharp)
    return Found(run.worst, sharp, run.highest, run.measure(sharp) if known else math.nan, run.tried)


def searched() -> list[tuple[str, str]]:
    """(claim, constant) of all proved published constants that instances can show."""
    return [
        (claim.id, name)
        for claim in chosen_claims()
        if not unseen(claim, "published") and claim.kind != "identity" and "sharp" in claim.versions
        if claim.versions["published"].status == "proved"
        for name in claim.published
    ]


class _Run:
    """What was tried so far and the worst of it."""

    def __init__(self, claim: Claim, budget: int, constant: str | None) -> None:
        self.claim, self.left, self.tried, self.constant = claim, budget, 0, constant
        self.highest, self.worst, self.best = -math.inf, None, None

    def decided(self, family: Family, options: dict, version: str) -> Verdict:
        found = judged(Cell(self.claim, family, version, **options))
        if found.status == "VIOLATED" and found.cell.claim.versions[version].status == "proved":
            raise Beaten(found)
        return found

    def measure(self, found: Verdict) -> float:
        """What is to be large; -inf where the claim does not apply or cannot be decided."""
        if found.status not in ("HOLDS", "VIOLATED"):
            return -math.inf
        return found.ratio if self.constant is None else share(found, self.constant)

    def ratio(self, family: Family, options: dict) -> float:
        """The measure of the published version."""
        if not self.left:
            return -math.inf
        self.left, self.tried = self.left - 1, self.tried + 1
        found = self.decided(family, options, "published")
        ratio = self.measure(found)
        if ratio > self.highest and self._real(found, ratio):
            self.highest, self.worst, self.best = ratio, found, (family, options)
        return ratio

    def _real(self, found: Verdict, ratio: float) -> bool:
        """Whether a constant is used up indeed, and not by the guards around the two sides."""
        return self.constant is None or judged(cut(found.cell, self.constant, _LESS * ratio)).status == "VIOLATED"

    def improve_best(self, made: list[tuple[Family, dict]]) -> None:
        """From the starts of all instances, then over w from those that come within half of the best."""
        ratios = [self.ratio(*each) for each in made]
        for ratio, each in sorted(zip(ratios, made, strict=True), key=lambda pair: pair[0], reverse=True):
            if ratio >= self.highest - abs(self.highest) / 2:
                self.improve(*each)

    def improve(self, family: Family, options: dict) -> None:
        """From the start of the family, over w; runs are taken as they are."""
        if "eps" in options:
            self.ratio(family, options)
            return
        rho = real(family.constants.rho)
        size = real(family.constants.L) / rho if rho else 1.0

        def loss(x: np.ndarray) -> float:
            return -max(self.ratio(family, {**options, "w": family.start + size * x}), -1e300)

        if self.ratio(family, options) > self.highest / 2 or self.best is None:
            minimize(loss, np.zeros(family.dim), method="Nelder-Mead", options={"maxfev": min(_ROUNDS, self.left or 1)})


def _key(found: Verdict) -> str:
    try:
        return f"key {found.key}"
    except ValueError as reason:
        return str(reason)


def _asked(options: dict, names: set[str], at: Mapping[str, object]) -> dict:
    """Of the fields of a cell those that the claim speaks of, and those that are held fixed."""
    kept = {name: value for name, value in options.items() if name in names or name in ("alpha", "by")}
    return kept | ({"u": options["u"]} if "u" in options and "distance" in names else {}) | dict(at)


def _candidates(
    claim: Claim, names: set[str], generator: np.random.Generator
) -> tuple[list[tuple[Family, dict]], Iterator[tuple[Family, dict]]]:
    """Those made to be hard, and those drawn at random without end."""
    if names & set(trajectory.QUANTITIES):
        return list(_runs()), _drawn_runs(generator)
    return list(_at_points(claim, names)), (_drawn(claim, generator) for _ in itertools.count())


def _runs() -> Iterator[tuple[Family, dict]]:
    """Slopes that resist down to eps, a stall, parabolas seen with a large rho."""
    for eps in (0.3, 0.1, 0.05, 0.03):
        for slope_factor in (1.02, 1.005):
            yield families.resisting_ramp(eps=eps, slope_factor=slope_factor), {"eps": eps, "alpha": "1/10"}
    stalled = families.sinc_stall()
    for eps in (25.0, 30.0):
        yield stalled, {"eps": eps, "alpha": 1 / (6 * math.pi)}
    for alpha in ("1/6", "1/10"):
        for rho in (1.0, 100.0, 1e3):
            for eps in (0.3, 0.5, 0.6):
                yield families.named("bowl")(rho=rho), {"eps": eps, "alpha": alpha}


def _drawn_runs(generator: np.random.Generator) -> Iterator[tuple[Family, dict]]:
    while True:
        build = families.named(_SHAPES[generator.integers(len(_SHAPES))])
        family = build(dim=1, tasks=2, sigma=10.0 ** generator.uniform(-4, -2), seed=int(generator.integers(100)))
        alpha = ("1/6", "1/10")[generator.integers(2)]
        start = float(np.linalg.norm(exact.meta_gradient(family, family.start, real(alpha))))
        yield family, {"eps": float(start * generator.uniform(0.3, 0.95)), "alpha": alpha}


def _at_points(claim: Claim, names: set[str]) -> Iterator[tuple[Family, dict]]:
    """Spikes, one task where it is flattest or in loud noise, parabolas pulling apart, a slope against a wave."""
    fo = claim.id.startswith("fo-")
    alpha = "1/10" if fo else "1/6"
    if "D_in" in names and "D_o" not in names and not claim.id.startswith(("fo-", "hf-", "multi-")):
        for sharpness in (1e3, 1e4, 1e6):
            yield families.named("spike")(sharpness=sharpness), {"D_in": 1, "alpha": "1/6", "by": "outcomes"}
    flattest = flattest_task(sigma_H=6)
    for sizes in ({"D_o": 1, "D_h": 2}, {"D_o": 1, "D_in": 1, "D_h": 2}, {"D_in": 1, "D_h": 2}):
        yield flattest, sizes
    yield flattest, {"u": flattest.start + _NEAR}
    yield opposed_tasks(), {"alpha": alpha}
    for w in (0.0, 0.5, 1.0, 2.0):
        tilted = families.named("bowl")(rho=50.0, sigma=1.0, sigma_tilde=1.0).started_at(np.array([w]))
        yield tilted, {"alpha": alpha, "B_step": 40, "D_in": 1, "D_o": 1}
        yield tilted, {"alpha": alpha}
    yield families.named("bowl")(rho=1.0).started_at(np.array([20.0])), {"alpha": alpha}
    yield families.named("welsch")(dim=1, tasks=1, sigma=0, sigma_tilde=20, sigma_H=0), {"alpha": alpha, "D_in": 1}
    yield families.sinc_stall(), {"alpha": 1 / (6 * math.pi)}
    for spread in (1, 100):
        for w in (0.1, math.pi / 2):
            waved = families.sinc_stall(sigma=spread).started_at(np.array([w]))
            yield waved, {"alpha": alpha, "B": 1, "u": waved.start + _NEAR}


def _drawn(claim: Claim, generator: np.random.Generator) -> tuple[Family, dict]:
    build = families.named(_SHAPES[generator.integers(len(_SHAPES))])
    tasks = int(generator.choice([1, 2, 4]))
    spread = float(0 if tasks == 1 else 10.0 ** generator.uniform(-2, 1))
    noise = float(10.0 ** generator.uniform(-1, 1.5))
    dim, seed = int(generator.integers(1, 3)), int(generator.integers(100))
    family = build(dim=dim, tasks=tasks, sigma=spread, sigma_tilde=noise, sigma_H=0, seed=seed)
    sizes = {name: 1 for name in ("D_in", "D_o") if generator.random() < 0.5}
    steps = {"B_step": 1} if spread < 1 else {}
    return family, {**sizes, **steps, **({"N": 2} if claim.id.startswith("multi-") and not sizes else {})}
