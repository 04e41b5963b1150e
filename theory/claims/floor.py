"""The noise floor: what accuracy T iterations reach with given batches, FMO (86).

Let m be the smallest E||grad F(w_k)|| before T. If m is below the floor there is nothing to show. If it is above, every
step decreases F by m^2/(K (L + rho alpha (sigma + m))), and T >= 1600 Delta (L + rho alpha (sigma + eps))/eps^2 steps
of that size fit into Delta only if m <= eps, provided K <= 1600. The smaller the floor's constant, the larger K: the
sharp constant is the one at which K is 1600.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import sympy as sp

from theory import domains
from theory import symbols as s
from theory.certify import Replay
from theory.claim import Claim, Hypothesis, Proof, Version, constant
from theory.claims import _one_step as one
from theory.claims import _sharpened

FORM = sp.Max(domains.noise_floor(constant("c")), s.eps)
K = sp.Integer(1600)


def enough(K: sp.Expr, source: str) -> Hypothesis:
    """There are as many iterations as the bound with the constant K asks for."""
    return Hypothesis(sp.Ge(s.T, K * s.Delta * (s.L + s.rho * s.alpha * (s.sigma + s.eps)) / s.eps**2), source)


SOME = Hypothesis(sp.Ge(s.T, 1), "there is an iterate")


def reached(route: one.Route, K: sp.Expr, shared: Mapping[str, str] = one.EVEN) -> Proof:
    """The proof that `enough` iterations reach the noise floor with the constant c.

    `shared` names the constant that says how many times a source counts in the noise.
    """

    def decrease(replay: Replay, constants: Mapping[str, sp.Expr], m: sp.Symbol) -> sp.Expr:
        shares = {name: constants[share] for name, share in shared.items()}
        mine = route.K(constants["c"], shares)
        one.above_floor(replay, route, constants["c"], mine, m, shares)
        return mine

    return _reached(decrease, K)


def _sharpest(replay: Replay, constants: Mapping[str, sp.Expr], m: sp.Symbol) -> sp.Expr:
    """Adds "decrease" at m by the proof of `theory.sharpen`; returns its K."""
    replace(_sharpened.FLOOR, floor=constants["c"]).decrease(replay, m)
    return _sharpened.FLOOR.K


def _reached(decrease: Callable[[Replay, Mapping[str, sp.Expr], sp.Symbol], sp.Expr], K: sp.Expr) -> Proof:
    def proof(replay: Replay, constants: dict[str, sp.Expr]) -> None:
        m, eps, c, d = s.best_grad, s.eps, 1 + one.r * s.sigma, one.r
        mine = decrease(replay, constants, m)
        one.telescope(replay, mine, m)
        replay.given("enough iterations", s.T * one.per_step(eps) - K * s.Delta, "domain")
        replay.derive(
            "gain at eps",
            one.per_step(eps) - one.per_step(m),
            {"enough iterations": 1 / s.T, "sum": mine / s.T, "gap": mine / s.T},
            plus=[(K - mine) * s.Delta / s.T],
        )
        lower = (c + d * m) * (c + d * eps) / (c * (m + eps) + d * m * eps)
        replay.derive("statement, m above the floor", eps - m, {"gain at eps": lower})

    return proof


CLAIMS = (
    Claim(
        id="noise-floor",
        title="The accuracy that enough iterations reach with given batches",
        equation="",
        source="FMO (86), Theorem F.1",
        kind="upper",
        lhs=s.best_grad,
        domain=(*domains.BATCHES, SOME, enough(K, "FMO Theorem F.1, survey (14)")),
        versions={
            "published": Version(FORM, {"c": sp.Integer(61)}, "FMO (86)", reached(one.FMO, K)),
            "sharp": Version(
                FORM,
                {"c": _sharpened.FLOOR.floor},
                "ours: the least floor at which 1600 still suffices",
                _reached(_sharpest, K),
            ),
        },
        box=domains.MOMENT_BOX,
    ),
)
