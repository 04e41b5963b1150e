"""One step of Algorithm 1 with the published random step, from the lemmas to the expected decrease of F.

All in units in which L = 1, with r = rho alpha, y = r E||g_i||, b = 1/B. The step is 1/(12 L~), L~ of mean about
4 + 2y. A route chooses which lemmas enter and two Young weights; kappa and nu come out of it:

    E F(w_k) - E F(w_{k+1}) >= kappa m^2/(1 + r(sigma + m)) - (nu/4) N,    m = E||grad F(w_k)||.

FMO (107) goes from pointwise to expected decrease by E min{A, B} >= min{E A, E B}, which is false; x^2/(c + d x) is
convex, and Jensen's inequality does the same without loss.
"""

from dataclasses import dataclass
from functools import cache

import sympy as sp

from theory import domains
from theory import symbols as s
from theory.certify import Certificate, Replay
from theory.claim import Claim, filled
from theory.claims import bias, descent, gradient_relation, moments, smoothness, step_size

r, y, b, root = sp.symbols("rho*alpha y 1/B 1/sqrt(D_in)", nonnegative=True)
phi = sp.Symbol("phi", nonnegative=True)
BOX = {**domains.MOMENT_BOX, b: (sp.Integer(0), sp.Rational(1, 20))}
EDGE = {s.a: sp.Rational(1, 6), s.lam: sp.Rational(1, 2)}
RELATION = sp.sympify(gradient_relation.PUBLISHED["cF"]).subs(EDGE)
BIAS = bias.SHARP["c"].subs(EDGE)
N_IN, N_OUT = (s.sigma_tilde * bias.ROOT) ** 2, s.sigma_tilde**2 / s.D_o
N = b * s.sigma**2 + b * N_OUT + N_IN

_LEMMAS = {c.id: c for file in (smoothness, gradient_relation, moments, step_size, descent) for c in file.CLAIMS}
_UNITS = {s.L: sp.Integer(1), s.rho: r / s.alpha, s.B: 1 / b, s.D_in: bias.ROOT**-2}


@dataclass(frozen=True)
class Route:
    """Which version of each lemma a proof uses, and its Young weights: eta for the bias, tau for the first moment."""

    smoothness: str
    second: str
    step: str
    eta: sp.Rational
    tau: sp.Rational

    @property
    def lipschitz(self) -> tuple[sp.Expr, sp.Expr]:
        """The two constants of L_k, at the edge a = 1/6."""
        return tuple(
            sp.sympify(v).subs(EDGE) for v in _LEMMAS["smoothness"].versions[self.smoothness].constants.values()
        )

    @property
    def moment(self) -> dict[str, sp.Expr]:
        """The four constants of (8), at the edge."""
        constants = _LEMMAS["second-moment"].versions[self.second].constants
        return {name: sp.sympify(v).subs(EDGE) for name, v in constants.items()}

    @property
    def step_second(self) -> sp.Expr:
        """The constant of the second moment of the step."""
        return _LEMMAS["step-size-moments"].versions[self.step].constants["c"]

    @property
    def forward(self) -> sp.Expr:
        """(1 - eta) 0.8/12."""
        return (1 - self.eta) * step_size.MEAN_CONSTANT / 12

    def curved(self, at_b: sp.Expr) -> sp.Expr:
        """What multiplies ||grad F||^2 in E||mean of G||^2, times z2/288."""
        return self.step_second / 288 * ((1 - at_b) * (1 + self.tau) + at_b * self.moment["cF"])

    @property
    def kappa(self) -> sp.Expr:
        """Decrease per ||grad F||^2/(1 + r(sigma + ||grad F||)): at y = 0 or as y grows, for the worst b."""
        cL, cg = self.lipschitz
        ends = [self.curved(sp.sympify(end)) for end in BOX[b]]
        flat = [self.forward / 4 - w * cL / 16 for w in ends]
        steep = [(self.forward / 2 - w * cg / 4) / RELATION for w in ends]
        return min(flat + steep)

    @property
    def noise(self) -> dict[str, sp.Expr]:
        """Four times what multiplies b sigma^2, b sigma_tilde^2/D_o and sigma_tilde^2/D_in, for the worst y and b."""
        cL, cg = self.lipschitz
        curvature = self.step_second / 288 * max(cL / 4, cg / 2)
        m, first = self.moment, BIAS**2 * (1 + 1 / self.tau)
        inner = max((1 - end) * first + end * m["ci"] for end in BOX[b])
        return {
            "sigma": curvature * m["cs"],
            "out": curvature * m["co"],
            "in": BIAS**2 / (48 * self.eta) + curvature * inner,
        }

    @property
    def nu(self) -> sp.Expr:
        """The largest of the three."""
        return max(self.noise.values())

    def K(self, floor: sp.Expr) -> sp.Expr:
        """The constant of (14) if eps is above the floor with this constant."""
        return 1 / (self.kappa - self.nu / (2 * floor))


