"""Reptile, FO-MAML and MAML to first order in alpha: their expected updates on k independent minibatches of one task.

Nichol et al. write g_j and H_j for gradient and Hessian of minibatch j at the start w, and AvgGrad = E g_1,
AvgGradInner = E[H_2 g_1]. Reptile takes k steps and sums the gradients it meets; FO-MAML and MAML take k - 1 inner
steps and use the k-th minibatch outside.

Nothing is quoted. The gradient of minibatch j at w + x is g_j + H_j x + T_j x x/2 (higher terms in x are of order
alpha^3) in letters that do not commute; the updates are formed as the methods form them, expanded in alpha, and the
words H_i g_j with i and j unlike are counted. That is done in full for k up to UP_TO. For symbolic k it is done for one
step more: after m steps the displacement is -alpha S + alpha^2 R with S a sum of m gradients, and the product of the
inner factors is I - alpha A + alpha^2 Q with A a sum of m Hessians, whatever R and Q are; the counts follow by
induction on m.
"""

import sympy as sp

from theory import symbols as s
from theory.certify import Replay
from theory.claim import Claim, Hypothesis, Version, constant, filled

FORM = constant("c0") * s.avg_grad + constant("c1") * s.alpha * s.avg_grad_inner
COEFFICIENTS = {
    "maml": {"c0": sp.Integer(1), "c1": -2 * (s.minibatches - 1)},
    "fo-maml": {"c0": sp.Integer(1), "c1": -(s.minibatches - 1)},
    "reptile": {"c0": s.minibatches, "c1": -s.minibatches * (s.minibatches - 1) / 2},
}
UP_TO = 5
_m = sp.Symbol("m", nonnegative=True)
_S, _A, _R, _Q = sp.symbols("S A R Q", commutative=False)


def _letter(name: str, j: object) -> sp.Symbol:
    return sp.Symbol(f"{name}{j}", commutative=False)


def _gradient(j: object, x: sp.Expr) -> sp.Expr:
    return _letter("g", j) + _letter("H", j) * x + _letter("T", j) * x * x / 2


def _factor(j: object, x: sp.Expr) -> sp.Expr:
    """I - alpha Hessian of minibatch j at w + x."""
    return 1 - s.alpha * (_letter("H", j) + _letter("T", j) * x)


