"""FO-MAML, which leaves out the Hessian: G_i = h~_i. Bias, moments, and where it stands still (FMO Theorem G.1).

The bias does not vanish with the batches: its terms in ||grad F|| and a sigma stay. All published bounds are true, and
each is improved by the S-procedure of `_first_order`.

FMO proves no lower bound. Where E G = 0 the full-batch method never moves again, and there ||grad F|| can come as near
to (1 + a) a sigma as one likes, if rho sigma/L^2 is large, and is never larger (the claim fo-maml-limit).
"""

from collections.abc import Callable
from functools import cache

import sympy as sp

from theory import domains
from theory import symbols as s
from theory.certify import Replay
from theory.claim import Claim, Proof, Version, constant, filled
from theory.claims import _first_order as fo
from theory.claims import moments
from theory.claims.bias import ROOT

SPREAD = s.a * s.sigma
_FLOOR = constant("cs") * SPREAD + constant("ci") * s.sigma_tilde / sp.sqrt(s.D_in)
BIAS = constant("cF") * s.grad_F + _FLOOR
LIMIT = constant("cG") * s.mean_G + _FLOOR
SQUARE = constant("cF") * s.grad_F**2 + constant("cs") * SPREAD**2 + constant("ci") * s.sigma_tilde**2 / s.D_in


def named(names: str, values: str) -> dict[str, sp.Expr]:
    """Constants by name, from two lists of words."""
    return dict(zip(names.split(), map(sp.Rational, values.split()), strict=True))


BIAS_PUBLISHED = named("cF cs ci", "0.22 2 0.1")
SQUARE_PUBLISHED = named("cF cs ci", "0.15 12 0.03")
FIRST_PUBLISHED = named("cF cs ci", "2.3 24 0.06")
SECOND_PUBLISHED = named("cF cs co ci", "20 7 1 0.02")
LIMIT_PUBLISHED = {"cG": sp.Integer(1), "cs": BIAS_PUBLISHED["cs"], "ci": BIAS_PUBLISHED["ci"]}
LIMIT_PUBLISHED = {name: value / (1 - BIAS_PUBLISHED["cF"]) for name, value in LIMIT_PUBLISHED.items()}

_DOMAIN, _BOX = (domains.INNER_STEP_FO,), domains.INNER_STEP_FO_BOX

# Young weights: zeta for ||E h_i||^2, omega or phi for the inner noise.
SQUARE_WEIGHTS = sp.Integer(1), sp.Rational(1, 2)
FIRST_WEIGHTS = sp.Rational(1, 2), sp.Rational(1, 5)
ZETA, PHI = sp.Integer(1), sp.Integer(1)

BIAS_SHARP = {"cF": s.a * fo.LINEAR["cF"], "cs": fo.LINEAR["cs"], "ci": s.a}
SQUARE_SHARP = fo.square_constants(*SQUARE_WEIGHTS)
FIRST_SHARP = fo.first_constants(*FIRST_WEIGHTS)
SECOND_SHARP = fo.second_constants(ZETA, PHI)


def _from(step: str, form: sp.Expr, shown: dict[str, sp.Expr], left: sp.Expr, lay: Callable[[Replay], None]) -> Proof:
    """A proof of the form with any constants, from the step that shows it with `shown`."""

    def proof(replay: Replay, constants: dict[str, sp.Expr]) -> None:
        lay(replay)
        none = dict.fromkeys(shown, sp.Integer(0))
        room = [filled(form, none | {name: constants[name] - shown[name]}) for name in shown]
        slack = filled(form, constants) - left
        inner = {s.D_in: ROOT**-2}
        replay.derive("statement", slack.subs(inner), {step: 1}, plus=[term.subs(inner) for term in room])

    return proof


@cache
def _bias_ledger() -> Replay:
    replay = Replay(_BOX)
    fo.facts(replay)
    fo.linear(replay)
    slack = filled(BIAS, BIAS_SHARP).subs(s.D_in, ROOT**-2) - s.bias_norm
    replay.derive("bias by grad F", slack, {"bias": 1, "curvature by grad F": s.a})
    return replay


def _bias(replay: Replay) -> None:
    replay.adopt(_bias_ledger())


