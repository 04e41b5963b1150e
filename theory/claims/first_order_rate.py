"""FO-MAML's rate and noise floor, FMO Theorem G.1: what survives of the proof, and what its constants can be.

* fo-maml-noise. The bounds before FMO's last display add up to (12 E beta_k + 24 (L_k/2) E beta_k^2)(a sigma)^2, by
  FMO's own numbers (12/72 + 24/828)(a sigma)^2/L; printed is (a sigma)^2/(6 L), which is the first term alone. With the
  sum, 1600 times the factor exceeds 14 * 20: by that route the floor FMO (113) follows with (14, 22.4), not (14, 20).
* fo-maml-decrease, fo-maml-rate, fo-maml-floor. The last display, the iterations and the floor are true all the same,
  since the bias is much smaller than FMO's bound of it. For the pair (14, 20) of (113) it gives (14, 0.258), or
  (0.495, 7.75) with less in every term.
"""

import sympy as sp

from theory import domains
from theory import symbols as s
from theory.certify import Replay
from theory.claim import Claim, Hypothesis, Proof, Version, constant, filled
from theory.claims import _first_order as fo
from theory.claims import _one_step as one
from theory.claims import first_order, floor, moments, rate
from theory.claims._method import INNER, LEMMAS, OUTER, SIGMA, TASK_RANGE, Bias, Method, Route, Source
from theory.claims.bias import ROOT
from theory.claims.step_size import PUBLISHED_L

SECOND = {claim.id: claim for claim in first_order.CLAIMS}["fo-maml-second-moment"]
SOURCES = {"sigma": SIGMA, "spread": Source(first_order.SPREAD), "out": OUTER, "in": INNER}
FO_MAML = Method(factor=18, edge={s.a: sp.Rational(1, 10)}, second=SECOND, sources=SOURCES)

_TERMS = {
    "cs": s.sigma**2 / (s.L * s.B),
    "ca": first_order.SPREAD**2 / s.L,
    "co": s.sigma_tilde**2 / (s.L * s.B * s.D_o),
    "ci": s.sigma_tilde**2 / (s.L * s.D_in),
}
NOISE = sum(constant(name) * term for name, term in _TERMS.items())
DECREASE = NOISE - s.grad_F**2 / (constant("cF") * PUBLISHED_L)
NOISE_PUBLISHED = first_order.named("cs ca co ci", "7/828 1/6 1/828 1/600")

K, C, SHARE = sp.Integer(1600), sp.Integer(14), sp.Integer(20)


def _measured(share: sp.Expr) -> sp.Expr:
    return domains.NOISE + share * (s.alpha * s.L * s.sigma) ** 2


FLOOR = sp.Max(domains.noise_floor(constant("c"), _measured(constant("k"))), s.eps)
NOISE_FLOOR = Hypothesis(sp.Ge(s.eps, domains.noise_floor(C, _measured(SHARE))), "the noise floor, FMO (113)")


def bias(zeta: sp.Expr, omega: sp.Expr) -> Bias:
    """The square of the bias at the edge of the domain, for two Young weights."""
    names = {"F": "cF", "spread": "cs", "in": "ci"}
    shown = fo.square_constants(zeta, omega)
    edge = {name: FO_MAML.at_edge(shown[c]) for name, c in names.items()}
    squares = {"F": s.grad_F**2} | {name: source.square for name, source in SOURCES.items()}

    def prove(replay: Replay) -> None:
        fo.square_of_bias(replay, zeta, omega)
        total = sum(value * squares[name] for name, value in edge.items())
        room = [(edge[name] - shown[c]) * squares[name] for name, c in names.items()]
        replay.derive("bias squared", total - s.bias_norm**2, {"bias, squared": 1}, plus=room)

    return Bias(edge, prove)


def _route(zeta: str, omega: str, eta: str) -> Route:
    return Route(
        FO_MAML, bias(sp.Rational(zeta), sp.Rational(omega)), "sharp", "sharp", "sharp", sp.Rational(eta), None
    )


FAST = _route("3/20", "3/20", "2/25")
STEP = _route("1/8", "1/3", "2/25")
NEAR = _route("1", "1/480", "7/16")
BOTH = _route("7/8", "1/16", "7/16")
FAST_K = FAST.K(C, {"spread": SHARE})


def _least(route: Route, name: str) -> sp.Expr:
    """The factor at which a floor of this source alone leaves K = 1600."""
    return route.noise[name] / (2 * (route.kappa - 1 / K))


SAME_C = _least(NEAR, "spread") / C
SHARP_C = max(_least(BOTH, name) for name in ("sigma", "out", "in"))
SHARP_SHARE = _least(BOTH, "spread") / SHARP_C

