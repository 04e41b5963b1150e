"""What is behind FO-MAML's claims: how far h_i, the adapted gradient it takes, lies from the meta-gradient.

G_i = h~_i, so E G = E h_i + e with ||e|| <= a sigma_tilde/sqrt(D_in), and grad F = E h_i - alpha E H_i h_i. In norms,
with Z = ||alpha E H_i h_i||/a:

    | ||grad F|| - ||E h_i|| | <= a Z,    Z^2 <= E||h_i||^2,    ||E G - grad F|| <= a Z + a sigma_tilde/sqrt(D_in).

FMO bounds E||h_i||^2 through E||grad F_i||^2/(1 - a)^2. Here it is taken from the S-procedure: h_i = g_i + a u_i with
||u_i|| <= ||g_i||, so means and deviations of g, u, h obey two quadratic forms, and for any multiplier s > a^2

    E||h_i||^2 <= (1 + s/(1 - a^2)) ||E h_i||^2 + (1 + s + a^2/(s - a^2)) sigma^2.

With s = a + a^2 the factors are 1/(1 - a) and (1 + a)^2, and at E h_i = 0 nothing can be gained.
"""

import sympy as sp

from theory import symbols as s
from theory.certify import Replay
from theory.claims.bias import ROOT
from theory.claims.moments import h2

H, Z = sp.symbols("||E(h_i)||, ||alpha*E(H_i*h_i)||/a", nonnegative=True)
NOISE = s.sigma_tilde * ROOT
BEST = s.a + s.a**2
_KAPPA = 1 / (1 - s.a**2)
_over = sp.Symbol("s-a^2", nonnegative=True)


def facts(replay: Replay) -> None:
    """Adds how ||grad F||, ||E h_i||, ||E G|| and the bias hang together."""
    e, inner = sp.symbols("||E(h~_i-h_i)|| E||g~_i-g_i||", nonnegative=True)
    replay.given("h from grad F", s.grad_F + s.a * Z - H, "triangle", "E h_i = grad F + alpha E H_i h_i")
    replay.given("grad F from h", H + s.a * Z - s.grad_F, "triangle")
    replay.given("curvature", h2 - Z**2, "smoothness", "||H_i h_i|| <= L ||h_i||, with Jensen")
    replay.given("bias split", s.a * Z + e - s.bias_norm, "triangle", "E G - grad F = alpha E H_i h_i + E(h~_i - h_i)")
    replay.given("mean of G", H + e - s.mean_G, "triangle")
    replay.given("h from G", s.mean_G + e - H, "triangle")
    replay.given("shift", s.a * inner - e, "smoothness", "||h~_i - h_i|| <= L alpha ||g~_i - g_i||")
    replay.given("inner noise", NOISE - inner, "sample variance", "with Jensen")
    by = {"shift": 1, "inner noise": s.a}
    replay.derive("bias", s.a * (Z + NOISE) - s.bias_norm, {"bias split": 1, **by})
    replay.derive("G from h", H + s.a * NOISE - s.mean_G, {"mean of G": 1, **by})
    replay.derive("h from G without noise", s.mean_G + s.a * NOISE - H, {"h from G": 1, **by})