def per_step(eps: sp.Expr) -> sp.Expr:
    """What a step gains at ||grad F|| = eps, up to the constant: eps^2/(1 + r(sigma + eps))."""
    return eps**2 / (1 + r * s.sigma + r * eps)


FMO = Route("published", "published", "published", sp.Rational(1, 10), sp.Integer(1))


@cache
def _certificate(claim_id: str, which: str) -> Certificate:
    return _LEMMAS[claim_id].certificate(which)


def _lemma(replay: Replay, claim_id: str, which: str) -> Claim:
    claim = _LEMMAS[claim_id]
    replay.use(claim_id, claim.slack(which).subs(_UNITS), _certificate(claim_id, which))
    return claim


def _step_lemmas(replay: Replay, route: Route) -> None:
    """Adds the bounds on the step, the bias and both moments, with constants at the edge of the domain."""
    X, R, Y, n = s.grad_F, s.bias_norm, s.mean_G, s.sigma_tilde * bias.ROOT
    replay.define(y, r * s.mean_grad)
    _lemma(replay, "smoothness", route.smoothness)
    cL, cg = route.lipschitz
    replay.define(s.smooth_k, cL + cg * y)
    for name, edge in zip(("cL", "cg"), route.lipschitz, strict=True):
        constant = _LEMMAS["smoothness"].versions[route.smoothness].constants[name]
        replay.check(f"L_k is a smoothness bound, {name}", edge - constant)
    _lemma(replay, "step-size-mean", "sharp")
    _lemma(replay, "step-size-moments", route.step)
    replay.given("longest step", sp.Rational(1, 4) - s.step_mean, "definition", "L~ >= 4L")
    bias.first_branch(replay)
    edge = sp.Symbol("B0", nonnegative=True)
    replay.define(edge, BIAS * n)
    replay.derive("bias at the edge", edge - R, {"bias": 1}, plus=[(BIAS - bias.SHARP["c"]) * n])
    replay.derive("bias squared", BIAS**2 * n**2 - R**2, {"bias at the edge": BIAS * n + R})
    replay.given("inner product", s.overlap - X**2 + X * R, "triangle", "E G = grad F + r and Cauchy-Schwarz")
    replay.given("mean of the estimate", X + R - Y, "triangle")
    replay.derive(
        "first moment",
        (1 + route.tau) * X**2 + (1 + 1 / route.tau) * R**2 - Y**2,
        {"mean of the estimate": X + R + Y},
        plus=[route.tau * (X - R / route.tau) ** 2],
    )
    claim = _lemma(replay, "second-moment", route.second)
    terms = {"cF": X**2, "cs": s.sigma**2, "co": N_OUT, "ci": n**2}
    room = [(route.moment[k] - claim.versions[route.second].constants[k]) * term for k, term in terms.items()]
    slack = filled(moments.SECOND, route.moment).subs(_UNITS) - s.second_G
    replay.derive("second moment", slack, {"second-moment": 1}, plus=room)


def _descend(replay: Replay, route: Route) -> None:
    """Adds "one step": -F_step >= X^2 (forward/(4+2y) - curved L_k/(4+2y)^2) - noise."""
    X, R, e1, e2 = s.grad_F, s.bias_norm, s.step_mean, s.step_second
    eta, tau, m, z2 = route.eta, route.tau, route.moment, route.step_second
    step = {s.beta_mean: e1 / 12, s.beta_second: e2 / 144}
    descent_slack = _LEMMAS["expected-descent"].slack("sharp").subs(_UNITS).subs(step)
    replay.use("expected-descent", descent_slack, _certificate("expected-descent", "sharp"))
    long, curve = 4 + 2 * y, s.smooth_k / 288
    first = (1 + tau) * X**2 + (1 + 1 / tau) * R**2
    second = m["cF"] * X**2 + m["cs"] * s.sigma**2 + m["co"] * N_OUT + m["ci"] * N_IN
    size = (1 - b) * first + b * second
    on_bias = 1 / (192 * eta) + curve * z2 / long**2 * (1 - b) * (1 + 1 / tau)
    replay.derive("Young", eta * X**2 + R**2 / (4 * eta) - X * R, {}, plus=[eta * (X - R / (2 * eta)) ** 2])
    gain = X**2 * (route.forward / long - route.curved(b) * s.smooth_k / long**2)
    noise = on_bias * BIAS**2 * N_IN + curve * z2 / long**2 * b * (second - m["cF"] * X**2)
    replay.derive(
        "one step",
        -s.F_step - gain + noise,
        {
            "expected-descent": 1,
            "inner product": e1 / 12,
            "Young": e1 / 12,
            "step-size-mean": (1 - eta) / 12 * X**2,
            "longest step": R**2 / (48 * eta),
            "first moment": curve * e2 * (1 - b),
            "second moment": curve * e2 * b,
            "step-size-moments": curve * size,
            "bias squared": on_bias,
        },
    )
    rates = {
        "sigma": (b * s.sigma**2, curve * z2 / long**2 * m["cs"]),
        "out": (b * N_OUT, curve * z2 / long**2 * m["co"]),
        "in": (N_IN, on_bias * BIAS**2 + curve * z2 / long**2 * b * m["ci"]),
    }
    fits = [(route.nu / 4 - rate.subs(s.smooth_k, sum_of(route))) * term for term, rate in rates.values()]
    replay.derive("noise of a step", -s.F_step - gain + route.nu / 4 * N, {"one step": 1}, plus=fits)