# What FMO (125), (126) and (129) say of the noise; ||grad F|| ||r|| <= ||grad F||^2/4 + ||r||^2.
_OF_F = {s.grad_F: 0}
_BIAS = filled(first_order.SQUARE, first_order.SQUARE_PUBLISHED).subs(_OF_F)
_FIRST = filled(first_order.SQUARE, first_order.FIRST_PUBLISHED).subs(_OF_F)
_SECOND = filled(moments.SECOND, first_order.SECOND_PUBLISHED).subs(_OF_F)
LONGEST = sp.Rational(1, 4 * FO_MAML.factor)


def _curved(step: str) -> sp.Expr:
    """L (L_k/2) E beta_k^2 at most."""
    return LEMMAS["step-size-moments"].versions[step].constants["c"] / (8 * FO_MAML.factor**2)


def added_up(beta: sp.Expr, curved: sp.Expr) -> dict[str, sp.Expr]:
    """NOISE's constants by FMO's bounds, if E beta_k <= beta/L, (L_k/2) E beta_k^2 <= curved/L and B >= 20."""
    at_b = {s.B: sp.Integer(20), s.D_o: sp.oo}
    inner = {s.sigma: 0, s.sigma_tilde: 1, s.D_in: 1}
    spread = {s.sigma: 1 / s.a, s.sigma_tilde: 0}
    return {
        "cs": curved * first_order.SECOND_PUBLISHED["cs"],
        "ca": beta * _BIAS.subs(spread) + curved * _FIRST.subs(spread),
        "co": curved * first_order.SECOND_PUBLISHED["co"],
        "ci": (beta * _BIAS + curved * (_FIRST + _SECOND / s.B)).subs(inner).subs(at_b),
    }


FMO_CURVED = sp.Rational(1, 828)
NOISE_REPAIRED = added_up(LONGEST, FMO_CURVED)
NOISE_SHARP = added_up(LONGEST, _curved("sharp"))


def _noise(step: str, curved: sp.Expr) -> Proof:
    def proof(replay: Replay, constants: dict[str, sp.Expr]) -> None:
        y, e1, e2, factor = one.y, s.step_mean, s.step_second, FO_MAML.factor
        replay.define(y, one.r * s.mean_grad)
        replay.given("longest step", sp.Rational(1, 4) - e1, "definition", "L~ >= 4L")
        replay.given("B", sp.Rational(1, 20) - one.b, "domain")
        one.lemma(replay, LEMMAS["step-size-moments"], step)
        long = 4 + 2 * y
        curve = long / (2 * factor**2)
        aside, bent = (x.subs(one.UNITS) for x in (_BIAS, _FIRST + _SECOND / s.B))
        total = e1 / factor * aside + curve * e2 * bent
        replay.given("sum", total - s.noise_step, "definition", "what FMO (125), (126) and (129) add up to")
        shown = added_up(LONGEST, curved)
        inner = first_order.SECOND_PUBLISHED["ci"] * s.sigma_tilde**2 * ROOT**2
        more = [(constants[name] - shown[name]) * term.subs(one.UNITS) for name, term in _TERMS.items()]
        z2 = LEMMAS["step-size-moments"].versions[step].constants["c"]
        replay.derive(
            "statement",
            (filled(NOISE, constants) - s.noise_step).subs(one.UNITS),
            {"sum": 1, "longest step": aside / factor, "step-size-moments": curve * bent, "B": curved * inner},
            plus=[*more, (curved - z2 / (2 * factor**2 * long)) * bent],
        )

    return proof


