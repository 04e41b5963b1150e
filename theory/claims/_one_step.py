"""One step of Algorithm 1 with the random step, from the lemmas of a method to the expected decrease of F.

All in units in which L = 1, with r = rho alpha, y = r E||g_i||, b = 1/B. The step is 1/(factor L~), L~ of mean about
4 + 2y. A method (MAML, FO-MAML, ...) and a route give kappa and the noise:

    E F(w_k) - E F(w_{k+1}) >= kappa m^2/(1 + r(sigma + m)) - step_noise,    m = E||grad F(w_k)||,

and step_noise <= (nu/4) N with N the sum of the method's noise sources, each times its share.

FMO (107) goes from pointwise to expected decrease by E min{A, B} >= min{E A, E B}, which is false; x^2/(c + d x) is
convex, and Jensen's inequality does the same without loss.
"""

from collections.abc import Mapping
from functools import cache

import sympy as sp

from theory import symbols as s
from theory.certify import Certificate, Replay
from theory.claim import Claim
from theory.claims import bias, moments, step_size
from theory.claims._method import EVEN, INNER, LEMMAS, OUTER, SIGMA, Method, Route, b, linear, r, y

phi = sp.Symbol("phi", nonnegative=True)
_CERTIFICATES: dict[tuple[str, str], Certificate] = {}
UNITS = {s.L: sp.Integer(1), s.rho: r / s.alpha, s.B: 1 / b, s.D_in: bias.ROOT**-2, s.D_o: bias.ROOT_OUT**-2}

MAML = Method(
    factor=12,
    edge={s.a: sp.Rational(1, 6), s.lam: sp.Rational(1, 2)},
    second={claim.id: claim for claim in moments.CLAIMS}["second-moment"],
    sources={"sigma": SIGMA, "out": OUTER, "in": INNER},
)
MAML_BIAS = linear(MAML, {"in": bias.SHARP["c"]}, {"in": sp.Integer(1)}, bias.first_branch)
FMO = Route(MAML, MAML_BIAS, "published", "published", "published", sp.Rational(1, 10), sp.Integer(1))


def per_step(eps: sp.Expr) -> sp.Expr:
    """What a step gains at ||grad F|| = eps, up to the constant: eps^2/(1 + r(sigma + eps))."""
    return eps**2 / (1 + r * s.sigma + r * eps)


def _certificate(claim: Claim, which: str) -> Certificate:
    key = claim.id, which
    if key not in _CERTIFICATES:
        _CERTIFICATES[key] = claim.certificate(which)
    return _CERTIFICATES[key]


def lemma(replay: Replay, claim: Claim, which: str) -> None:
    """Adds a claim proved apart, in units in which L = 1."""
    replay.use(claim.id, claim.slack(which).subs(UNITS), _certificate(claim, which))


def _sum(route: Route, constants: Mapping[str, sp.Expr]) -> sp.Expr:
    squares = {"F": s.grad_F**2} | {name: source.square for name, source in route.method.sources.items()}
    return sum(value * squares[name] for name, value in constants.items())


def _step_lemmas(replay: Replay, route: Route) -> None:
    """Adds the bounds on the step, the bias and both moments, with constants at the edge of the domain."""
    X, R, Y = s.grad_F, s.bias_norm, s.mean_G
    replay.define(y, r * s.mean_grad)
    smooth = LEMMAS["smoothness"]
    lemma(replay, smooth, route.smoothness)
    replay.define(s.smooth_k, route.smooth)
    for (name, value), edge in zip(smooth.versions[route.smoothness].constants.items(), route.lipschitz, strict=True):
        replay.check(f"L_k is a smoothness bound, {name}", edge - value)
    lemma(replay, LEMMAS["step-size-mean"], "sharp")
    lemma(replay, LEMMAS["step-size-moments"], route.step)
    replay.given("longest step", sp.Rational(1, 4) - s.step_mean, "definition", "L~ >= 4L")
    route.bias.prove(replay)
    replay.given("inner product", s.overlap - X**2 + X * R, "triangle", "E G = grad F + r and Cauchy-Schwarz")
    replay.given("law of cosines", s.overlap - (X**2 + Y**2 - R**2) / 2, "definition", "r = E G - grad F")
    replay.given("mean of the estimate", X + R - Y, "triangle")
    if route.tau is not None:
        replay.derive(
            "first moment",
            (1 + route.tau) * X**2 + (1 + 1 / route.tau) * R**2 - Y**2,
            {"mean of the estimate": X + R + Y},
            plus=[route.tau * (X - R / route.tau) ** 2],
        )
    claim = route.method.second
    lemma(replay, claim, route.second)
    constants = claim.versions[route.second].constants
    names = {"F": "cF"} | {name: source.constant for name, source in route.method.sources.items() if source.constant}
    room = [_sum(route, {name: route.moment[name] - constants[c]}) for name, c in names.items()]
    replay.derive("second moment", _sum(route, route.moment) - s.second_G, {claim.id: 1}, plus=room)


