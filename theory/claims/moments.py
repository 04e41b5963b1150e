"""The first and second moment of the meta-gradient estimate (6): the survey's (7) and (8).

(7) X = ||grad F||, R = ||bias||, Y = ||E G||: 2 X^2 + 2 R^2 - Y^2 = (X - R)^2 + (X + R - Y)(X + R + Y).

hessian-noise: FMO (94) splits E||I - alpha H - alpha N||^2 in operator norms as if they were inner products, which is
false; for a vector v independent of N it is true, and no more is needed.

(8) FMO's printed route passes through FMO (44), which is false. The direct route ||h_i|| <= (1 + a)||g_i|| ("sharp")
is better in all four constants; the route through the true second moment of grad F_i ("sharper") better still; and
points of the Pareto front at the edge of the domain ("front-1", ...) better again, front-18 in all four places.
"""

import sympy as sp

from theory import domains
from theory import symbols as s
from theory.certify import Replay
from theory.claim import Claim, Proof, Version, constant, filled
from theory.claims import _second_front, bias, gradient_relation

FIRST = constant("cF") * s.grad_F**2 + constant("ci") * s.sigma_tilde**2 / s.D_in
FIRST_SHARP = {"cF": sp.Integer(2), "ci": 2 * bias.SHARP["c"] ** 2}

SECOND = (
    constant("cF") * s.grad_F**2
    + constant("cs") * s.sigma**2
    + s.sigma_tilde**2 * (constant("co") / s.D_o + constant("ci") / s.D_in)
)
PHI, PSI = sp.Rational(1, 2), sp.Integer(1)
LEAD = (1 + s.a) ** 2 + s.lam

STRETCH = constant("cH") * (1 + s.a) ** 2 + constant("cn") * s.lam
_ONES = {"cH": sp.Integer(1), "cn": sp.Integer(1)}


def second_direct(phi: sp.Expr, psi: sp.Expr) -> dict[str, sp.Expr]:
    """The constants of (8) by the direct route, for Young weights phi and psi."""
    C1, C2 = gradient_relation.PUBLISHED.values()
    stretch = LEAD * (1 + phi) * (1 + s.a) ** 2
    return {
        "cF": stretch * (1 + psi) * C1**2,
        "cs": stretch * (1 + (1 + 1 / psi) * C2**2),
        "co": LEAD,
        "ci": LEAD * (1 + 1 / phi) * s.a**2,
    }


def second_sharper(phi: sp.Expr) -> dict[str, sp.Expr]:
    """The constants of (8) through E||grad F_i||^2, for the Young weight phi."""
    stretch = (1 + phi) * (1 + s.lam / (1 - s.a) ** 2)
    through = {name: stretch * value for name, value in gradient_relation.MOMENT_SHARP.items()}
    return {**through, "co": LEAD, "ci": LEAD * (1 + 1 / phi) * s.a**2}


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