def factors(weight: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """What multiplies ||E h_i||^2 and sigma^2 in the bound on E||h_i||^2, for a multiplier s > a^2."""
    return 1 + weight * _KAPPA, sp.cancel(1 + weight + s.a**2 / (weight - s.a**2))


def adapted(replay: Replay, weight: sp.Expr = BEST) -> None:
    """Adds "adapted gradients": the bound on E||h_i||^2 by ||E h_i||^2 and sigma^2."""
    a, (mean, spread) = s.a, factors(weight)
    g, u, h = sp.symbols("g u h", real=True)
    replay.define(g, h - a * u)
    over = sp.cancel(weight - a**2)
    replay.derive(
        "deviations", spread * g**2 - h**2 - weight * (g**2 - u**2), {}, plus=[(over * u - a * g) ** 2 / over]
    )
    by_means = [weight * (1 - a**2) * (u + a * _KAPPA * h) ** 2]
    replay.derive("means", (mean - 1) * h**2 - weight * (g**2 - u**2), {}, plus=by_means)
    spreads = {x: sp.Symbol(f"E||{x}-E{x}||^2", nonnegative=True) for x in (g, u, h)}
    squares = {x: sp.Symbol(f"||E{x}||^2", nonnegative=True) for x in (g, u)} | {h: H**2}
    replay.expect("deviations, all coordinates and tasks", "deviations", {x**2: spreads[x] for x in spreads})
    replay.expect("means, all coordinates", "means", {x**2: squares[x] for x in squares})
    total = {x: squares[x] + spreads[x] for x in (g, u)}
    replay.given("inner factor", total[g] - total[u], "smoothness", "h_i = g_i + a u_i with ||u_i|| <= ||g_i||")
    replay.given("task spread", s.sigma**2 - spreads[g], "task variance")
    replay.given("h in parts", H**2 + spreads[h] - h2, "definition", "E||h||^2 = ||E h||^2 + E||h - E h||^2")
    replay.derive(
        "adapted gradients",
        mean * H**2 + spread * s.sigma**2 - h2,
        {
            "deviations, all coordinates and tasks": 1,
            "means, all coordinates": 1,
            "inner factor": weight,
            "task spread": spread,
            "h in parts": 1,
        },
    )


def adapted_constants(zeta: sp.Expr) -> dict[str, sp.Expr]:
    """What bounds E||h_i||^2 by ||grad F||^2 and sigma^2, for the Young weight zeta."""
    mean, spread = factors(BEST)
    left = 1 - mean * (1 + 1 / zeta) * s.a**2
    return {name: sp.factor(value / left) for name, value in {"F": mean * (1 + zeta), "sigma": spread}.items()}


def adapted_by_meta(replay: Replay, zeta: sp.Expr) -> None:
    """Adds "h_i by grad F": E||h_i||^2 <= F ||grad F||^2 + sigma sigma^2 with `adapted_constants`."""
    adapted(replay)
    X, c, (mean, spread) = s.grad_F, adapted_constants(zeta), factors(BEST)
    _square_of_h(replay, zeta)
    inverse = c["sigma"] / spread
    by = {
        "adapted gradients": inverse,
        "square of h": inverse * mean,
        "curvature": inverse * mean * (1 + 1 / zeta) * s.a**2,
    }
    replay.derive("h_i by grad F", c["F"] * X**2 + c["sigma"] * s.sigma**2 - h2, by)


def _square_of_h(replay: Replay, zeta: sp.Expr) -> None:
    """Adds "square of h": ||E h||^2 <= (1 + zeta) ||grad F||^2 + (1 + 1/zeta) (a Z)^2."""
    X, a = s.grad_F, s.a
    slack = (1 + zeta) * X**2 + (1 + 1 / zeta) * (a * Z) ** 2 - H**2
    replay.derive("square of h", slack, {"h from grad F": X + a * Z + H}, plus=[zeta * (X - a * Z / zeta) ** 2])


def square_constants(zeta: sp.Expr, omega: sp.Expr) -> dict[str, sp.Expr]:
    """What bounds ||r||^2 by ||grad F||^2, (a sigma)^2 and sigma_tilde^2/D_in, for two Young weights."""
    c = adapted_constants(zeta)
    return {
        "cF": (1 + omega) * s.a**2 * c["F"],
        "cs": (1 + omega) * c["sigma"],
        "ci": (1 + 1 / omega) * s.a**2,
    }


def second_constants(zeta: sp.Expr, phi: sp.Expr) -> dict[str, sp.Expr]:
    """What bounds E||G||^2, for two Young weights."""
    c = adapted_constants(zeta)
    return {"cF": (1 + phi) * c["F"], "cs": (1 + phi) * c["sigma"], "co": sp.Integer(1), "ci": (1 + 1 / phi) * s.a**2}


def square_of_bias(replay: Replay, zeta: sp.Expr, omega: sp.Expr) -> None:
    """Adds "bias, squared" with `square_constants`."""
    a, R, c = s.a, s.bias_norm, square_constants(zeta, omega)
    facts(replay)
    adapted_by_meta(replay, zeta)
    replay.derive(
        "bias, squared",
        c["cF"] * s.grad_F**2 + c["cs"] * a**2 * s.sigma**2 + c["ci"] * NOISE**2 - R**2,
        {
            "bias": a * (Z + NOISE) + R,
            "curvature": (1 + omega) * a**2,
            "h_i by grad F": (1 + omega) * a**2,
        },
        plus=[omega * a**2 * (Z - NOISE / omega) ** 2],
    )


def first_constants(zeta: sp.Expr, omega: sp.Expr) -> dict[str, sp.Expr]:
    """What bounds ||E G||^2 likewise."""
    mean, spread = factors(BEST)
    more = 1 + 1 / zeta
    left = 1 - more * s.a**2 * mean
    return {
        "cF": sp.factor((1 + omega) * (1 + zeta) / left),
        "cs": sp.factor((1 + omega) * more * spread / left),
        "ci": (1 + 1 / omega) * s.a**2,
    }


def first_moment(replay: Replay, zeta: sp.Expr, omega: sp.Expr) -> None:
    """Adds "first moment" with `first_constants`."""
    a, Y, c, (mean, _) = s.a, s.mean_G, first_constants(zeta, omega), factors(BEST)
    facts(replay)
    adapted(replay)
    _square_of_h(replay, zeta)
    more = (1 + 1 / zeta) * a**2
    inverse = (1 + omega) / (1 - more * mean)
    replay.derive(
        "first moment",
        c["cF"] * s.grad_F**2 + c["cs"] * a**2 * s.sigma**2 + c["ci"] * NOISE**2 - Y**2,
        {
            "G from h": H + a * NOISE + Y,
            "square of h": inverse,
            "curvature": inverse * more,
            "adapted gradients": inverse * more,
        },
        plus=[omega * (H - a * NOISE / omega) ** 2],
    )


LINEAR = {"cF": 1 / (1 - s.a - s.a**2), "cs": (1 + s.a) * (1 + s.a**2)}
"""Z <= cF ||grad F|| + cs sigma; seen to be less than 1 % above the largest Z at either end."""


def linear(replay: Replay) -> None:
    """Adds "curvature by grad F": Z <= cF ||grad F|| + cs sigma with LINEAR; sigma > 0, and 0 by continuity."""
    adapted(replay, s.a**2 + _over)
    X, a, sigma = s.grad_F, s.a, s.sigma
    M = sp.Symbol("M", positive=True)
    top, (mean, spread) = X + a * M, factors(a**2 + _over)
    slack = top * (X + a * Z**2 / M) - H**2
    replay.derive("square of h", slack, {"h from grad F": X + a * Z + H}, plus=[a * X * (M - Z) ** 2 / M])
    left, room = 1 - mean * a * top / M, M**2 - mean * top**2 - spread * sigma**2
    by = {"curvature": 1, "adapted gradients": 1, "square of h": mean}
    replay.derive("scaled", left * (M**2 - Z**2) - room, by)
    bound = LINEAR["cF"] * X + LINEAR["cs"] * sigma
    over = a * sigma / (sigma + X)
    replay.define(M, bound)
    replay.define(_over, over)
    left, room = (sp.factor(x.subs(_over, over).subs(M, bound)) for x in (left, room))
    replay.derive("curvature by grad F, squared", bound**2 - Z**2, {"scaled": 1 / left}, plus=[room / left])
    replay.root("curvature by grad F", "curvature by grad F, squared", bound, Z)


STANDSTILL = {"cG": 1 + s.a * _KAPPA, "cs": 1 + s.a, "ci": s.a * (1 + s.a * _KAPPA)}


def standstill(replay: Replay) -> None:
    """Adds "grad F by G": ||grad F|| <= cG ||E G|| + cs a sigma + ci sigma_tilde/sqrt(D_in) with STANDSTILL."""
    a, sigma = s.a, s.sigma
    M = _KAPPA * H + (1 + a) * sigma
    over = a * sigma / (sigma + H)
    mean, spread = factors(a**2 + over)
    adapted(replay, a**2 + _over)
    replay.define(_over, over)
    room = M**2 - mean * H**2 - spread * sigma**2
    replay.derive("curvature by h, squared", M**2 - Z**2, {"curvature": 1, "adapted gradients": 1}, plus=[room])
    replay.root("curvature by h", "curvature by h, squared", M, Z)
    c = STANDSTILL
    replay.derive(
        "grad F by G",
        c["cG"] * s.mean_G + c["cs"] * a * sigma + c["ci"] * NOISE - s.grad_F,
        {"grad F from h": 1, "curvature by h": a, "h from G without noise": c["cG"]},
    )