def _descend(replay: Replay, route: Route) -> None:
    """Adds "noise of a step": -F_step >= X^2 (forward/(4+2y) - curved L_k/(4+2y)^2) - step_noise."""
    X, R, Y, e1, e2 = s.grad_F, s.bias_norm, s.mean_G, s.step_mean, s.step_second
    eta, absorbing, factor = route.eta, route.absorbing, route.method.factor
    step = {s.beta_mean: e1 / factor, s.beta_second: e2 / factor**2}
    descent_slack = LEMMAS["expected-descent"].slack("sharp").subs(UNITS).subs(step)
    replay.use("expected-descent", descent_slack, _certificate(LEMMAS["expected-descent"], "sharp"))
    long, curve = 4 + 2 * y, s.smooth_k / (2 * factor**2)
    part = 1 - 2 * absorbing
    square = eta * (X - part * R / (2 * eta)) ** 2
    replay.derive("Young", eta * X**2 + part**2 * R**2 / (4 * eta) - part * X * R, {}, plus=[square])
    batch_mean = {name: route.batch_mean(name, b) for name in route.moment}
    aside = {name: value * route.on_bias / factor for name, value in route.bias.squares.items() if name != "F"}
    bent = route.quadratic * s.smooth_k / long**2
    gain = X**2 * (route.forward / long - bent * batch_mean["F"])
    rates = {name: aside.get(name, 0) / 4 + bent * batch_mean[name] for name in route.method.sources}
    by = {
        "expected-descent": 1,
        "inner product": part * e1 / factor,
        "law of cosines": 2 * absorbing * e1 / factor,
        "Young": e1 / factor,
        "bias squared": route.on_bias * e1 / factor,
        "step-size-mean": (route.kept * X**2 + absorbing * Y**2) / factor,
        "longest step": _sum(route, aside),
        "second moment": curve * e2 * b,
        "step-size-moments": curve * _sum(route, batch_mean),
    }
    absorbed = sp.Integer(0)
    if route.tau is None:
        by["step-size-moments"] += curve * (1 - b) * Y**2
        flat = absorbing * step_size.MEAN_CONSTANT / (factor * long) - bent * (1 - b)
        absorbed = flat.subs(s.smooth_k, route.smooth) * Y**2
    else:
        by["bias squared"] += curve * e2 * (1 - b) * (1 + 1 / route.tau)
        by["first moment"] = curve * e2 * (1 - b)
    replay.derive("one step", -s.F_step - gain + _sum(route, rates), by, plus=[absorbed])
    worst = {name: route.noise[name] / 4 * source.weight for name, source in route.method.sources.items()}
    fits = [_sum(route, {name: worst[name] - rates[name].subs(s.smooth_k, route.smooth)}) for name in rates]
    replay.derive("noise of a step", -s.F_step - gain + route.step_noise, {"one step": 1}, plus=fits)


def _gain(replay: Replay, route: Route) -> None:
    """Adds "pointwise": -F_step >= kappa phi - step_noise, phi = X^2/(1 + r(sigma + X))."""
    X, kappa, long, relation = s.grad_F, route.kappa, 4 + 2 * y, route.method.relation
    claim = LEMMAS["gradient-relation"]
    lemma(replay, claim, "published")
    constants = claim.versions["published"].constants
    replay.given("mean norm", s.grad_f + s.sigma - s.mean_grad, "task variance", "with the triangle inequality, Jensen")
    replay.derive(
        "E||g||",
        relation * (X + s.sigma) - s.mean_grad,
        {"gradient-relation": 1, "mean norm": 1},
        plus=[(relation - constants["cF"]) * X, (relation - 1 - constants["cs"]) * s.sigma],
    )
    gain = route.forward / long - route.quadratic * route.batch_mean("F", b) * route.smooth / long**2
    least = kappa / (1 + y / relation)
    replay.check("gain for every y", gain - least)
    c, d = 1 + r * s.sigma, r
    replay.define(phi, X**2 / (c + d * X))
    replay.derive(
        "pointwise",
        -s.F_step - kappa * phi + route.step_noise,
        {
            "noise of a step": 1,
            "gain for every y": X**2,
            "E||g||": kappa * X**2 * r / relation / ((1 + y / relation) * (c + d * X)),
        },
    )


