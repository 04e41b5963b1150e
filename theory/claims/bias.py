"""The bias of the meta-gradient estimate (6): the inner gradient is noisy, and f_i is not linear.

r = E G - grad F = E_i (I - alpha H_i)(E grad f_i(w - alpha g~_i) - h_i), since D_o and D_h are independent of D_in.
The first branch (A2) is FMO (91); the second (A3: the linear term of the Taylor expansion has mean zero) is ours, and
far better for large D_in. With rho = 0 there is no bias at all.
"""

import sympy as sp

from theory import domains
from theory import symbols as s
from theory.certify import Replay
from theory.claim import Claim, Version, constant, filled

FORM = constant("c") * s.sigma_tilde / sp.sqrt(s.D_in)
BRANCHES = sp.Min(
    constant("c") * s.sigma_tilde / sp.sqrt(s.D_in),
    constant("c_rho") * s.rho * s.alpha**2 * s.sigma_tilde**2 / s.D_in,
)
SHARP = {"c": (1 + s.a) * s.a, "c_rho": (1 + s.a) / 2}

_factor, _shift, _inner, _inner2 = sp.symbols(
    "||I-alpha*H_i|| ||E(h~_i-h_i)|| E||g~_i-g_i|| E||g~_i-g_i||^2", nonnegative=True
)
ROOT, ROOT_OUT = sp.symbols("1/sqrt(D_in) 1/sqrt(D_o)", nonnegative=True)


def _common(replay: Replay) -> None:
    replay.given("chain rule", _factor * _shift - s.bias_norm, "triangle", "mean over tasks, worst task")
    replay.given("factor", 1 + s.a - _factor, "smoothness")


def first_branch(replay: Replay) -> None:
    """Adds the step "bias": ||r|| <= (1 + a) a sigma_tilde / sqrt(D_in)."""
    _common(replay)
    replay.given("shift", s.a * _inner - _shift, "smoothness", "E h~_i - h_i is a mean of gradient differences")
    replay.given("inner noise", s.sigma_tilde * ROOT - _inner, "sample variance", "with Jensen")
    replay.derive(
        "bias",
        SHARP["c"] * s.sigma_tilde * ROOT - s.bias_norm,
        {"chain rule": 1, "factor": _shift, "shift": 1 + s.a, "inner noise": (1 + s.a) * s.a},
    )


def _second_branch(replay: Replay) -> None:
    alpha = s.a / s.L
    replay.given(
        "Taylor", s.rho * alpha**2 * _inner2 / 2 - _shift, "Hessian-Lipschitz", "the linear term has mean zero"
    )
    replay.given("inner noise squared", s.sigma_tilde**2 * ROOT**2 - _inner2, "sample variance")
    replay.derive(
        "bias by Taylor",
        SHARP["c_rho"] * s.rho * alpha**2 * s.sigma_tilde**2 * ROOT**2 - s.bias_norm,
        {
            "chain rule": 1,
            "factor": _shift,
            "Taylor": 1 + s.a,
            "inner noise squared": (1 + s.a) * s.rho * alpha**2 / 2,
        },
    )


def _state(replay: Replay, name: str, branch: sp.Expr, constants: dict[str, sp.Expr], by: str, room: sp.Expr) -> None:
    slack = filled(branch, constants).subs({s.D_in: ROOT**-2, s.alpha: s.a / s.L}) - s.bias_norm
    replay.derive(name, slack, {by: 1}, plus=[room])


def _published(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    first_branch(replay)
    room = (constants["c"] - SHARP["c"]) * s.sigma_tilde * ROOT
    _state(replay, "statement", FORM, constants, "bias", room)


def _sharp(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    first_branch(replay)
    _second_branch(replay)
    rooms = {
        "c": (constants["c"] - SHARP["c"]) * s.sigma_tilde * ROOT,
        "c_rho": (constants["c_rho"] - SHARP["c_rho"]) * s.rho * (s.a / s.L * s.sigma_tilde * ROOT) ** 2,
    }
    for branch in BRANCHES.args:
        mine = next(name for name in rooms if constant(name) in branch.free_symbols)
        by = {"c": "bias", "c_rho": "bias by Taylor"}[mine]
        _state(replay, f"statement, branch {mine}", branch, constants, by, rooms[mine])


CLAIMS = (
    Claim(
        id="bias",
        title="Bias of the meta-gradient estimate",
        equation="",
        source="FMO (91); behind survey (7)",
        kind="upper",
        lhs=s.bias_norm,
        domain=(domains.INNER_STEP,),
        versions={
            "published": Version(FORM, {"c": sp.Rational(1, 5)}, "FMO (91)", _published),
            "sharp": Version(BRANCHES, SHARP, "ours: the smaller of FMO's route and a Taylor expansion", _sharp),
        },
        box=domains.INNER_STEP_BOX,
    ),
)
