"""The hypotheses that several claims share, each stated once."""

import sympy as sp

from theory import symbols as s
from theory.claim import Hypothesis

INNER_STEP = Hypothesis(sp.Le(s.alpha, 1 / (6 * s.L)), "FMO Theorem F.1; omitted by the survey's summary")
INNER_STEP_FO = Hypothesis(sp.Le(s.alpha, 1 / (10 * s.L)), "FMO Theorem G.1")
INNER_STEP_SMOOTH = Hypothesis(sp.Le(s.alpha, 1 / s.L), "FMO Lemma 4.9")
INNER_STEP_RELATION = Hypothesis(sp.Lt(s.alpha, (sp.sqrt(2) - 1) / s.L), "FMO Lemma A.2")
HESSIAN_BATCH = Hypothesis(sp.Ge(s.D_h, 2 * s.alpha**2 * s.sigma_H**2), "FMO Theorem F.1; omitted by the survey")
TASK_BATCH = Hypothesis(sp.Ge(s.B, 20), "FMO Theorem F.1; omitted by the survey")
STEP_TASKS = (
    Hypothesis(sp.Ge(s.B_step, sp.Rational(1, 2) * (s.rho * s.alpha * s.sigma / s.L) ** 2), "FMO Lemma 4.11"),
    Hypothesis(sp.Ge(s.B_step, 1), "a batch has a member"),
)
STEP_SAMPLES = (
    Hypothesis(sp.Ge(s.D_step, (2 * s.rho * s.alpha * s.sigma_tilde / s.L) ** 2), "FMO Lemma 4.11"),
    Hypothesis(sp.Ge(s.D_step, 1), "a batch has a member"),
)

NOISE = s.sigma**2 / s.B + s.sigma_tilde**2 / (s.B * s.D_o) + s.sigma_tilde**2 / s.D_in


def noise_floor(c: sp.Expr, noise: sp.Expr = NOISE) -> sp.Expr:
    """The eps from which on a decrease pays the noise N: max{sqrt(c (1 + rho alpha sigma/L) N), c rho alpha N/L}."""
    ratio = s.rho * s.alpha / s.L
    return sp.Max(sp.sqrt(c * (1 + ratio * s.sigma) * noise), c * ratio * noise)


NOISE_FLOOR = Hypothesis(sp.Ge(s.eps, noise_floor(61)), "the noise floor, FMO (86); omitted by the survey")
BATCHES = (INNER_STEP, HESSIAN_BATCH, TASK_BATCH, *STEP_TASKS, *STEP_SAMPLES)
BATCHES_FO = (INNER_STEP_FO, TASK_BATCH, *STEP_TASKS, *STEP_SAMPLES)
THEOREM = (*BATCHES, NOISE_FLOOR)

RELATION_RANGE = sp.Interval.Ropen(0, sp.sqrt(2) - 1)
INNER_STEP_BOX = {s.a: (sp.Integer(0), sp.Rational(1, 6))}
INNER_STEP_FO_BOX = {s.a: (sp.Integer(0), sp.Rational(1, 10))}
MOMENT_BOX = {**INNER_STEP_BOX, s.lam: (sp.Integer(0), sp.Rational(1, 2))}
