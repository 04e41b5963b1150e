"""`plan`: the smallest batches for a given eps, the iterations they need, and the samples that takes in all."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from theory import symbols as s
from theory.assumptions import Constants
from theory.claim import OutsideDomain
from theory.claims.rate import FLOOR
from theory.rationals import Number, exact
from theory.sharpening.batches import NOISE, Noise, leading_cost
from theory.sharpening.constants import Sharpened
from theory.sharpening.methods import METHODS, Rate


@dataclass(frozen=True)
class Plan:
    """Batches, step and iterations that are proved to bring E||grad F(w_k)|| to eps. All numbers are exact.

    Args:
        method, eps, constants, alpha: what was asked.
        shown: K, the floor constant and the step factor, with their proof.
        B, D_in, D_o, D_h: the fewest samples an iteration; B_step, D_step: those of the step size, at their minimum.
        N: the noise left with these batches; N_bound: the most that the floor allows at eps.
        T: iterations, from above.
    """

    method: str
    eps: sp.Rational
    constants: Constants
    alpha: sp.Rational
    shown: Sharpened | Rate
    B: int
    D_in: int
    D_o: int
    D_h: int
    B_step: int
    D_step: int
    N: sp.Rational
    N_bound: sp.Expr
    T: sp.Rational

    @property
    def step_factor(self) -> sp.Rational:
        """c of the step rule."""
        return self.shown.step_factor

    @property
    def samples_a_task(self) -> int:
        """Samples one task of the batch is asked for in one iteration."""
        return self.D_in + self.D_o + self.D_h

    @property
    def samples_an_iteration(self) -> int:
        """Samples one iteration takes, those of the step size included; a step that is not random needs none."""
        random = self.shown.step == "published"
        return self.B * self.samples_a_task + random * self.B_step * self.D_step

    @property
    def samples(self) -> int:
        """Samples in all: T rounded down, for the target is reached before."""
        return int(sp.floor(self.T)) * self.samples_an_iteration

    @property
    def complexity(self) -> sp.Expr:
        """Samples in all as eps tends to 0, by which noises are positive; oo if no batch gets below some eps."""
        tasks, noisy = (bool(exact(getattr(self.constants, name))) for name in ("sigma", "sigma_tilde"))
        if METHODS[self.method].drift and tasks:
            return sp.oo
        stretch = 1 + s.rho * s.alpha * s.sigma / s.L
        steps = self.shown.K * s.Delta * s.L * stretch / s.eps**2
        return steps * leading_cost(tasks, noisy, METHODS[self.method].batch).subs(
            NOISE, s.eps**2 / (self.shown.floor * stretch)
        )

    @property
    def exponent(self) -> sp.Expr:
        """The power p of samples ~ eps^-p."""
        return sp.oo if self.complexity is sp.oo else -self.complexity.as_independent(s.eps)[1].as_base_exp()[1]

    def record(self) -> dict[str, str | int]:
        """Every number by its name, exact, as JSON can carry it."""
        names = ("B", "D_in", "D_o", "D_h", "B_step", "D_step", "samples_a_task", "samples_an_iteration", "samples")
        exactly = {name: str(getattr(self, name)) for name in ("eps", "alpha", "N", "N_bound", "T", "step_factor")}
        return {
            "method": self.method,
            "step": self.shown.step,
            **exactly,
            "K": str(self.shown.K),
            "floor": str(self.shown.floor),
            **{name: getattr(self, name) for name in names},
            "complexity": str(self.complexity),
        }

    def __str__(self) -> str:
        floor = "none" if self.shown.floor is sp.oo else f"{float(self.shown.floor):.6g}"
        step = self.shown.step
        order = "no batch reaches every eps" if self.exponent is sp.oo else f"of order eps^-{self.exponent}"
        own = f"\nstep size    B_step = {self.B_step}, D_step = {self.D_step}" if step == "published" else ""
        return (
            f"{self.method}, eps = {self.eps}: T <= {float(self.T):.6g}\n"
            f"step         {step}, factor {self.step_factor}\n"
            f"constants    K = {float(self.shown.K):.6g}, floor constant {floor}\n"
            f"batch        B = {self.B}, D_in = {self.D_in}, D_o = {self.D_o}, D_h = {self.D_h}{own}\n"
            f"noise        N = {float(self.N):.6g}, at most {float(self.N_bound):.6g} allowed\n"
            f"samples      {self.samples_a_task} a task, {self.samples_an_iteration} an iteration, "
            f"{float(self.samples):.6g} in all; {order}"
        )


def plan(
    *,
    eps: Number,
    L: Number,
    rho: Number,
    alpha: Number,
    Delta: Number,
    sigma: Number = 0,
    sigma_tilde: Number = 0,
    sigma_H: Number = 0,
    method: str = "maml",
    step: str = "published",
    step_factor: Number | None = None,
    floor: Number | None = None,
    least_B: int = 20,
) -> Plan:
    """The smallest batches under which some k <= T has E||grad F(w_k)|| <= eps, with T and the samples in all.

    Args:
        eps: target norm of grad F, positive.
        L, rho, sigma, sigma_tilde, sigma_H, Delta: the constants of A1-A5.
        alpha: inner step, in (0, 1/(6 L)].
        method: "maml", "fo-maml" or "hf-maml", the last with zeta = min{1/6, 1/sqrt(B)}.
        step, step_factor: rule and factor of the outer step, as in `sharpen`; "best" takes the fewest iterations.
        floor: constant c of FMO (86), which sets how much noise the batches leave; by default the c that takes the
            fewest samples in all when eps is small, or 61 with the best step factor (for samples alone no factor is
            best: a smaller one lowers c as it raises K, and a step takes c or c^2 samples).
        least_B: the fewest tasks in a batch; K is shown for every batch from there on.

    Returns:
        Plan: T, batches and samples; printing shows them. B (D_in + D_o + D_h) is the minimum over the integers.

    Raises:
        OutsideDomain: alpha is too large for the theorem, or eps is below what any batch reaches.
        ValueError: a value is no number or makes no sense, or the method is not known.
    """
    if method not in METHODS:
        raise ValueError(f"method {method!r} is unknown: the choices are {', '.join(METHODS)}")
    kept = Constants(L, rho, sigma, sigma_tilde, sigma_H, Delta)
    given = {name: exact(value, name) for name, value in kept.keywords().items()}
    eps, alpha = _positive(eps, "eps"), _positive(alpha, "alpha")
    least = exact(least_B, "least_B")
    if not (least.is_Integer and least >= 1):
        raise ValueError(f"least_B must be a whole number of tasks, at least 1, got {least_B}")
    L, rho, sigma, tilde = (given[name] for name in ("L", "rho", "sigma", "sigma_tilde"))
    way = METHODS[method]
    D_h = _at_least(2 * (alpha * given["sigma_H"]) ** 2) if way.hessian else 0
    if not (sigma or tilde):
        floor = sp.oo
    elif floor is None and step_factor == "best":
        floor = FLOOR
    elif floor is not None and exact(floor, "floor") is sp.oo:
        raise ValueError("floor=inf leaves no room for noise, so it needs sigma = sigma_tilde = 0")
    options = {
        "a": alpha * L,
        "B": least,
        "D_in": 1 if tilde else None,
        "D_o": 1 if tilde else None,
        "lam": (alpha * given["sigma_H"]) ** 2 / D_h if D_h else sp.S.Zero,
        "step": step,
        "step_factor": step_factor,
    }
    shown = way.show(options, floor)
    stretch = shown.floor * (1 + rho * alpha * sigma / L)
    linear = shown.floor * rho * alpha / L
    bound = sp.oo if shown.floor is sp.oo else sp.Min(eps**2 / stretch, eps / linear if linear else sp.oo)
    drift = way.drift * (alpha * L * sigma) ** 2
    if drift >= bound:
        raise OutsideDomain(f"{method} cannot be shown to reach eps = {eps}: sigma alone leaves N = {drift} >= {bound}")
    batches = int(least), 1, 1
    if bound is not sp.oo:
        variances = way.batch * sigma**2, way.batch * tilde**2, tilde**2, bound - drift
        noise = Noise(*map(_fraction, variances), D_h=D_h, least_B=int(least))
        batches = noise.smallest()
    B, D_in, D_o = batches
    return Plan(
        method=method,
        eps=eps,
        constants=kept,
        alpha=alpha,
        shown=shown,
        B=B,
        D_in=D_in,
        D_o=D_o,
        D_h=D_h,
        B_step=_at_least((rho * alpha * sigma / L) ** 2 / 2),
        D_step=_at_least((2 * rho * alpha * tilde / L) ** 2),
        N=drift + way.batch * (sigma**2 + tilde**2 / D_o) / B + tilde**2 / D_in,
        N_bound=bound,
        T=shown.K * given["Delta"] * (L + rho * alpha * (sigma + eps)) / eps**2,
    )


def _positive(value: Number, name: str) -> sp.Rational:
    number = exact(value, name)
    if not (number.is_finite and number > 0):
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return number


def _at_least(value: sp.Rational) -> int:
    return max(1, int(sp.ceiling(value)))


def _fraction(value: sp.Rational) -> Fraction:
    return Fraction(int(value.p), int(value.q))