def sum_of(route: Route) -> sp.Expr:
    """L_k in terms of y."""
    cL, cg = route.lipschitz
    return cL + cg * y


def _gain(replay: Replay, route: Route) -> None:
    """Adds "pointwise": -F_step >= kappa phi - (nu/4) N, phi = X^2/(1 + r(sigma + X))."""
    X, kappa, long = s.grad_F, route.kappa, 4 + 2 * y
    claim = _lemma(replay, "gradient-relation", "published")
    constants = claim.versions["published"].constants
    replay.given("mean norm", s.grad_f + s.sigma - s.mean_grad, "task variance", "with the triangle inequality, Jensen")
    replay.derive(
        "E||g||",
        RELATION * (X + s.sigma) - s.mean_grad,
        {"gradient-relation": 1, "mean norm": 1},
        plus=[(RELATION - constants["cF"]) * X, (RELATION - 1 - constants["cs"]) * s.sigma],
    )
    gain = route.forward / long - route.curved(b) * sum_of(route) / long**2
    least = kappa / (1 + y / RELATION)
    replay.check("gain for every y", gain - least)
    c, d = 1 + r * s.sigma, r
    replay.define(phi, X**2 / (c + d * X))
    replay.derive(
        "pointwise",
        -s.F_step - kappa * phi + route.nu / 4 * N,
        {
            "noise of a step": 1,
            "gain for every y": X**2,
            "E||g||": kappa * X**2 * r / RELATION / ((1 + y / RELATION) * (c + d * X)),
        },
    )


@cache
def _drop(route: Route) -> Replay:
    """The steps up to "drop", the expected decrease by phi at the mean m; the same for every target and floor."""
    replay = Replay(BOX)
    _step_lemmas(replay, route)
    _descend(replay, route)
    _gain(replay, route)
    X, m, c, d = s.grad_F, s.mean_grad_F, 1 + r * s.sigma, r
    at_mean = per_step(m)
    tangent = at_mean + (2 * c * m + d * m**2) / (c + d * m) ** 2 * (X - m)
    replay.derive("convexity", phi - tangent, {}, plus=[c**2 * (X - m) ** 2 / ((c + d * X) * (c + d * m) ** 2)])
    kappa, nu = route.kappa, route.nu
    replay.derive("tangent", -s.F_step - kappa * tangent + nu / 4 * N, {"pointwise": 1, "convexity": kappa})
    replay.expect("drop", "tangent", {s.F_step: -s.F_drop, X: m})
    return replay


def above_floor(replay: Replay, route: Route, floor: sp.Expr, K: sp.Expr, eps: sp.Symbol) -> None:
    """Adds "decrease": E F(w_k) - E F(w_{k+1}) >= eps^2/(K (1 + r(sigma + eps))) for m >= eps above the floor."""
    replay.adopt(_drop(route))
    at_mean = per_step(s.mean_grad_F)
    m, c, d = s.mean_grad_F, 1 + r * s.sigma, r
    at_eps = per_step(eps)
    replay.given("not there yet", m - eps, "domain")
    replay.given("floor, root", eps**2 / floor - (1 + r * s.sigma) * N, "domain", f"{eps} is above the noise floor")
    replay.given("floor, linear", eps / floor - r * N, "domain", f"{eps} is above the noise floor")
    rise = (c * (m + eps) + d * m * eps) / ((c + d * m) * (c + d * eps))
    replay.derive("larger gradient", at_mean - at_eps, {"not there yet": rise})
    share = {"floor, root": 1 / (c + d * eps), "floor, linear": eps / (c + d * eps)}
    replay.derive("noise is paid", 2 * at_eps / floor - N, share)
    replay.derive(
        "decrease",
        s.F_drop - at_eps / K,
        {"drop": 1, "larger gradient": route.kappa, "noise is paid": route.nu / 4},
        plus=[(1 / route.K(floor) - 1 / K) * at_eps],
    )


def telescope(replay: Replay, K: sp.Expr, eps: sp.Symbol) -> None:
    """From "decrease" to "sum": F(w_0) - E F(w_T) >= T eps^2/(K (1 + r(sigma + eps))), and "gap": at most Delta."""
    each = per_step(eps) / K
    total = sp.Symbol("sum_k drop_k", real=True)
    replay.given("telescope", s.F_drop_all - total, "definition", "the sum of E F(w_k) - E F(w_{k+1}) over k < T")
    replay.given("every step", total - s.T * each, "sum", 'the step "decrease" holds for every k < T')
    replay.derive("sum", s.F_drop_all - s.T * each, {"telescope": 1, "every step": 1})
    replay.given("gap", s.Delta - s.F_drop_all, "definition", "E F(w_T) >= inf F")
