"""Adversarial search: the instance and the point that bring a claim's left side nearest to its right side.

Candidates come from the families with constants drawn over decades, and from instances made to be hard; each is
improved by Nelder and Mead's method over the point w. Sides are exact, so what is found is a verdict with a key. A
proved claim that is beaten means that the program is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from simulations import families
from simulations.family import Family, real
from simulations.verdicts import Cell, Verdict, judged, trajectory
from simulations.verdicts.suite import chosen_claims
from simulations.verdicts.verdict import symbols_of, unseen
from theory import Claim

_ROUNDS = 40
_SHAPES = ("cosine", "welsch", "rotated")


class Beaten(ArithmeticError):
    """A proved claim was beaten: a mistake in the claim, in its proof, or in this program."""


@dataclass(frozen=True)
class Found:
    """The worst instance of a search.

    published, sharp: verdicts there, by the version they are about.
    ratio: left over right of the published version; of lower claims right over left. 1 would be equality.
    share: the same against the sharp version.
    tried: how many cells were decided.
    """

    published: Verdict
    sharp: Verdict
    ratio: float
    share: float
    tried: int


def search(claim_id: str, budget: int = 400, seed: int = 0) -> Found:
    """Bring the two sides of a claim together.

    Args:
        claim_id: of a claim on the quantities at a point.
        budget: cells to decide, at least 1.
        seed: of the candidates.

    Raises:
        ValueError: there is no such claim, or it is not one about a point.
        Beaten: a proved version is violated.
    """
    (claim,) = chosen_claims([claim_id])
    if not claim.versions.keys() >= {"published", "sharp"} or unseen(claim, "published"):
        raise ValueError(f"{claim_id} speaks of what no instance shows: there is nothing to search")
    if symbols_of(claim, "published") & set(trajectory.QUANTITIES):
        raise ValueError(f"search is for claims about a point, and {claim_id} is about a trajectory")
    run = _Run(claim, budget)
    for family, options in _candidates(claim, np.random.Generator(np.random.Philox(seed))):
        if not run.left:
            break
        run.improve(family, options)
    if run.best is None:
        raise ValueError(f"none of {run.tried} candidates lies in the domain of {claim_id} and can be decided exactly")
    family, options = run.best
    sharp = run.decided(family, options, "sharp")
    return Found(run.worst, sharp, run.highest, _ratio(sharp), run.tried)


class _Run:
    """What was tried so far and the worst of it."""

    def __init__(self, claim: Claim, budget: int) -> None:
        self.claim, self.left, self.tried = claim, budget, 0
        self.highest, self.worst, self.best = -math.inf, None, None

    def decided(self, family: Family, options: dict, version: str) -> Verdict:
        found = judged(Cell(self.claim, family, version, **options))
        if found.status == "VIOLATED" and not found.expected:
            raise Beaten(f"a PROVED claim is beaten, so this program is wrong: {found}; {_key(found)}")
        return found

    def ratio(self, family: Family, options: dict) -> float:
        """-inf where the claim does not apply or cannot be decided."""
        if not self.left:
            return -math.inf
        self.left, self.tried = self.left - 1, self.tried + 1
        found = self.decided(family, options, "published")
        ratio = _ratio(found) if found.status in ("HOLDS", "VIOLATED") else -math.inf
        if ratio > self.highest:
            self.highest, self.worst, self.best = ratio, found, (family, options)
        return ratio

    def improve(self, family: Family, options: dict) -> None:
        """From the start of the family, over w."""
        rho = real(family.constants.rho)
        size = real(family.constants.L) / rho if rho else 1.0

        def loss(x: np.ndarray) -> float:
            return -max(self.ratio(family, {**options, "w": family.start + size * x}), -1e300)

        if self.ratio(family, options) > self.highest / 2 or self.best is None:
            minimize(loss, np.zeros(family.dim), method="Nelder-Mead", options={"maxfev": min(_ROUNDS, self.left or 1)})


def _ratio(found: Verdict) -> float:
    return 1 / found.slack if found.slack > 0 else math.inf


def _key(found: Verdict) -> str:
    try:
        return f"key {found.key}"
    except ValueError as reason:
        return str(reason)


def _candidates(claim: Claim, generator: np.random.Generator) -> Iterator[tuple[Family, dict]]:
    names = symbols_of(claim, "published")

    def options(**asked) -> dict:
        return {name: value for name, value in asked.items() if name in names or name in ("alpha", "by")}

    spiked = options(D_in=1, alpha="1/6", by="outcomes")
    if "D_in" in names and "D_o" not in names and not claim.id.startswith(("fo-", "hf-", "multi-")):
        for sharpness in (1e3, 1e4, 1e6):
            yield families.named("spike")(sharpness=sharpness), spiked
    lone = {"dim": 1, "tasks": 1, "sigma": 0, "sigma_tilde": 1}
    flattest = families.cosine(**lone, sigma_H=6).started_at(np.array([math.pi]))
    for sizes in ({"D_o": 1, "D_h": 2}, {"D_o": 1, "D_in": 1, "D_h": 2}, {"D_in": 1, "D_h": 2}):
        yield flattest, options(**sizes)
    while True:
        build = families.named(_SHAPES[generator.integers(len(_SHAPES))])
        tasks = int(generator.choice([1, 2, 4]))
        spread = float(0 if tasks == 1 else 10.0 ** generator.uniform(-2, 1))
        noise = float(10.0 ** generator.uniform(-1, 1.5))
        dim, seed = int(generator.integers(1, 3)), int(generator.integers(100))
        family = build(dim=dim, tasks=tasks, sigma=spread, sigma_tilde=noise, sigma_H=0, seed=seed)
        sizes = {name: 1 for name in ("D_in", "D_o") if generator.random() < 0.5}
        steps = {"B_step": 1} if spread < 1 else {}
        yield family, options(**sizes, **steps, **({"N": 2} if claim.id.startswith("multi-") and not sizes else {}))