def _first_orders(update: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """The coefficients of 1 and alpha of a polynomial in alpha, as sums of words."""
    orders = {0: [], 1: []}
    for term in sp.Add.make_args(sp.expand(update)):
        commuting, letters = term.args_cnc()
        count, power = sp.Mul(*commuting).as_coeff_exponent(s.alpha)
        orders.setdefault(int(power), []).append(count * sp.Mul(*letters))
    return sp.Add(*orders[0]), sp.Add(*orders[1])


def _updates(k: int) -> dict[str, sp.Expr]:
    """The three updates on minibatches 1, ..., k, as the methods form them, modulo alpha^2."""
    x, chain, total = sp.Integer(0), sp.Integer(1), sp.Integer(0)
    for j in range(1, k):
        step = _gradient(j, x)
        states = (x - s.alpha * step, chain * _factor(j, x), total + step)
        x, chain, total = (zeroth + s.alpha * first for zeroth, first in map(_first_orders, states))
    last = _gradient(k, x)
    return {"maml": chain * last, "fo-maml": last, "reptile": total + last}


def mean(update: sp.Expr) -> sp.Expr:
    """The expectation of an update to first order: g_j has mean AvgGrad, H_i g_j AvgGradInner for i, j unlike.

    Raises:
        ValueError: a word that has neither form.
    """
    orders = _first_orders(update)
    total = sp.Integer(0)
    for order, word_length, value in zip(orders, (1, 2), (s.avg_grad, s.alpha * s.avg_grad_inner), strict=True):
        for term in sp.Add.make_args(order):
            if term == 0:
                continue
            count, letters = term.args_cnc()
            names = [letter.name for letter in letters]
            kinds, indices = "".join(name[0] for name in names), {name[1:] for name in names}
            if kinds != "Hg"[-word_length:] or len(indices) < word_length:
                raise ValueError(f"the expectation of {term} is not known")
            total += sp.Mul(*count) * value
    return total


def _in_full(replay: Replay, method: str) -> None:
    for k in range(1, UP_TO + 1):
        expected = filled(FORM, COEFFICIENTS[method]).subs(s.minibatches, k)
        replay.derive(f"k = {k}, the whole update", expected - mean(_updates(k)[method]), {})


def _one_step_more(replay: Replay) -> tuple[sp.Expr, sp.Expr]:
    """The means for k = m + 1 of the last gradient, and of it behind the inner factors."""
    x, chain = -s.alpha * _S + s.alpha**2 * _R, 1 - s.alpha * _A + s.alpha**2 * _Q
    new = _gradient("new", x)
    for name, state, first in (
        ("S gains one gradient", x - s.alpha * new, _S + _letter("g", "new")),
        ("A gains one Hessian", chain * _factor("new", x), _A + _letter("H", "new")),
    ):
        replay.derive(name, _first_orders(state)[1] + first, {})
    sums = {_S: _m * _letter("g", "old"), _A: _m * _letter("H", "old")}
    return tuple(mean(update.subs(sums)) for update in (new, chain * new))


def _sum_of_lasts(replay: Replay, last: sp.Expr) -> sp.Expr:
    """Reptile's sum over k = m gradients, by induction: its coefficients c0 and c1 from those of the last gradient."""
    lasts = [sp.expand(last).coeff(symbol) for symbol in (s.avg_grad, s.alpha * s.avg_grad_inner)]
    closed = (_m, -_m * (_m - 1) / 2)
    for name, gain, value in zip(("c0", "c1"), lasts, closed, strict=True):
        sum_so_far = sp.Symbol(f"{name}_of_m", real=True)
        step = {_m: _m + 1, sum_so_far: sum_so_far + gain}
        for side, sign in (("not above", 1), ("not below", -1)):
            replay.induct(f"{name} {side}", sign * (value - sum_so_far), {_m: 0, sum_so_far: 0}, step, {})
    return closed[0] * s.avg_grad + closed[1] * s.alpha * s.avg_grad_inner


def _proof(method: str):
    def proof(replay: Replay, constants: dict[str, sp.Expr]) -> None:
        text = "minibatches are independent and alike: E g_j = AvgGrad, E H_i g_j = AvgGradInner for i, j unlike"
        replay.given("means of words", sp.Integer(0), "independence", text)
        _in_full(replay, method)
        last, behind = _one_step_more(replay)
        k = s.minibatches
        update = {
            "maml": behind.subs(_m, k - 1),
            "fo-maml": last.subs(_m, k - 1),
            "reptile": _sum_of_lasts(replay, last).subs(_m, k),
        }[method]
        replay.define(s.expected_update, update)
        difference = filled(FORM, constants) - s.expected_update
        replay.derive("statement, not above", difference, {})
        replay.derive("statement, not below", -difference, {})

    return proof


def _claim(method: str, title: str) -> Claim:
    proof, source = _proof(method), "Nichol et al. section 5.1"
    return Claim(
        id=f"{method}-expansion",
        title=f"Expected {title} update on k minibatches of a task, to first order in alpha",
        equation="",
        source=source,
        kind="identity",
        lhs=s.expected_update,
        domain=(Hypothesis(sp.Ge(s.minibatches, 1), "an update needs a minibatch"),),
        versions={
            "published": Version(FORM, COEFFICIENTS[method], source, proof),
            "sharp": Version(FORM, COEFFICIENTS[method], "an identity", proof),
        },
    )


CLAIMS = (_claim("maml", "MAML"), _claim("fo-maml", "FO-MAML"), _claim("reptile", "Reptile"))