def _bias_attained(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    """One task on a line, D_in = 1, noise +-1, L = 1; at its minimum w the curvature is sign(t) but for the kink."""
    delta = sp.Symbol("delta", nonnegative=True)
    text = "f'(w + t) = |t| - delta for |t| > 1/rho, delta = 1/(2 rho), and grad F = 0: f'(w + a) = f'(w - a) = R"
    replay.given("kink", s.bias_norm - s.a + delta, "instance", text)
    replay.check("ci is reached as rho sigma_tilde/L^2 grows", s.a - constants["ci"])


def _second(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    replay.given("no Hessian", moments.v2 - s.second_G, "definition", "G_i = h~_i")
    moments.noises(replay)
    moments.young(replay, PHI, s.a, "adapted gradient", moments.q2, moments.h2)
    fo.facts(replay)
    fo.adapted_by_meta(replay, ZETA)
    by = {"no Hessian": 1, "outer noise": 1, "adapted gradient": 1, "h_i by grad F": 1 + PHI}
    moments.state_second(replay, constants, SECOND_SHARP, by)


def _second_attained(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    text = "g_i = 0, D_in infinite, sigma_tilde^2/D_o = 1: h~_i is the outer noise alone"
    replay.given("noise alone", s.second_G - 1, "instance", text)
    replay.check("co is reached", 1 - sp.sympify(constants["co"]))


def _limit_published(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    """FMO (124), itself shown by `_bias`, and the triangle inequality."""
    _bias(replay)
    replay.given("meta-gradient", s.mean_G + s.bias_norm - s.grad_F, "triangle")
    inverse = 1 / (1 - BIAS_PUBLISHED["cF"])
    norms = {"cF": s.grad_F, "cs": SPREAD, "ci": s.sigma_tilde * ROOT}
    room = [inverse * (BIAS_PUBLISHED[name] - BIAS_SHARP[name]) * norm for name, norm in norms.items()]
    terms = {"cG": s.mean_G, "cs": SPREAD, "ci": s.sigma_tilde * ROOT}
    room += [(constants[name] - LIMIT_PUBLISHED[name]) * term for name, term in terms.items()]
    slack = filled(LIMIT, constants).subs(s.D_in, ROOT**-2) - s.grad_F
    replay.derive("statement", slack, {"meta-gradient": inverse, "bias by grad F": inverse}, plus=room)


def _limit(replay: Replay) -> None:
    fo.facts(replay)
    fo.standstill(replay)


def _limit_attained(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    """Two tasks on a line, equally likely, exact oracles, L = 1, d = 1/rho: v decides the second one's gradient.

    f_1' = 1 - t, and f_2'' rises from -1 to 1 at t = 0 and falls again: on the way to t = a v it costs 2d.
    """
    a, d, v = s.a, *sp.symbols("d v", nonnegative=True)
    t = sp.Symbol("t", positive=True)
    cost = sp.integrate(2 - t / d, (t, 0, 2 * d))
    replay.define(v, 1 + cost / (1 + a))
    h = 1 + a, -(1 + a) * v + cost
    text = "f_1' = 1 - t, f_2' = -v - t but for a spike of f_2'' at w, so f_1' and f_2' differ by 1 + v + 2d at most"
    replay.given("two tasks", (1 + v + cost) / 2 - s.sigma, "instance", text)
    replay.derive("it stands still", -((h[0] + h[1]) ** 2), {})
    meta = ((1 + a) * h[0] + (1 - a) * h[1]) / 2
    gap = sp.cancel((meta - constants["cs"] * a * (1 + v + cost) / 2).subs(v, 1 + cost / (1 + a)))
    replay.check("grad F reaches cs a sigma as d -> 0", gap + a * (2 + a) * d)


_PROVE_BIAS = _from("bias by grad F", BIAS, BIAS_SHARP, s.bias_norm, _bias)
_PROVE_SQUARE = _from(
    "bias, squared", SQUARE, SQUARE_SHARP, s.bias_norm**2, lambda replay: fo.square_of_bias(replay, *SQUARE_WEIGHTS)
)
_PROVE_FIRST = _from(
    "first moment", SQUARE, FIRST_SHARP, s.mean_G**2, lambda replay: fo.first_moment(replay, *FIRST_WEIGHTS)
)
_OURS = "ours: S-procedure for the adapted gradients"

CLAIMS = (
    Claim(
        id="fo-maml-bias",
        title="Bias of FO-MAML's estimate: what leaving out the Hessian costs",
        equation="",
        source="FMO (124)",
        kind="upper",
        lhs=s.bias_norm,
        domain=_DOMAIN,
        versions={
            "published": Version(BIAS, BIAS_PUBLISHED, "FMO (124); cF = 0.22 is 1.96 times too large", _PROVE_BIAS),
            "sharp": Version(BIAS, BIAS_SHARP, f"{_OURS}; ci is reached", _PROVE_BIAS, attained=_bias_attained),
        },
        box=_BOX,
    ),
    Claim(
        id="fo-maml-bias-squared",
        title="Square of the bias of FO-MAML's estimate",
        equation="",
        source="FMO (125)",
        kind="upper",
        lhs=s.bias_norm**2,
        domain=_DOMAIN,
        versions={
            "published": Version(SQUARE, SQUARE_PUBLISHED, "FMO (125)", _PROVE_SQUARE),
            "sharp": Version(SQUARE, SQUARE_SHARP, f"{_OURS}; zeta = 1, omega = 1/2", _PROVE_SQUARE),
        },
        box=_BOX,
    ),
    Claim(
        id="fo-maml-first-moment",
        title="First moment of FO-MAML's estimate",
        equation="",
        source="FMO (126)",
        kind="upper",
        lhs=s.mean_G**2,
        domain=_DOMAIN,
        versions={
            "published": Version(SQUARE, FIRST_PUBLISHED, "FMO (126)", _PROVE_FIRST),
            "sharp": Version(SQUARE, FIRST_SHARP, f"{_OURS}; zeta = 1/2, omega = 1/5", _PROVE_FIRST),
        },
        box=_BOX,
    ),
    Claim(
        id="fo-maml-second-moment",
        title="Second moment of FO-MAML's estimate",
        equation="",
        source="FMO (129)",
        kind="upper",
        lhs=s.second_G,
        domain=_DOMAIN,
        versions={
            "published": Version(moments.SECOND, SECOND_PUBLISHED, "FMO (129)", _second),
            "sharp": Version(
                moments.SECOND, SECOND_SHARP, f"{_OURS}; co is reached", _second, attained=_second_attained
            ),
        },
        box=_BOX,
    ),
    Claim(
        id="fo-maml-limit",
        title="How large the meta-gradient can be where FO-MAML stands still, E G = 0, or nearly so",
        equation="",
        source="FMO Corollary 4.19, O(a sigma)",
        kind="upper",
        lhs=s.grad_F,
        domain=_DOMAIN,
        versions={
            "published": Version(LIMIT, LIMIT_PUBLISHED, "what FMO (124) says at a given ||E G||", _limit_published),
            "sharp": Version(
                LIMIT,
                fo.STANDSTILL,
                f"{_OURS}; cs is reached",
                _from("grad F by G", LIMIT, fo.STANDSTILL, s.grad_F, _limit),
                attained=_limit_attained,
            ),
        },
        box=_BOX,
    ),
)
