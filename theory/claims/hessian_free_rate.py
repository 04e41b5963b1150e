"""HF-MAML, Theorem H.1: the decrease in one step, the floor (131) and the iterations to it.

With delta_i = 1/(6 rho alpha ||h~_i||) no batch reaches (131): the two tasks of `_cosine_pair` stay where they are.
With delta_i = zeta/(rho alpha ||h~_i||) the theorem's noise N gains zeta^2 (sigma^2 + sigma_tilde^2/D_o). A small zeta
costs nothing in exact arithmetic, and with zeta = min{1/6, 1/sqrt(B)} (131) is true as printed, whatever eps and sigma.
FMO states the number of iterations up to a constant; the last display and half of the decrease for noise give 3200.
"""

from collections.abc import Mapping

import sympy as sp

from theory import domains
from theory import symbols as s
from theory.certify import Replay
from theory.claim import Claim, Hypothesis, Version, constant, filled
from theory.claims import _cosine_pair, floor, hessian_free, rate, step_size
from theory.claims import _method as of
from theory.claims import _one_step as one

FACTOR, K = 25, sp.Integer(3200)
LONGEST = sp.Rational(1, 4 * FACTOR)
QUOTIENT = s.zeta**2 * (s.sigma**2 + s.sigma_tilde**2 / s.D_o)
NOISE = domains.NOISE + QUOTIENT
FLOOR = sp.Integer(36)

_SIGMA, _OUT = "sigma, quotient", "out, quotient"
METHOD = of.Method(
    factor=FACTOR,
    edge={s.a: sp.Rational(1, 6), s.lam: sp.Rational(1, 2), s.zeta: sp.Rational(1, 6)},
    second={claim.id: claim for claim in hessian_free.CLAIMS}["hf-maml-second-moment"],
    sources={
        "sigma": of.SIGMA,
        "out": of.OUTER,
        "in": of.INNER,
        _SIGMA: of.Source(s.zeta * s.sigma),
        _OUT: of.Source(s.zeta * of.OUTER.norm),
    },
)


def _route(weights: tuple[sp.Expr, ...], eta: sp.Expr) -> of.Route:
    """A route by the weights that the parts of the bias take in its square: of grad F, D_in, sigma and D_o."""
    b = hessian_free.BIAS_SHARP
    parts = {"F": b["cF"], "in": b["ci"], _SIGMA: b["cs"] / s.zeta, _OUT: b["co"] / s.zeta}
    shares = dict(zip(parts, weights, strict=True))
    return of.Route(
        METHOD, of.linear(METHOD, parts, shares, hessian_free.hf_bias), "sharp", "sharp", "sharp", eta, None
    )


_R = sp.Rational
RATE_ROUTE = _route((_R(1, 3), _R(1, 24), _R(3, 8), _R(1, 4)), eta=_R(1, 6))
FLOOR_ROUTE = _route((_R(1, 8), _R(1, 18), _R(1, 2), _R(23, 72)), eta=_R(4, 9))
K_SHARP = RATE_ROUTE.K(FLOOR)
FLOOR_SHARP = FLOOR_ROUTE.nu() / (2 * (FLOOR_ROUTE.kappa - 1 / K))

DECREASE = (
    -(s.grad_F**2) / (constant("c") * step_size.PUBLISHED_L)
    + (constant("cs") * s.sigma**2 + constant("co") * s.sigma_tilde**2 / s.D_o) / (s.L * s.B)
    + constant("ci") * s.sigma_tilde**2 / (s.L * s.D_in)
    + s.zeta**2 * (constant("csz") * s.sigma**2 + constant("coz") * s.sigma_tilde**2 / s.D_o) / s.L
)
_PUBLISHED_DECREASE = {"c": sp.Integer(200), "cs": _R(18, 1600), "co": _R(5, 1600), "ci": _R(1, 100)}
_PUBLISHED_DECREASE |= {"csz": sp.Integer(0), "coz": sp.Integer(0)}
_NAMES = {"sigma": "cs", "out": "co", "in": "ci", _SIGMA: "csz", _OUT: "coz"}


def _gain(route: of.Route) -> sp.Expr:
    """Decrease per ||grad F||^2/L_k, with the published L_k, for the worst y and B."""
    cL, cg = route.lipschitz
    curved = max(route.quadratic * route.batch_mean("F", end) for end in of.TASK_RANGE)
    return route.forward - curved * max(cL / 4, cg / 2)


_DECREASE_SHARP = {"c": 1 / _gain(FLOOR_ROUTE)} | {_NAMES[name]: value / 4 for name, value in FLOOR_ROUTE.noise.items()}


def _decrease(replay: Replay, constants: Mapping[str, sp.Expr]) -> None:
    route, c = FLOOR_ROUTE, _gain(FLOOR_ROUTE)
    replay.adopt(one.one_step(route))
    long = 4 + 2 * of.y
    gain = route.forward / long - route.quadratic * route.batch_mean("F", of.b) * route.smooth / long**2
    replay.check("gain for every y and B", gain - c / long)
    sources = route.method.sources.items()
    room = [(c - 1 / constants["c"]) / long * s.grad_F**2]
    room += [(constants[_NAMES[i]] - route.noise[i] / 4) * source.weight * source.square for i, source in sources]
    slack = filled(DECREASE, constants).subs(one.UNITS) - s.F_step
    replay.derive("statement", slack, {"noise of a step": 1, "gain for every y and B": s.grad_F**2}, plus=room)