def _first_attained(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    """One task on a line, D_in = 1, noise +-s: f'' = L sign(t) at x + t, and -L on a spike of width 4L/rho at w.

    With f'(x) = a s, the kinks cost delta s, delta = 5 L^2/(2 rho s): 1/5 of it where f'' changes sign at x, 4/5 at the
    spike, and of that half up to its centre w. The noise takes x to both sides, where f' is larger by a s each time.
    """
    delta = sp.Symbol("delta", nonnegative=True)
    t, rate = sp.symbols("t rate", positive=True)
    kink = sp.integrate(1 - rate * t, (t, 0, 1 / rate))
    spike = 2 * sp.integrate(2 - rate * t, (t, 0, 2 / rate))
    sides = (delta * kink + delta * (kink + spike)) / (kink + spike / 2)
    X = (1 + s.a) * s.a
    Y = (1 + s.a) * (2 * s.a - sides.simplify() / 2)
    gap = Y**2 - constants["cF"] * X**2 - constants["ci"] + 4 * s.a * (1 + s.a) ** 2 * delta
    replay.check("both sides agree as rho s/L^2 grows, delta = 5 L^2/(2 rho s) -> 0", gap)


def _stretch_refuted(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    noise = sp.Rational(1, 2)
    at = {s.a: sp.Rational(1, 6), s.lam: noise**2}
    replay.given(
        "two coordinates",
        sp.Integer(0),
        "instance",
        "H = -L I, N = +-n diag(1, -1), alpha n = 1/2, D_h = 1: ||I - alpha H~|| is always 1 + a + alpha n",
    )
    excess = ((1 + s.a + noise) ** 2 - filled(STRETCH, constants)).subs(at) - 1
    replay.check("the left side exceeds the right by more than 1", excess)


def _stretch(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    Av2, Nv2, factor = sp.symbols("E||(I-alpha*H)v||^2, E||alpha*N*v||^2, ||I-alpha*H||", nonnegative=True)
    replay.given("cross terms", Av2 + Nv2 - s.factor_on_vector, "independence", "||v|| = 1, E N = 0")
    replay.given("curvature", factor**2 - Av2, "definition")
    replay.given("factor", 1 + s.a - factor, "smoothness")
    replay.given("weak reading", s.lam - Nv2, "sample variance", "sup_v E||N v||^2 of a mean of D_h is 1/D_h of one")
    replay.derive(
        "statement",
        filled(STRETCH, constants) - s.factor_on_vector,
        {"cross terms": 1, "curvature": 1, "factor": 1 + s.a + factor, "weak reading": 1},
        plus=[(constants["cH"] - 1) * (1 + s.a) ** 2, (constants["cn"] - 1) * s.lam],
    )


_G2 = gradient_relation.GRAD_SECOND
v2, q2, h2, _inner2 = sp.symbols("E||h~_i||^2 E||q_i||^2 E||h_i||^2 E||g~_i-g_i||^2", nonnegative=True)
_Av2, _Aq2 = sp.symbols("E||A_i*h~_i||^2 E||A_i*q_i||^2", nonnegative=True)
_q, _h, _z, _inner = sp.symbols("||q_i|| ||h_i|| ||q_i-h_i|| ||g~_i-g_i||", nonnegative=True)
OUTER, INNER = s.sigma_tilde**2 / s.D_o, s.sigma_tilde**2 / s.D_in


def young(replay: Replay, phi: sp.Expr, factor: sp.Expr, name: str, mean: sp.Expr, near: sp.Expr) -> None:
    """Adds `name`: mean <= (1 + phi) near + (1 + 1/phi) factor^2 sigma_tilde^2/D_in, both images of q_i and h_i."""
    replay.given(f"{name}, triangle", _h + _z - _q, "triangle")
    replay.given(f"{name}, shift", factor * _inner - _z, "smoothness")
    replay.derive(
        f"{name}, Young",
        (1 + phi) * _h**2 + (1 + 1 / phi) * factor**2 * _inner**2 - _q**2,
        {f"{name}, triangle": _h + _z + _q, f"{name}, shift": (1 + 1 / phi) * (factor * _inner + _z)},
        plus=[phi * (_h - _z / phi) ** 2],
    )
    replay.expect(f"{name}, mean", f"{name}, Young", {_h**2: near, _inner**2: _inner2, _q**2: mean})
    replay.derive(
        name,
        (1 + phi) * near + (1 + 1 / phi) * factor**2 * INNER - mean,
        {f"{name}, mean": 1, "inner variance": (1 + 1 / phi) * factor**2},
    )


def noises(replay: Replay) -> None:
    """Adds what the noise does; q_i = grad f_i(w - alpha g~_i), and h~_i adds the outer noise."""
    replay.given("inner variance", INNER - _inner2, "sample variance")
    replay.given("outer noise", q2 + OUTER - v2, "sample variance", "D_o independent of D_in")


def state_second(
    replay: Replay, constants: dict[str, sp.Expr], shown: dict[str, sp.Expr], by: dict[str, sp.Expr]
) -> None:
    """Concludes (8) with `constants` from the steps `by`, which together show it with `shown`."""
    terms = {"cF": s.grad_F**2, "cs": s.sigma**2, "co": OUTER, "ci": INNER}
    room = [(constants[name] - shown[name]) * term for name, term in terms.items()]
    replay.derive("statement", filled(SECOND, constants) - s.second_G, by, plus=room)


def _second(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    replay.given("Hessian noise", LEAD * v2 - s.second_G, "independence", "the claim hessian-noise with v = h~_i")
    noises(replay)
    young(replay, PHI, s.a, "adapted gradient", q2, h2)
    gradient_relation.task_gradients(replay, PSI)
    replay.given("h against g", (1 + s.a) ** 2 * _G2 - h2, "smoothness", "||h_i|| <= ||g_i|| + L ||alpha g_i||")
    stretch = LEAD * (1 + PHI)
    by = {"Hessian noise": 1, "outer noise": LEAD, "adapted gradient": LEAD, "h against g": stretch}
    shown = second_direct(PHI, PSI)
    state_second(replay, constants, shown, {**by, "mean of squares": stretch * (1 + s.a) ** 2})


def _second_sharper(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    A2, invert = (1 + s.a) ** 2, (1 - s.a) ** -2
    split = _Av2 + s.lam * v2 - s.second_G
    replay.given("Hessian noise", split, "independence", "E||A_i h~_i||^2 + alpha^2 E||N h~_i||^2, A_i = I - alpha H_i")
    noises(replay)
    replay.given("outer noise in A", _Aq2 + A2 * OUTER - _Av2, "sample variance", "||A_i|| <= 1 + a")
    young(replay, PHI, s.a, "adapted gradient", q2, h2)
    young(replay, PHI, (1 + s.a) * s.a, "adapted gradient in A", _Aq2, s.task_second)
    replay.given("A inverted", invert * s.task_second - h2, "smoothness", "||A_i h_i|| >= (1 - a) ||h_i||")
    gradient_relation.s_procedure(replay)
    by = {
        "Hessian noise": 1,
        "outer noise": s.lam,
        "outer noise in A": 1,
        "adapted gradient": s.lam,
        "adapted gradient in A": 1,
        "A inverted": s.lam * (1 + PHI),
        "task moment": (1 + PHI) * (1 + s.lam * invert),
    }
    state_second(replay, constants, second_sharper(PHI), by)


def front_proof(multipliers: tuple[sp.Expr, ...]) -> Proof:
    """The proof of (8) from semidefinite multipliers, with a and lam at the ends of the domain."""

    def proof(replay: Replay, constants: dict[str, sp.Expr]) -> None:
        half = _second_front.EDGE[s.lam]
        split = _Av2 + s.lam * v2 - s.second_G
        replay.given("Hessian noise", split, "independence", "E||A_i h~_i||^2 + alpha^2 E||N h~_i||^2")
        replay.derive("D_h", _Av2 + half * v2 - s.second_G, {"Hessian noise": 1}, plus=[(half - s.lam) * v2])
        noises(replay)
        replay.given("outer noise in A", _Aq2 + (1 + s.a) ** 2 * OUTER - _Av2, "sample variance", "||A_i|| <= 1 + a")
        _second_front.replay_front(replay, multipliers, _Aq2, q2, INNER)
        shown = {**_second_front.constants(multipliers), "co": (1 + s.a) ** 2 + half}
        by = {"D_h": 1, "outer noise": half, "outer noise in A": 1, "front": 1}
        state_second(replay, constants, shown, by)

    return proof


def front_version(multipliers: tuple[sp.Expr, ...]) -> Version:
    """(8) with the constants that semidefinite multipliers show; co is reached."""
    constants = {**_second_front.constants(multipliers), "co": LEAD.subs(_second_front.EDGE)}
    source = "ours: semidefinite certificate, on the Pareto front of cF, cs and ci at the end of the domain"
    return Version(SECOND, constants, source, front_proof(multipliers))


def flattest(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    """Shows that co is reached: at a task's flattest point, by the outer noise."""
    replay.given(
        "flattest point",
        LEAD - s.second_G,
        "instance",
        "g_i = 0, H_i = -L I, D_in infinite, sigma_tilde^2/D_o = 1: h~_i is the outer noise alone",
    )
    replay.check("co is reached", LEAD - constants["co"])


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
            "sharp": Version(
                FIRST, FIRST_SHARP, "ours: FMO's route without rounding", _first, attained=_first_attained
            ),
        },
        box=domains.INNER_STEP_BOX,
    ),
    Claim(
        id="hessian-noise",
        title="What the noisy Hessian does to a vector",
        equation="",
        source="FMO (94)",
        kind="upper",
        lhs=s.factor_norm,
        domain=(domains.INNER_STEP_SMOOTH,),
        versions={
            "published": Version(
                STRETCH, _ONES, "FMO (94) and A2, in operator norms, version 1", refutation=_stretch_refuted
            ),
            "sharp": Version(
                STRETCH, _ONES, "ours: the same for a vector independent of the noise", _stretch, lhs=s.factor_on_vector
            ),
        },
        box={s.a: (sp.Integer(0), sp.Integer(1))},
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
            "sharper": Version(
                SECOND,
                second_sharper(PHI),
                "ours: through E||grad F_i||^2, phi = 1/2; co is reached",
                _second_sharper,
                attained=flattest,
            ),
            **{name: front_version(found) for name, found in _second_front.MULTIPLIERS.items()},
        },
        box=domains.MOMENT_BOX,
    ),
)
