"""The first and second moment of the meta-gradient estimate (6): the survey's (7) and (8).

(7) X = ||grad F||, R = ||bias||, Y = ||E G||: 2 X^2 + 2 R^2 - Y^2 = (X - R)^2 + (X + R - Y)(X + R + Y).

(8) FMO's printed route passes through FMO (44), which is false; the direct route ||h_i|| <= (1 + a)||g_i|| is better in
all four constants. FMO (94), written there with operator norms, is used in its valid form: the Hessian noise N meets a
vector independent of it, so E||(I - alpha H - alpha N) v||^2 <= (||I - alpha H||^2 + alpha^2 sigma_H^2/D_h) E||v||^2.
"""

import sympy as sp

from theory import domains
from theory import symbols as s
from theory.certify import Replay
from theory.claim import Claim, Version, constant, filled
from theory.claims import bias, gradient_relation

FIRST = constant("cF") * s.grad_F**2 + constant("ci") * s.sigma_tilde**2 / s.D_in
FIRST_SHARP = {"cF": sp.Integer(2), "ci": 2 * bias.SHARP["c"] ** 2}

SECOND = (
    constant("cF") * s.grad_F**2
    + constant("cs") * s.sigma**2
    + s.sigma_tilde**2 * (constant("co") / s.D_o + constant("ci") / s.D_in)
)
PHI, PSI = sp.Rational(1, 2), sp.Integer(1)
_C1, _C2 = gradient_relation.PUBLISHED["cF"], gradient_relation.PUBLISHED["cs"]
LEAD = (1 + s.a) ** 2 + s.lam


def second_direct(phi: sp.Expr, psi: sp.Expr) -> dict[str, sp.Expr]:
    """The constants of (8) by the direct route, for Young weights phi and psi."""
    stretch = LEAD * (1 + phi) * (1 + s.a) ** 2
    return {
        "cF": stretch * (1 + psi) * _C1**2,
        "cs": stretch * (1 + (1 + 1 / psi) * _C2**2),
        "co": LEAD,
        "ci": LEAD * (1 + 1 / phi) * s.a**2,
    }