def _decrease_refuted(replay: Replay, constants: Mapping[str, sp.Expr]) -> None:
    pair = _cosine_pair.AT_REST
    here = {s.grad_F: _cosine_pair.GRADIENT, s.sigma: pair.spread, s.mean_grad: pair.mean_slope, s.sigma_tilde: 0}
    here |= {s.L: 1, s.rho: 1, s.alpha: _cosine_pair.ALPHA, s.B: 10**6}
    _cosine_pair.falls_less(replay, -filled(DECREASE, constants).subs(here), LONGEST)


PRINTED = sp.Max(domains.noise_floor(constant("c")), s.eps)
FORM = sp.Max(domains.noise_floor(constant("c"), NOISE), s.eps)


def _floor_refuted(replay: Replay, constants: Mapping[str, sp.Expr]) -> None:
    _cosine_pair.stays(replay, constants["c"], LONGEST)


def _printed(replay: Replay, constants: Mapping[str, sp.Expr]) -> None:
    """Where the smallest mean norm m is above (131) with c, it is above FORM with c/2, whose proof shows m <= eps."""
    c, m, spread, noise = constants["c"], s.best_grad, 1 + of.r * s.sigma, domains.NOISE.subs(one.UNITS)
    replay.given("above, root", m**2 / c - spread * noise, "domain", "else there is nothing to show")
    replay.given("above, linear", m / c - of.r * noise, "domain", "else there is nothing to show")
    replay.given("small difference", of.b - s.zeta**2, "definition", "zeta = min{1/6, 1/sqrt(B)}")
    with_quotient = NOISE.subs(one.UNITS)
    unshared = of.SIGMA.square + of.OUTER.square
    replay.derive("noise", 2 * noise - with_quotient, {"small difference": unshared}, plus=[of.INNER.square])
    asked = {"root": 2 * m**2 / c - spread * with_quotient, "linear": 2 * m / c - of.r * with_quotient}
    replay.derive("as hf-maml-floor asks, root", asked["root"], {"above, root": 2, "noise": spread})
    replay.derive("as hf-maml-floor asks, linear", asked["linear"], {"above, linear": 2, "noise": of.r})
    theorem = next(claim for claim in CLAIMS if claim.id == "hf-maml-floor")
    replay.use("statement, m above the floor", s.eps - m, theorem.certificate("sharp", c=c / 2))


_IMPLIED = "FMO Theorem H.1, (131); 3200 is what its last display gives"
_UP_TO = "FMO Theorem H.1, whose O(1) is 3200 by its last display; with the noise it omits"
BATCHES = (
    domains.INNER_STEP,
    hessian_free.HESSIAN_BATCH,
    domains.TASK_BATCH,
    *domains.STEP_TASKS,
    *domains.STEP_SAMPLES,
)
ENOUGH = (floor.SOME, floor.enough(K, _IMPLIED))
NOISE_FLOOR = Hypothesis(
    sp.Ge(s.eps, domains.noise_floor(FLOOR, NOISE)), "FMO (131) with the noise of the difference, which it omits"
)
BOX = {**domains.MOMENT_BOX, s.zeta: (sp.Integer(0), sp.Rational(1, 6))}

CLAIMS = (
    Claim(
        id="hf-maml-decrease",
        title="Expected change of F in one step of HF-MAML",
        equation="",
        source="FMO Theorem H.1, last display of the proof",
        kind="upper",
        lhs=s.F_step,
        domain=(*BATCHES, hessian_free.DIFFERENCE),
        versions={
            "published": Version(DECREASE, _PUBLISHED_DECREASE, "FMO H.1, version 1", refutation=_decrease_refuted),
            "sharp": Version(DECREASE, _DECREASE_SHARP, "ours: with the noise of the difference", _decrease),
        },
        box=BOX,
    ),
    Claim(
        id="hf-maml-floor",
        title="The accuracy that enough iterations of HF-MAML reach",
        equation="",
        source="FMO (131), Theorem H.1",
        kind="upper",
        lhs=s.best_grad,
        domain=(*BATCHES, hessian_free.DIFFERENCE, *ENOUGH),
        versions={
            "published": Version(PRINTED, {"c": FLOOR}, "FMO (131), version 1", refutation=_floor_refuted),
            "sharp": Version(
                FORM, {"c": FLOOR_SHARP}, "ours: with the noise of the difference", floor.reached(FLOOR_ROUTE, K)
            ),
        },
        box=BOX,
    ),
    Claim(
        id="hf-maml-floor-repaired",
        title="The accuracy that enough iterations of HF-MAML reach with zeta = min{1/6, 1/sqrt(B)}",
        equation="",
        source="FMO (131), with a smaller difference than in Theorem H.1",
        kind="upper",
        lhs=s.best_grad,
        domain=(*BATCHES, *ENOUGH),
        versions={
            "published": Version(PRINTED, {"c": FLOOR}, "FMO (131); true with the smaller difference", _printed),
            "sharp": Version(PRINTED, {"c": 2 * FLOOR_SHARP}, "ours: the noise is at most doubled", _printed),
        },
        box=BOX,
    ),
    Claim(
        id="hf-maml-rate",
        title="Iterations of HF-MAML until the meta-gradient is small in the mean",
        equation="",
        source="FMO Theorem H.1, with the noise of the difference",
        kind="upper",
        lhs=s.T,
        domain=(*BATCHES, hessian_free.DIFFERENCE, NOISE_FLOOR),
        versions={
            "published": Version(rate.ITERATIONS, {"K": K}, _UP_TO, rate.iterations(RATE_ROUTE, FLOOR)),
            "sharp": Version(rate.ITERATIONS, {"K": K_SHARP}, "ours: same floor", rate.iterations(RATE_ROUTE, FLOOR)),
        },
        box=BOX,
    ),
)
