"""Every symbol of the theory, born once: letter, domain, meaning, source and scaling weight.

A weight (p, q) says how the quantity changes when every task f is replaced by s f(. / c), that is under f -> s f and
w -> c w: it is multiplied by s**p c**q. Both sides of every claim must carry the same weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp


@dataclass(frozen=True)
class Quantity:
    """One letter of the theory: the SymPy symbol and what a reader needs to know of it."""

    symbol: sp.Symbol
    latex: str
    meaning: str
    source: str
    weight: tuple[int, int]

    @property
    def name(self) -> str:
        """The ASCII name: the keyword of `Claim.evaluate` and the column name of every table."""
        return self.symbol.name


QUANTITIES: dict[str, Quantity] = {}


def _born(name: str, latex: str, meaning: str, source: str, weight: tuple[int, int], **domain: bool) -> sp.Symbol:
    symbol = sp.Symbol(name, **(domain or {"nonnegative": True}))
    QUANTITIES[name] = Quantity(symbol, latex, meaning, source, weight)
    return symbol


_SURVEY_41 = "survey section 4.1"

L = _born("L", "L", "smoothness of every task", f"{_SURVEY_41}, assumption 2", (1, -2), positive=True)
rho = _born("rho", r"\rho", "Lipschitz constant of every Hessian", f"{_SURVEY_41}, assumption 3", (1, -3))
sigma = _born("sigma", r"\sigma", "spread of the task gradients", f"{_SURVEY_41}, assumption 4", (1, -1))
sigma_tilde = _born("sigma_tilde", r"\tilde\sigma", "noise of one gradient", f"{_SURVEY_41}, assumption 5", (1, -1))
sigma_H = _born("sigma_H", r"\sigma_H", "noise of one Hessian", f"{_SURVEY_41}, assumption 5", (1, -2))
Delta = _born("Delta", r"\Delta", "gap F(w_0) - inf F", f"{_SURVEY_41}, assumption 1", (1, 0))

alpha = _born("alpha", r"\alpha", "inner step", "survey (2)", (-1, 2))
beta = _born("beta", r"\beta", "outer step", "survey (3)", (-1, 2), positive=True)
eps = _born("eps", r"\epsilon", "target norm of grad F", "survey section 4", (1, -1), positive=True)

B = _born("B", "B", "tasks in a batch", "survey (3)", (0, 0), positive=True)
D_in = _born("D_in", r"D_{in}", "samples of the inner gradient", "survey (2)", (0, 0), positive=True)
D_o = _born("D_o", "D_o", "samples of the outer gradient", "survey (3)", (0, 0), positive=True)
D_h = _born("D_h", "D_h", "samples of the Hessian", "survey (3)", (0, 0), positive=True)
B_step = _born("B_step", "B'", "tasks in the step-size batch", "FMO Lemma 4.11", (0, 0), positive=True)
D_step = _born("D_step", r"D_\beta", "samples a task in the step-size batch", "FMO Lemma 4.11", (0, 0), positive=True)
T = _born("T", "T", "iterations until E||grad F(w_k)|| <= eps", "survey (14)", (0, 0))
T_worst = _born("T_worst", r"\sup T", "T on the worst instance of the assumptions", "THEORY section 5", (0, 0))

a = _born("a", "a", "alpha L", "THEORY section 1", (0, 0))
lam = _born("lam", r"\lambda_H", "alpha^2 sigma_H^2 / D_h", "FMO (96)", (0, 0))

distance = _born("distance", r"\|w-u\|", "distance of two points w and u", "FMO Lemma 4.9", (0, 1))
grad_F = _born("grad_F", r"\|\nabla F(w)\|", "norm of the meta-gradient", "survey (5)", (1, -1))
grad_f = _born("grad_f", r"\|\nabla f(w)\|", "norm of the mean task gradient", "survey section 4.1", (1, -1))
mean_grad = _born("mean_grad", r"\mathbb{E}\|\nabla f_i(w)\|", "mean norm of task gradients", "FMO Lemma 4.9", (1, -1))
grad_F_change = _born(
    "grad_F_change", r"\|\nabla F(w)-\nabla F(u)\|", "change of the meta-gradient", "FMO Lemma 4.9", (1, -1)
)
bias_norm = _born("bias_norm", r"\|\mathbb{E}G-\nabla F(w)\|", "norm of the estimate's bias", "FMO (91)", (1, -1))
mean_G = _born("mean_G", r"\|\mathbb{E}G\|", "norm of the estimate's mean", "survey (7)", (1, -1))
second_G = _born("second_G", r"\mathbb{E}\|G\|^2", "second moment of the estimate", "survey (8)", (2, -2))
exact_G = _born(
    "exact_G", r"\|\mathbb{E}_i(I-\alpha H_i)h_i\|", "norm of the mean of (I - alpha H_i) h_i", "survey (5)", (1, -1)
)
task_second = _born(
    "task_second", r"\mathbb{E}_i\|\nabla F_i(w)\|^2", "second moment of the tasks' meta-gradients", "FMO (44)", (2, -2)
)
factor_norm = _born(
    "factor_norm", r"\mathbb{E}\|I-\alpha\tilde H_i\|^2", "second moment of the outer factor's norm", "FMO (94)", (0, 0)
)
factor_on_vector = _born(
    "factor_on_vector",
    r"\mathbb{E}\|(I-\alpha\tilde H_i)v\|^2/\|v\|^2",
    "the outer factor's mean stretch of a vector independent of it, squared",
    "FMO (94)",
    (0, 0),
)
step_mean = _born("step_mean", r"\mathbb{E}\tilde\beta", "mean of 1/L~(w)", "FMO Lemma 4.11", (-1, 2))
step_second = _born("step_second", r"\mathbb{E}\tilde\beta^2", "second moment of 1/L~(w)", "FMO Lemma 4.11", (-2, 4))
smooth_k = _born("smooth_k", "L_k", "the smoothness bound L(w_k)", "survey (9)", (1, -2))
F_rise = _born(
    "F_rise",
    r"F(u)-F(w)-\langle\nabla F(w),u-w\rangle",
    "F(u) above its tangent at w",
    "FMO Corollary 4.10",
    (1, 0),
    real=True,
)
F_step = _born(
    "F_step", r"\mathbb{E}_kF(w_{k+1})-F(w_k)", "expected change of F in one step", "survey (10)", (1, 0), real=True
)
noise_step = _born(
    "noise_step", r"\nu_k", "all terms of a proof's bound on F_step but that of ||grad F||^2", "FMO G.1", (1, 0)
)
overlap = _born(
    "overlap",
    r"\langle\nabla F(w_k),\mathbb{E}G\rangle",
    "inner product with the mean",
    "survey (10)",
    (2, -2),
    real=True,
)
beta_mean = _born("beta_mean", r"\mathbb{E}\beta_k", "mean of the outer step", "survey (10)", (-1, 2))
beta_second = _born("beta_second", r"\mathbb{E}\beta_k^2", "second moment of the outer step", "survey (10)", (-2, 4))
mean_grad_F = _born(
    "mean_grad_F",
    r"\mathbb{E}\|\nabla F(w_k)\|",
    "mean norm of the meta-gradient",
    "survey (11)",
    (1, -1),
    positive=True,
)
second_grad_F = _born(
    "second_grad_F", r"\mathbb{E}\|\nabla F(w_k)\|^2", "second moment of its norm", "FMO (107)", (2, -2), positive=True
)
progress = _born(
    "progress", r"\mathbb{E}[\|\nabla F(w_k)\|^2/L_k]", "what a step gains, up to a factor", "FMO (103)", (1, 0)
)
F_drop = _born(
    "F_drop",
    r"\mathbb{E}F(w_k)-\mathbb{E}F(w_{k+1})",
    "expected decrease in one step",
    "survey (11)",
    (1, 0),
    real=True,
)
F_drop_all = _born(
    "F_drop_all", r"F(w_0)-\mathbb{E}F(w_T)", "expected decrease in T steps", "survey (13)", (1, 0), real=True
)
best_grad = _born(
    "best_grad", r"\min_{k<T}\mathbb{E}\|\nabla F(w_k)\|", "smallest mean norm within T steps", "FMO (86)", (1, -1)
)

N = _born("N", "N", "inner steps", "Ji (3)", (0, 0), positive=True)
deviation_second = _born(
    "deviation_second",
    r"\mathbb{E}\|\tilde w_N-w_N\|^2",
    "what the noise of N inner steps adds up to",
    "Ji Proposition 2",
    (0, 2),
)
minibatches = _born("k", "k", "gradients of one outer step", "Nichol et al. section 5", (0, 0), positive=True)
zeta = _born("zeta", r"\zeta", "difference step, in units of 1/(rho alpha ||h~_i||)", "THEORY section 4", (0, 0))
reg = _born("reg", r"\lambda", "weight of the proximal term", "Rajeswaran et al. (3)", (1, -2), positive=True)
mu = _born("mu", r"\mu", "strong convexity of the inner problem", "Rajeswaran et al. Lemma 3", (1, -2), positive=True)
slope_bound = _born("slope_bound", "B_1", "Lipschitz constant of a task", "Rajeswaran et al. Lemma 3", (1, -1))
inner_error = _born("inner_error", r"\delta", "distance to the inner minimiser", "Rajeswaran et al. Lemma 3", (0, 1))
solve_error = _born("solve_error", r"\delta'", "error of the linear solve", "Rajeswaran et al. Lemma 3", (1, -1))
curvature = _born(
    "curvature", r"\eta", "an eigenvalue of Hess f_i(phi_i*)", "Rajeswaran et al. (6)", (1, -2), real=True
)
prox_slope = _born(
    "prox_slope", r"\mathrm{d}\phi_i^*/\mathrm{d}w", "its eigenvalue there", "Rajeswaran et al. (6)", (0, 0), real=True
)
implicit_error = _born(
    "implicit_error",
    r"\|\hat g_i-\mathrm{d}f_i(\phi_i^*)/\mathrm{d}w\|",
    "error of the implicit meta-gradient",
    "Rajeswaran et al. Lemma 3",
    (1, -1),
)
_NICHOL = "Nichol et al. section 5.1"
avg_grad = _born("avg_grad", r"\langle\bar g,v\rangle", "E g_1 along a unit vector v", _NICHOL, (1, -1), real=True)
avg_grad_inner = _born(
    "avg_grad_inner", r"\langle\overline{Hg},v\rangle", "E[H_2 g_1] along v", _NICHOL, (2, -3), real=True
)
expected_update = _born(
    "expected_update",
    r"\langle\mathbb{E}G,v\rangle+O(\alpha^2)",
    "the expected update along v, to first order in alpha",
    _NICHOL,
    (1, -1),
    real=True,
)

LATEX_NAMES = {quantity.symbol: quantity.latex for quantity in QUANTITIES.values()}


def weight(expression: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Scaling weight of an expression in the quantities above.

    Args:
        expression: any SymPy expression built from the symbols of this file.

    Returns:
        The pair (p, q) such that the expression is multiplied by s**p c**q under f -> s f, w -> c w.

    Raises:
        ValueError: the expression is not homogeneous, for instance a sum of terms of unlike weight.
    """
    if expression.is_number:
        return sp.Integer(0), sp.Integer(0)
    if expression.is_Symbol:
        return tuple(map(sp.Integer, QUANTITIES[expression.name].weight))
    parts = [weight(part) for part in expression.args if part != 0]
    if expression.is_Pow and expression.exp.is_number:
        return parts[0][0] * expression.exp, parts[0][1] * expression.exp
    if expression.is_Mul:
        return sum(p for p, _ in parts), sum(q for _, q in parts)
    if isinstance(expression, sp.Add | sp.Max | sp.Min) and len(set(parts)) == 1:
        return parts[0]
    if expression.is_Pow and set(parts) == {(0, 0)}:
        return parts[0]
    raise ValueError(f"{expression} is not homogeneous under f -> s f, w -> c w")
