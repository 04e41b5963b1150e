"""A plan in closed form: batches under which (14) holds with its own floor, by formulas that anyone can evaluate.

`plan` looks through the integers for the fewest samples and through analyses for the best floor. Here the floor is that
of (14) itself, and the batches come from the minimum over the reals, rounded up one after the other, so that

    sigma^2/B + sigma_tilde^2/(B D_o) + sigma_tilde^2/D_in <= N_bound

holds whatever is rounded. With n = N_bound - sigma_tilde^2/D_in a batch of B >= m tasks, m the fewest allowed, costs
B (D_in + D_h + D_o), B = (sigma^2 + sigma_tilde^2/D_o)/n. Where B is above m the cost is least at
D_o = sqrt(D_in + D_h) sigma_tilde/sigma and, as N_bound tends to 0, at D_in = 2 sigma_tilde^2/N_bound; where B stays
at m, D_o is what m leaves of the noise and D_in = (1 + 1/sqrt(m)) sigma_tilde^2/(N_bound - sigma^2/m).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy as sp

from theory import domains
from theory import symbols as s
from theory.claim import Hypothesis
from theory.claims.rate import FLOOR
from theory.rationals import Number, exact
from theory.sharpening.batches import NOISE

LEFT = sp.Symbol("N_left", positive=True)
_FEWEST = domains.TASK_BATCH.relation.rhs


def smallest(symbol: sp.Symbol, hypotheses: Iterable[Hypothesis]) -> sp.Expr:
    """The smallest whole batch under hypotheses of the form symbol >= something; at least 1."""
    lower = [h.relation.rhs for h in hypotheses if h.relation.lhs == symbol]
    return sp.Max(1, *(sp.ceiling(bound) for bound in lower))


def _inner() -> sp.Expr:
    drawn = 2 * s.sigma_tilde**2 / NOISE
    tasks_left = sp.Max(NOISE - s.sigma**2 / _FEWEST, NOISE / 2)
    return sp.Max(1, sp.ceiling(sp.Min(drawn, (1 + 1 / sp.sqrt(_FEWEST)) * s.sigma_tilde**2 / tasks_left)))


def _outer() -> sp.Expr:
    balanced = s.sigma * s.sigma_tilde / sp.sqrt(s.D_in + s.D_h)
    return sp.Max(1, sp.ceiling(s.sigma_tilde**2 / sp.Max(balanced, _FEWEST * LEFT - s.sigma**2, LEFT)))


STEPS: Mapping[sp.Symbol, sp.Expr] = {
    NOISE: s.eps**2 / (FLOOR * sp.Max(1 + s.rho * s.alpha * s.sigma / s.L, s.rho * s.alpha * s.eps / s.L)),
    s.D_h: smallest(s.D_h, domains.BATCHES),
    s.D_in: _inner(),
    LEFT: NOISE - s.sigma_tilde**2 / s.D_in,
    s.D_o: _outer(),
    s.B: sp.Max(_FEWEST, sp.ceiling((s.sigma**2 + s.sigma_tilde**2 / s.D_o) / LEFT)),
    s.B_step: smallest(s.B_step, domains.STEP_TASKS),
    s.D_step: smallest(s.D_step, domains.STEP_SAMPLES),
}
"""Each symbol as an expression in the constants, alpha, eps and the symbols before it."""

SAMPLES = s.B * (s.D_in + s.D_o + s.D_h) + s.B_step * s.D_step
"""Samples of one iteration, those of the step size included."""


def closed_form(**values: Number) -> dict[str, sp.Expr]:
    """The plan of STEPS in exact arithmetic.

    Args:
        **values: L, rho, alpha, sigma, sigma_tilde, sigma_H and eps, in the units of `theory.symbols`.

    Returns:
        The batches, N_bound (the noise that the floor of (14) allows at eps) and N_left (what the inner samples leave
        of it), by name.

    Raises:
        ValueError: a value is not a number.
        KeyError: no symbol of the theory has this name.
    """
    point = {s.QUANTITIES[name].symbol: exact(value, name) for name, value in values.items()}
    for symbol, expression in STEPS.items():
        point[symbol] = expression.subs(point)
    return {symbol.name: point[symbol] for symbol in STEPS}
