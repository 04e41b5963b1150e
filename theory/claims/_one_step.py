"""One step of Algorithm 1 with the random step, from the lemmas of a method to the expected decrease of F.

All in units in which L = 1, with r = rho alpha, y = r E||g_i||, b = 1/B. The step is 1/(factor L~), L~ of mean about
4 + 2y. A method (MAML, FO-MAML, ...) brings its second moment and a bound on the square of its bias; a route chooses
which lemmas enter and two Young weights; kappa and nu come out of it:

    E F(w_k) - E F(w_{k+1}) >= kappa m^2/(1 + r(sigma + m)) - (nu/4) N,    m = E||grad F(w_k)||,

N the sum of the method's noise sources, each with its share of the floor.

FMO (107) goes from pointwise to expected decrease by E min{A, B} >= min{E A, E B}, which is false; x^2/(c + d x) is
convex, and Jensen's inequality does the same without loss.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations

import sympy as sp

from theory import symbols as s
from theory.certify import Certificate, Replay
from theory.claim import Claim
from theory.claims import bias, descent, gradient_relation, moments, smoothness, step_size

r, y, b, phi = sp.symbols("rho*alpha y 1/B phi", nonnegative=True)
TASK_RANGE = (sp.Integer(0), sp.Rational(1, 20))

_LEMMAS = {c.id: c for file in (smoothness, gradient_relation, step_size, descent) for c in file.CLAIMS}
_CERTIFICATES: dict[tuple[str, str], Certificate] = {}
_UNITS = {s.L: sp.Integer(1), s.rho: r / s.alpha, s.B: 1 / b, s.D_in: bias.ROOT**-2}


@dataclass(frozen=True)
class Source:
    """A norm in which noise is measured; a batch of B tasks divides its square by B, unless the bias carries it.

    `constant` is its name among the constants of the second moment, "" if it is not there.
    """

    norm: sp.Expr
    constant: str = ""
    batched: bool = False

    @property
    def square(self) -> sp.Expr:
        """Its square."""
        return self.norm**2

    @property
    def weight(self) -> sp.Expr:
        """1/B or 1."""
        return b if self.batched else sp.Integer(1)


SIGMA = Source(s.sigma, "cs", batched=True)
OUTER = Source(s.sigma_tilde / sp.sqrt(s.D_o), "co", batched=True)
INNER = Source(s.sigma_tilde * bias.ROOT, "ci")


@dataclass(frozen=True, eq=False)
class Method:
    """What a step needs to know of a method.

    Args:
        factor: the step is 1/(factor L~).
        edge: a, and lam where it enters, at the edge of the domain, where all constants are largest.
        second: the claim that bounds E||G||^2, with the constants cF and those of the sources.
        sources: the noise sources by name; those the bias carries are not batched.
    """

    factor: int
    edge: Mapping[sp.Symbol, sp.Expr]
    second: Claim
    sources: Mapping[str, Source]

    @property
    def box(self) -> dict[sp.Symbol, tuple[sp.Expr, sp.Expr]]:
        """The domain: a, lam and 1/B."""
        return {**{symbol: (sp.Integer(0), end) for symbol, end in self.edge.items()}, b: TASK_RANGE}

    @property
    def relation(self) -> sp.Expr:
        """C1 at the edge: E||g_i|| <= C1 (||grad F|| + sigma)."""
        return self.at_edge(gradient_relation.PUBLISHED["cF"])

    def at_edge(self, value: sp.Expr) -> sp.Expr:
        """A constant at the edge of the domain."""
        return sp.sympify(value).subs(self.edge)


@dataclass(frozen=True, eq=False)
class Bias:
    """||r||^2 <= squares["F"] ||grad F||^2 + sum over sources; `prove` adds it as the step "bias squared"."""

    squares: Mapping[str, sp.Expr]
    prove: Callable[[Replay], None]


@dataclass(frozen=True, eq=False)
class Route:
    """Which version of each lemma a proof uses, and its Young weights: eta for the bias, tau for the first moment.

    `shares` says how many times a source counts in the noise N; 1 where it says nothing.
    """

    method: Method
    bias: Bias
    smoothness: str
    second: str
    step: str
    eta: sp.Rational
    tau: sp.Rational
    shares: Mapping[str, sp.Expr] = field(default_factory=dict)

    @property
    def lipschitz(self) -> tuple[sp.Expr, sp.Expr]:
        """The two constants of L_k, at the edge."""
        constants = _LEMMAS["smoothness"].versions[self.smoothness].constants
        return tuple(self.method.at_edge(value) for value in constants.values())

    @property
    def smooth(self) -> sp.Expr:
        """L_k in terms of y."""
        cL, cg = self.lipschitz
        return cL + cg * y

    @property
    def moment(self) -> dict[str, sp.Expr]:
        """What bounds E||G||^2 at the edge: the factor of ||grad F||^2 and of each source."""
        constants = self.method.second.versions[self.second].constants
        names = {"F": "cF"} | {name: source.constant for name, source in self.method.sources.items()}
        return {name: self.method.at_edge(constants[c]) if c else sp.Integer(0) for name, c in names.items()}

    @property
    def first(self) -> dict[str, sp.Expr]:
        """What bounds ||E G||^2 likewise."""
        own = {name: (1 + 1 / self.tau) * self._bias(name) for name in self.moment}
        return own | {"F": own["F"] + 1 + self.tau}

    def _bias(self, name: str) -> sp.Expr:
        return self.bias.squares.get(name, sp.Integer(0))

    @property
    def step_second(self) -> sp.Expr:
        """The constant of the second moment of the step."""
        return _LEMMAS["step-size-moments"].versions[self.step].constants["c"]

    @property
    def kept(self) -> sp.Expr:
        """<grad F, E G> >= kept ||grad F||^2 - noise."""
        return 1 - self.eta - self._bias("F") / (4 * self.eta)

    @property
    def forward(self) -> sp.Expr:
        """kept 0.8/factor."""
        return self.kept * step_size.MEAN_CONSTANT / self.method.factor

    @property
    def quadratic(self) -> sp.Expr:
        """z2/(2 factor^2)."""
        return self.step_second / (2 * self.method.factor**2)

    def batch_mean(self, name: str, at_b: sp.Expr) -> sp.Expr:
        """What multiplies ||grad F||^2, or a source, in E||mean of G over the batch||^2."""
        return (1 - at_b) * self.first[name] + at_b * self.moment[name]

    @property
    def kappa(self) -> sp.Expr:
        """Decrease per ||grad F||^2/(1 + r(sigma + ||grad F||)): at y = 0 or as y grows, for the worst b."""
        cL, cg = self.lipschitz
        curved = max(self.quadratic * self.batch_mean("F", end) for end in TASK_RANGE)
        return min(self.forward / 4 - curved * cL / 16, (self.forward / 2 - curved * cg / 4) / self.method.relation)

    @property
    def noise(self) -> dict[str, sp.Expr]:
        """Four times what multiplies each source (over B if batched), for the worst y and b."""
        cL, cg = self.lipschitz
        curvature = 4 * self.quadratic * max(cL / 16, cg / 8)
        found = {}
        for name, source in self.method.sources.items():
            if source.batched:
                found[name] = curvature * self.moment[name]
            else:
                worst = max(self.batch_mean(name, end) for end in TASK_RANGE)
                found[name] = self._bias(name) / (4 * self.method.factor * self.eta) + curvature * worst
        return found

    def share(self, name: str) -> sp.Expr:
        """How many times the source counts in N."""
        return self.shares.get(name, sp.Integer(1))

    @property
    def nu(self) -> sp.Expr:
        """The largest noise per share."""
        return max(value / self.share(name) for name, value in self.noise.items())

    @property
    def N(self) -> sp.Expr:
        """The noise that the floor measures."""
        return sum(self.share(name) * source.weight * source.square for name, source in self.method.sources.items())

    def K(self, floor: sp.Expr) -> sp.Expr:
        """The constant of (14) if eps is above the floor with this constant."""
        return 1 / (self.kappa - self.nu / (2 * floor))


def per_step(eps: sp.Expr) -> sp.Expr:
    """What a step gains at ||grad F|| = eps, up to the constant: eps^2/(1 + r(sigma + eps))."""
    return eps**2 / (1 + r * s.sigma + r * eps)


def linear(
    method: Method, constants: Mapping[str, sp.Expr], weights: Mapping[str, sp.Expr], prove: Callable[[Replay], None]
) -> Bias:
    """The square of a bound ||r|| <= sum of constant * norm, by Cauchy and Schwarz with weights of sum 1.

    Args:
        method: whose bias it is.
        constants: of ||grad F|| ("F") and of the norm of each source the bias carries, functions of a.
        weights: the larger a weight, the smaller what its term becomes: (constant * norm)^2/weight.
        prove: adds the linear bound as the step "bias".
    """
    edge = {name: method.at_edge(value) for name, value in constants.items()}
    norms = {"F": s.grad_F} | {name: source.norm for name, source in method.sources.items()}

    def squared(replay: Replay) -> None:
        prove(replay)
        parts = {name: value * norms[name] for name, value in edge.items()}
        more = [(edge[name] - value) * norms[name] for name, value in constants.items()]
        replay.derive("bias at the edge", sum(parts.values()) - s.bias_norm, {"bias": 1}, plus=more)
        replay.derive(
            "bias squared",
            sum(part**2 / weights[name] for name, part in parts.items()) - s.bias_norm**2,
            {"bias at the edge": sum(parts.values()) + s.bias_norm},
            plus=[
                weights[i] * weights[j] * (parts[i] / weights[i] - parts[j] / weights[j]) ** 2
                for i, j in combinations(parts, 2)
            ],
        )

    return Bias({name: value**2 / weights[name] for name, value in edge.items()}, squared)


MAML = Method(
    factor=12,
    edge={s.a: sp.Rational(1, 6), s.lam: sp.Rational(1, 2)},
    second={claim.id: claim for claim in moments.CLAIMS}["second-moment"],
    sources={"sigma": SIGMA, "out": OUTER, "in": INNER},
)
MAML_BIAS = linear(MAML, {"in": bias.SHARP["c"]}, {"in": sp.Integer(1)}, bias.first_branch)
FMO = Route(MAML, MAML_BIAS, "published", "published", "published", sp.Rational(1, 10), sp.Integer(1))
SHARP = Route(MAML, MAML_BIAS, "sharp", "sharper", "sharp", sp.Rational(1, 50), sp.Rational(1, 20))


def _certificate(claim: Claim, which: str) -> Certificate:
    key = claim.id, which
    if key not in _CERTIFICATES:
        _CERTIFICATES[key] = claim.certificate(which)
    return _CERTIFICATES[key]


def _lemma(replay: Replay, claim: Claim, which: str) -> None:
    replay.use(claim.id, claim.slack(which).subs(_UNITS), _certificate(claim, which))


def _sum(route: Route, constants: Mapping[str, sp.Expr]) -> sp.Expr:
    squares = {"F": s.grad_F**2} | {name: source.square for name, source in route.method.sources.items()}
    return sum(value * squares[name] for name, value in constants.items())


def _step_lemmas(replay: Replay, route: Route) -> None:
    """Adds the bounds on the step, the bias and both moments, with constants at the edge of the domain."""
    X, R, Y, tau = s.grad_F, s.bias_norm, s.mean_G, route.tau
    replay.define(y, r * s.mean_grad)
    smooth = _LEMMAS["smoothness"]
    _lemma(replay, smooth, route.smoothness)
    replay.define(s.smooth_k, route.smooth)
    for (name, value), edge in zip(smooth.versions[route.smoothness].constants.items(), route.lipschitz, strict=True):
        replay.check(f"L_k is a smoothness bound, {name}", edge - value)
    _lemma(replay, _LEMMAS["step-size-mean"], "sharp")
    _lemma(replay, _LEMMAS["step-size-moments"], route.step)
    replay.given("longest step", sp.Rational(1, 4) - s.step_mean, "definition", "L~ >= 4L")
    route.bias.prove(replay)
    replay.given("inner product", s.overlap - X**2 + X * R, "triangle", "E G = grad F + r and Cauchy-Schwarz")
    replay.given("mean of the estimate", X + R - Y, "triangle")
    replay.derive(
        "first moment",
        (1 + tau) * X**2 + (1 + 1 / tau) * R**2 - Y**2,
        {"mean of the estimate": X + R + Y},
        plus=[tau * (X - R / tau) ** 2],
    )
    claim = route.method.second
    _lemma(replay, claim, route.second)
    constants = claim.versions[route.second].constants
    names = {"F": "cF"} | {name: source.constant for name, source in route.method.sources.items() if source.constant}
    room = [_sum(route, {name: route.moment[name] - constants[c]}) for name, c in names.items()]
    replay.derive("second moment", _sum(route, route.moment) - s.second_G, {claim.id: 1}, plus=room)


def _descend(replay: Replay, route: Route) -> None:
    """Adds "noise of a step": -F_step >= X^2 (forward/(4+2y) - curved L_k/(4+2y)^2) - (nu/4) N."""
    X, R, e1, e2 = s.grad_F, s.bias_norm, s.step_mean, s.step_second
    eta, tau, factor = route.eta, route.tau, route.method.factor
    step = {s.beta_mean: e1 / factor, s.beta_second: e2 / factor**2}
    descent_slack = _LEMMAS["expected-descent"].slack("sharp").subs(_UNITS).subs(step)
    replay.use("expected-descent", descent_slack, _certificate(_LEMMAS["expected-descent"], "sharp"))
    long, curve = 4 + 2 * y, s.smooth_k / (2 * factor**2)
    replay.derive("Young", eta * X**2 + R**2 / (4 * eta) - X * R, {}, plus=[eta * (X - R / (2 * eta)) ** 2])
    batch_mean = {name: route.batch_mean(name, b) for name in route.moment}
    aside = {name: value / (4 * eta * factor) for name, value in route.bias.squares.items() if name != "F"}
    bent = route.quadratic * s.smooth_k / long**2
    gain = X**2 * (route.forward / long - bent * batch_mean["F"])
    rates = {name: aside.get(name, 0) / 4 + bent * batch_mean[name] for name in route.method.sources}
    replay.derive(
        "one step",
        -s.F_step - gain + _sum(route, rates),
        {
            "expected-descent": 1,
            "inner product": e1 / factor,
            "Young": e1 / factor,
            "bias squared": e1 / (4 * eta * factor) + curve * e2 * (1 - b) * (1 + 1 / tau),
            "step-size-mean": route.kept / factor * X**2,
            "longest step": _sum(route, aside),
            "first moment": curve * e2 * (1 - b),
            "second moment": curve * e2 * b,
            "step-size-moments": curve * _sum(route, batch_mean),
        },
    )
    paid = {name: route.nu / 4 * route.share(name) * route.method.sources[name].weight for name in rates}
    fits = [_sum(route, {name: paid[name] - rates[name].subs(s.smooth_k, route.smooth)}) for name in rates]
    replay.derive("noise of a step", -s.F_step - gain + route.nu / 4 * route.N, {"one step": 1}, plus=fits)


def _gain(replay: Replay, route: Route) -> None:
    """Adds "pointwise": -F_step >= kappa phi - (nu/4) N, phi = X^2/(1 + r(sigma + X))."""
    X, kappa, long, relation = s.grad_F, route.kappa, 4 + 2 * y, route.method.relation
    claim = _LEMMAS["gradient-relation"]
    _lemma(replay, claim, "published")
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
        -s.F_step - kappa * phi + route.nu / 4 * route.N,
        {
            "noise of a step": 1,
            "gain for every y": X**2,
            "E||g||": kappa * X**2 * r / relation / ((1 + y / relation) * (c + d * X)),
        },
    )


@cache
def _drop(route: Route) -> Replay:
    """The steps up to "drop", the expected decrease by phi at the mean m; the same for every target and floor."""
    replay = Replay(route.method.box)
    _step_lemmas(replay, route)
    _descend(replay, route)
    _gain(replay, route)
    X, m, c, d = s.grad_F, s.mean_grad_F, 1 + r * s.sigma, r
    at_mean = per_step(m)
    tangent = at_mean + (2 * c * m + d * m**2) / (c + d * m) ** 2 * (X - m)
    replay.derive("convexity", phi - tangent, {}, plus=[c**2 * (X - m) ** 2 / ((c + d * X) * (c + d * m) ** 2)])
    kappa, noise = route.kappa, route.nu / 4 * route.N
    replay.derive("tangent", -s.F_step - kappa * tangent + noise, {"pointwise": 1, "convexity": kappa})
    replay.expect("drop", "tangent", {s.F_step: -s.F_drop, X: m})
    return replay


def above_floor(replay: Replay, route: Route, floor: sp.Expr, K: sp.Expr, eps: sp.Symbol) -> None:
    """Adds "decrease": E F(w_k) - E F(w_{k+1}) >= eps^2/(K (1 + r(sigma + eps))) for m >= eps above the floor."""
    replay.adopt(_drop(route))
    at_mean = per_step(s.mean_grad_F)
    m, c, d = s.mean_grad_F, 1 + r * s.sigma, r
    at_eps = per_step(eps)
    replay.given("not there yet", m - eps, "domain")
    above = f"{eps} is above the noise floor"
    replay.given("floor, root", eps**2 / floor - (1 + r * s.sigma) * route.N, "domain", above)
    replay.given("floor, linear", eps / floor - r * route.N, "domain", above)
    rise = (c * (m + eps) + d * m * eps) / ((c + d * m) * (c + d * eps))
    replay.derive("larger gradient", at_mean - at_eps, {"not there yet": rise})
    share = {"floor, root": 1 / (c + d * eps), "floor, linear": eps / (c + d * eps)}
    replay.derive("noise is paid", 2 * at_eps / floor - route.N, share)
    replay.derive(
        "decrease",
        s.F_drop - at_eps / K,
        {"drop": 1, "larger gradient": route.kappa, "noise is paid": route.nu / 4},
        plus=[(1 / route.K(floor) - 1 / K) * at_eps],
    )


def telescope(replay: Replay, route: Route, floor: sp.Expr, K: sp.Expr, eps: sp.Symbol) -> None:
    """Adds "sum": F(w_0) - E F(w_T) >= T eps^2/(K (1 + r(sigma + eps))), and "gap": at most Delta."""
    above_floor(replay, route, floor, K, eps)
    each = per_step(eps) / K
    total = sp.Symbol("sum_k drop_k", real=True)
    replay.given("telescope", s.F_drop_all - total, "definition", "the sum of E F(w_k) - E F(w_{k+1}) over k < T")
    replay.given("every step", total - s.T * each, "sum", 'the step "decrease" holds for every k < T')
    replay.derive("sum", s.F_drop_all - s.T * each, {"telescope": 1, "every step": 1})
    replay.given("gap", s.Delta - s.F_drop_all, "definition", "E F(w_T) >= inf F")