def _first(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    X, R, Y = s.grad_F, s.bias_norm, s.mean_G
    bias.first_branch(replay)
    noise = s.sigma_tilde * bias.ROOT
    replay.given("mean of G", X + R - Y, "triangle")
    replay.derive("squares", 2 * X**2 + 2 * R**2 - Y**2, {"mean of G": X + R + Y}, plus=[(X - R) ** 2])
    replay.derive(
        "statement",
        filled(FIRST, constants).subs(s.D_in, bias.ROOT**-2) - Y**2,
        {"squares": 1, "bias": 2 * (bias.SHARP["c"] * noise + R)},
        plus=[(constants["cF"] - 2) * X**2, (constants["ci"] - FIRST_SHARP["ci"]) * noise**2],
    )


_v2, _q2, _h2, _g2, _inner2 = sp.symbols(
    "E||h~_i||^2 E||q_i||^2 E||h_i||^2 E||g_i||^2 E||g~_i-g_i||^2", nonnegative=True
)
_q, _h, _z, _g, _inner = sp.symbols("||q_i|| ||h_i|| ||q_i-h_i|| ||g_i|| ||g~_i-g_i||", nonnegative=True)


def hessian_noise(replay: Replay) -> None:
    """Adds "Hessian noise", FMO (94) in vector form, and "outer noise"; q_i is grad f_i(w - alpha g~_i)."""
    replay.given(
        "Hessian noise",
        LEAD * _v2 - s.second_G,
        "independence",
        "E||(I - alpha H_i) v||^2 + alpha^2 E||N v||^2, with A2 and the weak reading of A5",
    )
    replay.given("outer noise", _q2 + s.sigma_tilde**2 / s.D_o - _v2, "sample variance", "D_o independent of D_in")


def inner_noise(replay: Replay, phi: sp.Expr) -> None:
    """Adds "adapted gradient": E||q_i||^2 <= (1 + phi) E||h_i||^2 + (1 + 1/phi) a^2 sigma_tilde^2/D_in."""
    replay.given("q near h", _h + _z - _q, "triangle")
    replay.given("inner shift", s.a * _inner - _z, "smoothness")
    replay.derive(
        "Young",
        (1 + phi) * _h**2 + (1 + 1 / phi) * s.a**2 * _inner**2 - _q**2,
        {"q near h": _h + _z + _q, "inner shift": (1 + 1 / phi) * (s.a * _inner + _z)},
        plus=[phi * (_h - _z / phi) ** 2],
    )
    replay.expect("Young in the mean", "Young", {_h**2: _h2, _inner**2: _inner2, _q**2: _q2})
    replay.given("inner variance", s.sigma_tilde**2 / s.D_in - _inner2, "sample variance")
    replay.derive(
        "adapted gradient",
        (1 + phi) * _h2 + (1 + 1 / phi) * s.a**2 * s.sigma_tilde**2 / s.D_in - _q2,
        {"Young in the mean": 1, "inner variance": (1 + 1 / phi) * s.a**2},
    )


def _task_gradients(replay: Replay, psi: sp.Expr) -> None:
    """Adds "task gradients": E||h_i||^2 <= (1 + a)^2 ((1 + psi) C1^2 X^2 + (1 + (1 + 1/psi) C2^2) sigma^2)."""
    gradient_relation.centred_at_one(replay)
    X, sigma, f = s.grad_F, s.sigma, s.grad_f
    replay.given("h against g", (1 + s.a) * _g - _h, "smoothness", "||h_i - g_i|| <= L ||alpha g_i||")
    replay.derive("h against g, squared", (1 + s.a) ** 2 * _g**2 - _h**2, {"h against g": (1 + s.a) * _g + _h})
    replay.expect("h against g in the mean", "h against g, squared", {_g**2: _g2, _h**2: _h2})
    replay.given("spread of tasks", f**2 + sigma**2 - _g2, "task variance")
    replay.derive(
        "grad f squared",
        (1 + psi) * _C1**2 * X**2 + (1 + 1 / psi) * _C2**2 * sigma**2 - f**2,
        {"gradient relation": _C1 * X + _C2 * sigma + f},
        plus=[psi * (_C1 * X - _C2 * sigma / psi) ** 2],
    )
    moments = (1 + psi) * _C1**2 * X**2 + (1 + (1 + 1 / psi) * _C2**2) * sigma**2
    replay.derive(
        "task gradients",
        (1 + s.a) ** 2 * moments - _h2,
        {"h against g in the mean": 1, "spread of tasks": (1 + s.a) ** 2, "grad f squared": (1 + s.a) ** 2},
    )


def state_second(replay: Replay, constants: dict[str, sp.Expr], shown: dict[str, sp.Expr], phi: sp.Expr) -> None:
    """Concludes (8) with `constants` from "task gradients", whose combination with the noise shows `shown`."""
    terms = {"cF": s.grad_F**2, "cs": s.sigma**2, "co": s.sigma_tilde**2 / s.D_o, "ci": s.sigma_tilde**2 / s.D_in}
    replay.derive(
        "statement",
        filled(SECOND, constants) - s.second_G,
        {"Hessian noise": 1, "outer noise": LEAD, "adapted gradient": LEAD, "task gradients": LEAD * (1 + phi)},
        plus=[(constants[name] - shown[name]) * term for name, term in terms.items()],
    )


def _second(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    hessian_noise(replay)
    inner_noise(replay, PHI)
    _task_gradients(replay, PSI)
    state_second(replay, constants, second_direct(PHI, PSI), PHI)


CLAIMS = (
    Claim(
        id="first-moment",
        title="First moment of the meta-gradient estimate",
        equation="(7)",
        source="FMO (92); survey (7)",
        kind="upper",
        lhs=s.mean_G**2,
        domain=(domains.INNER_STEP,),
        versions={
            "published": Version(FIRST, {"cF": sp.Integer(2), "ci": sp.Rational(8, 100)}, "survey (7)", _first),
            "sharp": Version(FIRST, FIRST_SHARP, "ours: FMO's route without rounding", _first),
        },
        box=domains.INNER_STEP_BOX,
    ),
    Claim(
        id="second-moment",
        title="Second moment of the meta-gradient estimate",
        equation="(8)",
        source="FMO (99); survey (8)",
        kind="upper",
        lhs=s.second_G,
        domain=(domains.INNER_STEP, domains.HESSIAN_BATCH),
        versions={
            "published": Version(
                SECOND,
                {"cF": sp.Integer(40), "cs": sp.Integer(14), "co": sp.Integer(2), "ci": sp.Rational(1, 6)},
                "survey (8); FMO's own proof uses the false FMO (44), this one does not",
                _second,
            ),
            "sharp": Version(SECOND, second_direct(PHI, PSI), "ours: the direct route, phi = 1/2, psi = 1", _second),
        },
        box=domains.MOMENT_BOX,
    ),
)
