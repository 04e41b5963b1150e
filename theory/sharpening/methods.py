"""The methods `plan` knows: their constants K and c with the proof, and what their noise N is made of.

A method is at E||grad F(w_k)|| <= eps for some k <= K Delta (L + rho alpha (sigma + eps))/eps^2, for eps above
max{sqrt(c (1 + rho alpha sigma/L) N), c (rho alpha/L) N}, where

    N = batch (sigma^2/B + sigma_tilde^2/(B D_o)) + sigma_tilde^2/D_in + drift (alpha L sigma)^2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import sympy as sp

from theory.certify import Certificate
from theory.claim import OutsideDomain
from theory.claims import CLAIMS, first_order_rate, hessian_free_rate
from theory.rationals import Number
from theory.sharpening import search
from theory.sharpening.constants import Sharpened, make_setting, sharpen
from theory.sharpening.setting import Analysis, Setting


@dataclass(frozen=True)
class Rate:
    """K, floor constant and step of a claim's sharp version, for the random step alone."""

    claim: str
    floor: sp.Rational
    step_factor: sp.Rational
    step: str = "published"

    @property
    def K(self) -> sp.Rational:
        """The constant of the claim."""
        return CLAIMS[self.claim].sharp["K"]

    def certificate(self) -> Certificate:
        """The claim's own replay."""
        return CLAIMS[self.claim].certificate("sharp")


@dataclass(frozen=True)
class Method:
    """What `plan` must know of a method.

    Args:
        show: (options of `sharpen`, floor constant or None for the best one) to K and floor constant with their proof.
        batch: how many times the noise of the batch counts in N.
        drift: how many times (alpha L sigma)^2, which no batch reduces, counts in N.
        hessian: whether it samples Hessians or their differences.
    """

    show: Callable[[dict, Number | None], Sharpened | Rate]
    batch: int = 1
    drift: sp.Rational = sp.S.Zero
    hessian: bool = True


def _maml(options: dict, floor: Number | None) -> Sharpened:
    return sharpen(**options, floor=cheapest_floor(options) if floor is None else floor)


def _claimed(rate: Rate, largest: sp.Rational) -> Callable[[dict, Number | None], Rate]:
    """A method whose constants are those of a claim: alpha L <= largest, at least 20 tasks, the published step."""

    def show(options: dict, floor: Number | None) -> Rate:
        if not 0 < options["a"] <= largest:
            raise OutsideDomain(f"{rate.claim} needs 0 < alpha L <= {largest}, but alpha L = {options['a']}")
        if options["B"] < 20:
            raise OutsideDomain(f"{rate.claim} needs batches of 20 tasks or more, but least_B = {options['B']}")
        if options["step"] != "published" or options["step_factor"] is not None or floor not in (None, sp.oo):
            raise ValueError(f"{rate.claim} has its own step and floor: leave step, step_factor and floor out")
        return rate

    return show


_FO = Rate("fo-maml-rate", first_order_rate.C, sp.Rational(1, first_order_rate.FO_MAML.factor))
_HF = Rate("hf-maml-rate", hessian_free_rate.FLOOR, sp.Rational(1, hessian_free_rate.FACTOR))
METHODS = {
    "maml": Method(_maml),
    "fo-maml": Method(_claimed(_FO, sp.Rational(1, 10)), drift=first_order_rate.SHARE, hessian=False),
    # zeta = min{1/6, 1/sqrt(B)} makes the noise of the difference at most that of the batch
    "hf-maml": Method(_claimed(_HF, sp.Rational(1, 6)), batch=2),
}


def cheapest_floor(options: dict) -> sp.Rational:
    """The floor constant c that takes the fewest samples in all when eps is small, to three digits.

    An iteration takes c^p samples, up to a factor, p = 2 if both kinds of noise are there and 1 otherwise. About
    1/K = min{1/k_L - nu/c, 2/(k_L + k_rho) - 2 nu/c, 1/k_rho - 2 nu/c}, where rho alpha eps is 0, L and far above L.

    Raises:
        ValueError: no decrease can be shown for this step.
    """
    power = 2 if options["D_in"] is not None else 1

    def cheapest(near: Setting, found: Analysis) -> tuple[float, float]:
        """(cost, c)."""
        tasks, inner, lever = search.noises(near, found)
        nu = max(tasks, inner + 4 * lever)
        ends = (1 / found.k_L, 1), (2 / (found.k_L + found.k_rho), 2), (1 / found.k_rho, 2)
        candidates = [(power + 1) / power * times * nu / gain for gain, times in ends]
        candidates += [nu / (gain - ends[0][0]) for gain, _ in ends[1:] if gain > ends[0][0]]
        paces = [(c, min(gain - times * nu / c for gain, times in ends)) for c in candidates]
        return min((c**power / pace, c) for c, pace in paces if pace > 0)

    def cost(near: Setting, found: Analysis, cut: float) -> float:
        return math.inf if found.k_L == math.inf else cheapest(near, found)[0]

    setting = make_setting(**options)
    setting, found = search.minimise(setting, False, cost, cuts=search.CUTS[:1])
    if found.k_L == math.inf:
        raise ValueError("no decrease can be shown for this step: take a smaller step_factor or a larger least_B")
    return search.simple(cheapest(setting.near(), found)[1], 3)