@cache
def one_step(route: Route) -> Replay:
    """The steps up to "noise of a step"."""
    replay = Replay(route.method.box)
    _step_lemmas(replay, route)
    _descend(replay, route)
    return replay


@cache
def _drop(route: Route) -> Replay:
    """The steps up to "drop", the expected decrease by phi at the mean m; the same for every target and floor."""
    replay = Replay({})
    replay.adopt(one_step(route))
    _gain(replay, route)
    X, m, c, d = s.grad_F, s.mean_grad_F, 1 + r * s.sigma, r
    at_mean = per_step(m)
    tangent = at_mean + (2 * c * m + d * m**2) / (c + d * m) ** 2 * (X - m)
    replay.derive("convexity", phi - tangent, {}, plus=[c**2 * (X - m) ** 2 / ((c + d * X) * (c + d * m) ** 2)])
    kappa = route.kappa
    replay.derive("tangent", -s.F_step - kappa * tangent + route.step_noise, {"pointwise": 1, "convexity": kappa})
    replay.expect("drop", "tangent", {s.F_step: -s.F_drop, X: m})
    return replay


def above_floor(
    replay: Replay, route: Route, floor: sp.Expr, K: sp.Expr, eps: sp.Symbol, shares: Mapping[str, sp.Expr] = EVEN
) -> None:
    """Adds "decrease": E F(w_k) - E F(w_{k+1}) >= eps^2/(K (1 + r(sigma + eps))) for m >= eps above the floor."""
    replay.adopt(_drop(route))
    at_mean = per_step(s.mean_grad_F)
    m, c, d = s.mean_grad_F, 1 + r * s.sigma, r
    at_eps, N, nu = per_step(eps), route.N(shares), route.nu(shares)
    replay.given("not there yet", m - eps, "domain")
    replay.given("floor, root", eps**2 / floor - (1 + r * s.sigma) * N, "domain", f"{eps} is above the noise floor")
    replay.given("floor, linear", eps / floor - r * N, "domain", f"{eps} is above the noise floor")
    rise = (c * (m + eps) + d * m * eps) / ((c + d * m) * (c + d * eps))
    replay.derive("larger gradient", at_mean - at_eps, {"not there yet": rise})
    share = {"floor, root": 1 / (c + d * eps), "floor, linear": eps / (c + d * eps)}
    replay.derive("noise is paid", 2 * at_eps / floor - N, share)
    sources = route.method.sources.items()
    less = [(nu * shares.get(i, 1) - route.noise[i]) / 4 * source.weight * source.square for i, source in sources]
    replay.derive(
        "decrease",
        s.F_drop - at_eps / K,
        {"drop": 1, "larger gradient": route.kappa, "noise is paid": nu / 4},
        plus=[(1 / route.K(floor, shares) - 1 / K) * at_eps, *less],
    )


def telescope(replay: Replay, K: sp.Expr, eps: sp.Symbol) -> None:
    """From "decrease" to "sum": F(w_0) - E F(w_T) >= T eps^2/(K (1 + r(sigma + eps))), and "gap": at most Delta."""
    each = per_step(eps) / K
    total = sp.Symbol("sum_k drop_k", real=True)
    replay.given("telescope", s.F_drop_all - total, "definition", "the sum of E F(w_k) - E F(w_{k+1}) over k < T")
    replay.given("every step", total - s.T * each, "sum", 'the step "decrease" holds for every k < T')
    replay.derive("sum", s.F_drop_all - s.T * each, {"telescope": 1, "every step": 1})
    replay.given("gap", s.Delta - s.F_drop_all, "definition", "E F(w_T) >= inf F")
