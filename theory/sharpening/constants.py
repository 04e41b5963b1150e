"""`sharpen`: the best provable K and floor constant for given batches and step rule."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import sympy as sp

from theory.certify import Certificate
from theory.claim import OutsideDomain
from theory.rationals import Number, exact
from theory.sharpening import search
from theory.sharpening.proof import prove
from theory.sharpening.setting import CHOICES, Analysis, Setting

FACTORS = {"published": sp.Rational(1, 12), "exact": sp.Rational(1, 12), "sharp": sp.Integer(1)}
NUDGES = 6
ZOOMS = 14


@dataclass(frozen=True)
class Sharpened:
    """Constants with their proof: T <= K Delta (L + rho alpha (sigma + eps))/eps^2 above the floor of FMO (86).

    Args:
        K: the constant of (14), exact; without units.
        floor: the constant c of max{sqrt(c (1 + rho alpha sigma/L) N), c (rho alpha/L) N}; oo where there is no noise.
        setting: the method and the lemmas used.
        analysis: the parameters of the proof.
    """

    K: sp.Rational
    floor: sp.Expr
    setting: Setting
    analysis: Analysis

    @property
    def parts(self) -> tuple[sp.Rational, sp.Rational]:
        """(k_L, k_rho) of T <= Delta (k_L L + k_rho rho alpha (sigma + eps))/eps^2, for eps far above the floor."""
        return self.analysis.k_L, self.analysis.k_rho

    @property
    def step(self) -> str:
        """The step rule."""
        return self.setting.step

    @property
    def step_factor(self) -> sp.Rational:
        """The c of the step rule, given or found."""
        return self.setting.factor

    def certificate(self, **altered: Number) -> Certificate:
        """Replay the proof in exact arithmetic.

        Args:
            **altered: other values for K, floor, k_L, k_rho, mean, square, eta, phi or turn, to see the replay fail.

        Raises:
            TypeError: a name the analysis does not have.
            ValueError: a value is not a number.
        """
        return prove(self.setting, replace(self.analysis, **{k: exact(v, k) for k, v in altered.items()}))

    def __str__(self) -> str:
        floor = "no noise" if self.floor is sp.oo else f"floor constant {float(self.floor):.6g}"
        k_L, k_rho = map(float, self.parts)
        return (
            f"K = {float(self.K):.7g}, {floor}, step factor {self.step_factor}; far above the floor {k_L:.6g} on the "
            f"L part and {k_rho:.6g} on the rho part"
        )


def sharpen(
    *,
    a: Number = "1/6",
    B: Number | None = 20,
    D_in: Number | None = 1,
    D_o: Number | None = 1,
    lam: Number = "1/2",
    step: str = "published",
    step_factor: Number | None = None,
    floor: Number | None = None,
    K: Number | None = None,
    **lemmas: str,
) -> Sharpened:
    """The smallest K that can be shown with a given floor constant, or the smallest floor constant with a given K.

    Args:
        a: alpha L, in (0, 1/6].
        B: tasks in a batch; None for all tasks, with exact oracles; math.inf for the limit of large batches.
        D_in, D_o: samples of the inner and the outer gradient; None or math.inf for exact ones. Finite values give
            the same constants, for they stand in N.
        lam: alpha^2 sigma_H^2/D_h, in [0, 1/2]; 1/2 is the published minimum of D_h, 0 an exact Hessian.
        step: "published" beta = c/L~(w) with B' and D_step at or above their minimum, "exact"
            c/(4 L + 2 rho alpha E||g_i||), "sharp" c/S(w) with S the sharp smoothness constant.
        step_factor: c; by default 1/12, 1/12 and 1. "best" looks for the best.
        floor: constant c of FMO (86), by default 61. math.inf leaves the noise out, for sigma = 0 and exact gradients.
        K: if given, the floor constant is minimised instead.
        **lemmas: what the proof may use: law "distribution" or "moments" (FMO Lemma 4.11), smoothness "sharp" or
            "published", relation "moment", "published" (C1) or "rounded" (2), first "split" or "published" (7),
            second "sharper", "sharp" or "published" (8).

    Returns:
        Sharpened: the constants, exact, after their proof was replayed.

    Raises:
        OutsideDomain: a or lam is outside its range.
        ValueError: a value is no number or makes no sense, or no decrease can be shown for this step.
    """
    if floor is not None and K is not None:
        raise ValueError("give either floor or K, not both: the other one is minimised")
    best = step_factor == "best"
    setting = make_setting(a, B, D_in, D_o, lam, step, None if best else step_factor, **lemmas)
    target = exact(61 if floor is None else floor, "floor") if K is None else None
    if not setting.inner and not setting.share:
        target = sp.oo
    if K is not None and target is sp.oo:
        raise ValueError("there is no noise here, so that no floor can be minimised: leave K out")
    if K is not None and exact(K, "K") <= 0:
        raise ValueError(f"K must be positive, got {K}")
    if target is not None and target <= 0:
        raise ValueError(f"floor must be positive, got {floor}")
    if target is sp.oo and (setting.inner or (setting.outer and setting.share)):
        raise ValueError("floor=inf leaves the noise out, which needs exact gradients: D_in=None and D_o=None")
    return _given_floor(setting, best, target) if target is not None else _given_K(setting, best, exact(K, "K"))


def make_setting(a="1/6", B=20, D_in=1, D_o=1, lam="1/2", step="published", step_factor=None, **lemmas: str) -> Setting:
    """A checked Setting from what a person types; see `sharpen`.

    Raises:
        OutsideDomain: a or lam is outside the theorem.
        ValueError: a batch is below 1, or a rule or lemma is not known.
    """
    a, lam = exact(a, "a"), exact(lam, "lam")
    if not 0 < a <= sp.Rational(1, 6):
        raise OutsideDomain(f"sharpen needs 0 < a <= 1/6 (FMO Theorem F.1), but a = alpha L = {a}")
    if not 0 <= lam <= sp.Rational(1, 2):
        raise OutsideDomain(f"sharpen needs 0 <= lam <= 1/2 (D_h >= 2 alpha^2 sigma_H^2, FMO Theorem F.1), not {lam}")
    batches = {}
    for name, value in (("B", B), ("D_in", D_in), ("D_o", D_o)):
        batches[name] = sp.oo if value is None else exact(value, name)
        if batches[name] < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if step == "sharp" and lemmas.get("smoothness") == "published":
        raise ValueError("step='sharp' is c/S(w) with the sharp S, so it needs smoothness='sharp'")
    for name, value in (("step", step), *lemmas.items()):
        if name not in CHOICES or value not in CHOICES[name]:
            raise ValueError(f"{name}={value!r} is unknown: the choices are {CHOICES.get(name, tuple(CHOICES))}")
    factor = FACTORS[step] if step_factor is None else exact(step_factor, "step_factor")
    if not (factor.is_finite and factor > 0):
        raise ValueError(f"step_factor must be positive, got {factor}")
    if B is None and (batches["D_in"] is not sp.oo or batches["D_o"] is not sp.oo or lam):
        raise ValueError("B=None takes all tasks with exact oracles: D_in=None, D_o=None, lam=0; a limit is B=math.inf")
    inner, outer = (int(batches[name] is not sp.oo) for name in ("D_in", "D_o"))
    return Setting(a, batches["B"], inner, outer, lam, step, factor, **lemmas)


def _given_floor(setting: Setting, best: bool, floor: sp.Expr) -> Sharpened:
    def value(near: Setting, found: Analysis, cut: float) -> float:
        return -search.pace(near, found, float(floor), cut)

    setting, found = _searched(setting, best, value)
    pace = search.pace(setting.near(), found.near(), float(floor), float(found.cut), ZOOMS)
    if pace <= 0:
        raise ValueError(f"no K can be shown with the floor constant {float(floor):.6g}: it is too low for this step")
    found = replace(found, floor=floor, K=search.rounded_up(1 / pace))
    corner = _at_corner(setting, found)
    if floor is sp.oo or (abs(corner * pace - 1) <= 1e-10 and corner.q < 10**9):
        found = replace(found, K=corner)
    return _proved(setting, found, "K")


def _at_corner(setting: Setting, found: Analysis) -> sp.Rational:
    """K where eps and sigma are small, or where rho dominates and there is no noise."""
    if found.floor is sp.oo:
        return sp.Max(found.k_L, found.k_rho)
    tasks, inner, _ = search.noises(setting, found)
    return 1 / (1 / found.k_L - sp.Max(tasks, inner) / found.floor)


def _given_K(setting: Setting, best: bool, K: sp.Rational) -> Sharpened:
    def value(near: Setting, found: Analysis, cut: float) -> float:
        return search.smallest_floor(near, found, float(K), cut)

    setting, found = _searched(setting, best, value)
    floor = search.smallest_floor(setting.near(), found.near(), float(K), float(found.cut), ZOOMS)
    if not math.isfinite(floor):
        raise ValueError(f"K = {float(K):.6g} cannot be shown for this step, whatever the floor")
    return _proved(setting, replace(found, K=K, floor=search.rounded_up(floor)), "floor")


def _searched(setting: Setting, best: bool, value: search.Value) -> tuple[Setting, Analysis]:
    setting, rough = search.minimise(setting, best, value)
    found = search.exactly(setting, search.simple(rough.eta), search.simple(rough.phi))
    return setting, replace(found, cut=rough.cut)


def _proved(setting: Setting, found: Analysis, name: str) -> Sharpened:
    """The constants once their proof replays; the searched one is raised in its last digits where the grid missed."""
    for nudge in range(NUDGES):
        if prove(setting, found).ok:
            return Sharpened(found.K, found.floor, setting, found)
        found = replace(found, **{name: getattr(found, name) * (1 + sp.Rational(10**nudge, 10**8))})
    raise ArithmeticError(f"the {name} that was found could not be certified; this is a fault of theory.sharpening")