def _noise_refuted(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    text = "g_i = 0 and the step size sees no noise, so L~ = 4L always: beta_k = 1/(72 L), L_k = 4L"
    replay.given("calm point", sp.Integer(0), "instance", text)
    least = added_up(LONGEST, 2 * LONGEST**2)["ca"]
    replay.check("(a sigma)^2/L has a larger factor than printed", least - constants["ca"] - sp.Rational(1, 200))
    replay.check("1600 times it exceeds 14 * 20", K * least - C * SHARE - 1)
    by_fmo = K * NOISE_REPAIRED["ca"]
    replay.check("by FMO's bounds on the step it exceeds it by 33", by_fmo - C * SHARE - 33)
    replay.check("the pair (14, 22.4) would follow", C * sp.Rational(224, 10) - by_fmo)


def _decrease(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    """From `one_step`: the gain per ||grad F||^2/(4 + 2y) and the noise of each source."""
    replay.adopt(one.one_step(STEP))
    X, long = s.grad_F, 4 + 2 * one.y
    shown = DECREASE_SHARP
    bent = STEP.quadratic * STEP.batch_mean("F", one.b) * STEP.smooth / long**2
    more = [(constants[name] - shown[name]) * term.subs(one.UNITS) for name, term in _TERMS.items()]
    replay.derive(
        "statement",
        filled(DECREASE, constants).subs(one.UNITS).subs(s.mean_grad, one.y / one.r) - s.F_step,
        {"noise of a step": 1},
        plus=[
            *more,
            (1 / shown["cF"] - 1 / constants["cF"]) * X**2 / long,
            (STEP.forward / long - bent - 1 / (shown["cF"] * long)) * X**2,
        ],
    )


def _decrease_constants() -> dict[str, sp.Expr]:
    """What the route STEP shows, at L_k = 4L + 2 rho alpha E||g_i||."""
    cL, cg = STEP.lipschitz
    curved = STEP.quadratic * max(STEP.batch_mean("F", end) for end in TASK_RANGE)
    names = {"cs": "sigma", "ca": "spread", "co": "out", "ci": "in"}
    noise = {name: STEP.noise[source] / 4 for name, source in names.items()}
    return {"cF": 1 / (STEP.forward - curved * max(cL / 4, cg / 2)), **noise}


DECREASE_SHARP = _decrease_constants()
_BOX = FO_MAML.box
_ENOUGH = floor.enough(K, "FMO Theorem G.1, with the constant its decrease gives")
_NEAR_PROOF, _BOTH_PROOF = (floor.reached(route, K, {"spread": "k"}) for route in (NEAR, BOTH))
_FAST_PROOF = rate.iterations(FAST, C, {"spread": SHARE})

CLAIMS = (
    Claim(
        id="fo-maml-noise",
        title="What the bounds of FMO's proof add to F in a step of FO-MAML",
        equation="",
        source="FMO G.1, the step to the last display",
        kind="upper",
        lhs=s.noise_step,
        domain=domains.BATCHES_FO,
        versions={
            "published": Version(NOISE, NOISE_PUBLISHED, "FMO G.1, last display, version 1", refutation=_noise_refuted),
            "repaired": Version(NOISE, NOISE_REPAIRED, "FMO's own bounds, added up", _noise("published", FMO_CURVED)),
            "sharp": Version(
                NOISE, NOISE_SHARP, "ours: with the sharper moments of the step", _noise("sharp", _curved("sharp"))
            ),
        },
        box=_BOX,
    ),
    Claim(
        id="fo-maml-decrease",
        title="Expected change of F in one step of FO-MAML",
        equation="",
        source="FMO G.1, last display",
        kind="upper",
        lhs=s.F_step,
        domain=domains.BATCHES_FO,
        versions={
            "published": Version(
                DECREASE,
                {"cF": sp.Integer(100), **NOISE_PUBLISHED},
                "FMO G.1, last display; true by our bound of the bias, not by FMO's (fo-maml-noise)",
                _decrease,
            ),
            "sharp": Version(DECREASE, DECREASE_SHARP, "ours: with the sharp lemmas", _decrease),
        },
        box=_BOX,
    ),
    Claim(
        id="fo-maml-rate",
        title="Iterations of FO-MAML until the meta-gradient is small in the mean",
        equation="",
        source="FMO Theorem G.1",
        kind="upper",
        lhs=s.T,
        domain=(*domains.BATCHES_FO, NOISE_FLOOR),
        versions={
            "published": Version(
                rate.ITERATIONS, {"K": K}, "FMO Theorem G.1, O(1) as its decrease gives it", _FAST_PROOF
            ),
            "sharp": Version(
                rate.ITERATIONS, {"K": FAST_K}, "ours: with the sharp lemmas, at the same floor", _FAST_PROOF
            ),
        },
        box=_BOX,
    ),
    Claim(
        id="fo-maml-floor",
        title="The accuracy that enough iterations of FO-MAML reach; that of the spread of the tasks stays",
        equation="",
        source="FMO (113), Theorem G.1",
        kind="upper",
        lhs=s.best_grad,
        domain=(*domains.BATCHES_FO, floor.SOME, _ENOUGH),
        versions={
            "published": Version(
                FLOOR,
                {"c": C, "k": SHARE},
                "FMO (113); true by our bound of the bias, not by FMO's (fo-maml-noise)",
                _NEAR_PROOF,
            ),
            "same-c": Version(FLOOR, {"c": C, "k": SAME_C}, "ours: 14 kept, the least second constant", _NEAR_PROOF),
            "sharp": Version(FLOOR, {"c": SHARP_C, "k": SHARP_SHARE}, "ours: less in every term", _BOTH_PROOF),
        },
        box=_BOX,
    ),
)
