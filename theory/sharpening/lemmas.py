"""The lemmas of a sharpened constant's proof: the claims it stands on, the mean norm, (8), and the law of the step."""

from __future__ import annotations

import sympy as sp

from theory import symbols as s
from theory.certify import Replay
from theory.claims import CLAIMS
from theory.sharpening import laws
from theory.sharpening.setting import Analysis, Setting, certificate

y, X, R, R2, M2, VB = sp.symbols("y ||grad_F|| ||r|| ||r||^2 ||E_G||^2 E||G_i||^2/B", nonnegative=True)
t = sp.Symbol("grad_F.r", real=True)
b1, b2, inner, sO2, sigma2 = sp.symbols(
    "E_beta E_beta^2 sigma_tilde^2/D_in sigma_tilde^2/D_o sigma^2", nonnegative=True
)
_Y, _inverse, _Y2 = sp.symbols("Y 1/Z E_Y^2", nonnegative=True)
_over, _one, _b = sp.symbols("E_Y-2y 1/B' 1/B", nonnegative=True)
_UNIT = (sp.Integer(0), sp.Integer(1))


def box(setting: Setting) -> dict:
    """What one step ranges over beside y: the mean of Y, B' and B."""
    batch = {_b: (sp.Integer(0), setting.share)} if setting.share else {}
    return {_over: _UNIT, _one: _UNIT, **batch}


def share(setting: Setting) -> sp.Expr:
    """1/B, any value up to the setting's; 0 for the full batch."""
    return _b if setting.share else sp.Integer(0)


def claims(setting: Setting) -> Replay:
    """The claims this proof stands on, and A of E||g_i|| <= A (||grad F|| + sigma)."""
    ends = {s.a: setting.a, s.lam: setting.lam}
    replay = Replay({symbol: (sp.Integer(0), end) for symbol, end in ends.items() if end})
    needed = [("smoothness", setting.smoothness), ("expected-descent", "sharp")]
    needed += [("bias", "sharp")] if setting.inner else []
    needed += [("first-moment", "sharp")] if setting.first == "published" else []
    if setting.second == "sharper":
        needed += [("hessian-noise", "sharp"), ("task-gradient-moment", "sharp")]
    else:
        needed.append(("second-moment", setting.second))
    needed += [] if setting.relation == "moment" else [("gradient-relation", "published")]
    for claim, which in needed:
        _largest_at_the_edge(replay, setting, claim, which)
    if setting.relation == "moment":
        _mean_norm(replay, setting)
    else:
        replay.check("A is at least 1 + C2 = C1", setting.reach - 1 / (1 - 2 * setting.a - setting.a**2))
    return replay


def _largest_at_the_edge(replay: Replay, setting: Setting, claim: str, which: str) -> None:
    """Adds a claim, and that its constants at a and lam are enough for every smaller alpha and lam."""
    replay.use(f"{claim} ({which})", CLAIMS[claim].slack(which), certificate(claim, which))
    for name, value in CLAIMS[claim].versions[which].constants.items():
        here = value.subs({s.a: setting.a, s.lam: setting.lam})
        less = value if setting.lam else value.subs(s.lam, 0)
        if less.free_symbols:
            replay.check(f"{claim}, {name} is largest at a = {setting.a}, lam = {setting.lam}", here - less)


def _mean_norm(replay: Replay, setting: Setting) -> None:
    """E||g_i||^2 <= ||grad F||^2/(1 - a)^4 + sigma^2/(1 - 2a), so E||g_i|| <= (||grad F|| + sigma)/(1 - a)^2.

    The S-procedure of the claim task-gradient-moment with other multipliers: h = g + a u, y = h + a z, coordinatewise.
    """
    a = setting.a
    g, u, z, h, out = sp.symbols("g u z h y_i", real=True)
    replay.define(h, g + a * u)
    replay.define(out, h + a * z)
    one, two = a / (1 - a), a / (1 - a) ** 3
    constraints = one * (g**2 - u**2) + two * (h**2 - z**2)
    P, Q = 1 / (1 - a) ** 4, 1 / (1 - 2 * a)
    squares = [a * P * (z + h) ** 2, a / (1 - a) ** 2 * (u + g) ** 2]
    replay.derive("means", P * out**2 - g**2 - constraints, {}, plus=squares)
    squares = [two * z**2, (one - two * a**2) * (u - a / (1 - 2 * a) * g) ** 2]
    replay.derive("deviations", (Q - 1) * g**2 - constraints, {}, plus=squares)
    spread = {v: sp.Symbol(f"E||{v}-E{v}||^2", nonnegative=True) for v in (g, u, z, h)}
    mean = {v: sp.Symbol(f"||E{v}||^2", nonnegative=True) for v in (g, u, z, h)}
    replay.expect("means, all coordinates", "means", {v**2: mean[v] for v in mean} | {out**2: X**2})
    replay.expect("deviations, all coordinates and tasks", "deviations", {v**2: spread[v] for v in spread})
    total = {v: mean[v] + spread[v] for v in mean}
    sigma, norm, second = sp.symbols("sigma E||g_i|| E||g_i||^2", nonnegative=True)
    replay.given("inner factor", total[g] - total[u], "smoothness", "h_i = g_i + a u_i with ||u_i|| <= ||g_i||")
    replay.given("outer factor", total[h] - total[z], "smoothness", "grad F_i = h_i + a z_i with ||z_i|| <= ||h_i||")
    replay.given("task spread", sigma**2 - spread[g], "task variance")
    replay.given("second moment", total[g] - second, "definition")
    by = {"means, all coordinates": 1, "deviations, all coordinates and tasks": 1, "second moment": 1}
    by |= {"inner factor": one, "outer factor": two, "task spread": Q}
    replay.derive("task gradients", P * X**2 + Q * sigma**2 - second, by)
    replay.given("norm", second - norm**2, "Jensen")
    A = setting.reach
    room = [(A**2 - P) * X**2, (A**2 - Q) * sigma**2, 2 * A**2 * X * sigma]
    replay.derive("squares", A**2 * (X + sigma) ** 2 - norm**2, {"task gradients": 1, "norm": 1}, plus=room)
    replay.root("relation", "squares", A * (X + sigma), norm)


def second_moment(replay: Replay, setting: Setting, phi: sp.Expr, constants: dict) -> None:
    """Adds "(8)/B": E||G_i||^2/B from above, with the Young weight phi."""
    i, V = share(setting), sp.Symbol("E||G_i||^2", nonnegative=True)
    bound = constants["cF"] * X**2 + constants["cs"] * sigma2
    bound += constants["co"] * sO2 * setting.outer + constants["ci"] * inner * setting.inner
    if setting.second == "sharper":
        _second_sharper(replay, setting, phi, bound - V, V)
    else:
        replay.given("(8)", bound - V, "definition", "the claim second-moment")
    replay.given("VB", i * V - VB, "definition")
    replay.derive("(8)/B", i * bound - VB, {"(8)": i, "VB": 1})


def _second_sharper(replay: Replay, setting: Setting, phi: sp.Expr, slack: sp.Expr, V: sp.Symbol) -> None:
    """Adds "(8)" through E||grad F_i||^2; norms are those of L2 over tasks and samples, n_e that of h(w - a g~) - h."""
    a, lam = setting.a, setting.lam
    n_y, n_h, n_e, v2, Av2 = sp.symbols("|grad_F_i| |h_i| |e_i| E||h~_i||^2 E||A_i*h~_i||^2", nonnegative=True)
    stretch, O2 = (1 + a) ** 2, sO2 * setting.outer
    inverse = 1 / (1 - a) ** 2
    replay.given("Hessian noise", Av2 + lam * v2 - V, "independence", "the claim hessian-noise with v = h~_i")
    replay.given("h against grad F_i", inverse * n_y**2 - n_h**2, "smoothness", "||A_i h_i|| >= (1 - a) ||h_i||")
    replay.given(
        "task moment", X**2 / (1 - 2 * a) + (1 + a) ** 4 * sigma2 - n_y**2, "definition", "task-gradient-moment"
    )
    by = {"Hessian noise": 1, "outer noise": lam, "outer noise in A": 1}
    by |= {"h against grad F_i": lam * (1 + phi), "task moment": (1 + phi) * (1 + lam * inverse)}
    if not setting.inner:
        replay.given("outer noise", n_h**2 + O2 - v2, "sample variance", "exact inner gradients")
        replay.given("outer noise in A", n_y**2 + stretch * O2 - Av2, "sample variance", "||A_i|| <= 1 + a")
        replay.derive("(8)", slack, by)
        return
    replay.given("outer noise", (n_h + n_e) ** 2 + O2 - v2, "sample variance", "and the triangle inequality in L2")
    replay.given(
        "outer noise in A", (n_y + (1 + a) * n_e) ** 2 + stretch * O2 - Av2, "sample variance", "||A_i|| <= 1 + a"
    )
    replay.given("inner shift", a**2 * inner - n_e**2, "smoothness", "a^2 times the variance of the inner gradient")
    by["inner shift"] = (1 + 1 / phi) * (stretch + lam)
    young = [lam * phi * (n_h - n_e / phi) ** 2, phi * (n_y - (1 + a) * n_e / phi) ** 2]
    replay.derive("(8)", slack, by, plus=young)


def first_bias(replay: Replay, setting: Setting) -> None:
    """Adds "bias": ||r||^2 <= c^2 sigma_tilde^2/D_in."""
    replay.given("bias", setting.bias_factors[0] ** 2 * inner - R2, "definition", "the claim bias, first branch")


def step_law(replay: Replay, setting: Setting, found: Analysis, weight, turned: bool, gained) -> None:
    """Adds "gain of the step": what E beta and E beta^2 are worth on a range of y."""
    S, linear = laws.smooth(setting, y), 1 - found.eta / 2
    bounds = laws.gains(setting, y, linear, weight, turned)
    for number, bound in enumerate(bounds, 1):
        replay.check(f"gain, bound {number}", bound - gained)
    if setting.step == "published":
        _distribution(replay, setting)
    if laws.is_random(setting):
        _random_gain(replay, setting, linear, weight, turned)
    else:
        _two_moments(replay, setting)
        replay.derive(
            "law", b1 * linear - S / 2 * b2 * weight - bounds[0], {"E beta": linear, "E beta^2": S / 2 * weight}
        )
    room = {"gain, bound 1": 1 - _over, "gain, bound 2": _over} if turned else {"gain, bound 1": 1}
    replay.derive("gain of the step", b1 * linear - S / 2 * b2 * weight - gained, {"law": 1, **room})


def _distribution(replay: Replay, setting: Setting) -> None:
    """What is known of Y: its mean 2y + over, and its second moment, for any B' and D_step from their minimum on."""
    mean = 2 * y + _over
    replay.define(_inverse, 1 / (4 + _Y))
    because = "(2 rho alpha sigma)^2 <= 8 B', (2 rho alpha sigma_tilde)^2 <= D_step, 0 <= E Y - 2y <= 1"
    replay.given("second moment of Y", mean**2 + 8 + _one * (4 * y**2 + 1 - mean**2) - _Y2, "sample variance", because)


def _random_gain(replay: Replay, setting: Setting, linear, weight, turned: bool) -> None:
    """Adds "law": the dual of the linear programme over distributions, at z = 5 + 2y, or at 4 + 2y with v > 0."""
    A, Q = laws.pair(setting, y, linear, weight)
    delta = 0 if turned else 1
    z, S = 4 + delta + 2 * y, laws.smooth(setting, y)
    value, slope = laws.tangent(A, Q, z)
    v = laws.excess(A, Q, z) / (16 * z**3) if turned else sp.Integer(0)
    off, Z = _Y + 4 - z, _Y + 4
    square = off**2 * sp.cancel(A / (Z * z**2) - Q * (2 * Z + z) / (Z**2 * z**3) + v)
    slack = A * _inverse - Q * _inverse**2 - value - slope * off + v * off**2
    replay.derive("dual quadratic", slack, {}, plus=[square])
    _expected(replay, setting, "dual, mean", "dual quadratic")
    _spread(replay, "spread about z", delta)
    bounds = laws.gains(setting, y, linear, weight, turned)
    bound = (1 - _over) * bounds[0] + _over * bounds[1] if turned else bounds[0]
    law = b1 * linear - S / 2 * b2 * weight - bound
    replay.derive("law", law, {"dual, mean": 1, "spread about z": v}, plus=[] if turned else [-slope * (1 - _over)])


def _spread(replay: Replay, name: str, delta) -> None:
    """Adds E(Y - 2y - delta)^2 <= 9 + delta^2 - 2 over delta."""
    spare = [(1 - _one) * (1 - _over**2), 4 * _one * y * _over]
    about = _Y2 - 2 * (2 * y + delta) * (2 * y + _over) + (2 * y + delta) ** 2
    replay.derive(name, 9 + delta**2 - 2 * _over * delta - about, {"second moment of Y": 1}, plus=spare)


def _expected(replay: Replay, setting: Setting, name: str, pointwise: str) -> None:
    c = setting.factor
    replay.expect(name, pointwise, {_inverse: b1 / c, _inverse**2: b2 / c**2, _Y: 2 * y + _over, _Y**2: _Y2})


def _random_square(replay: Replay, setting: Setting) -> None:
    """Adds "square of 1/Z": E beta^2 <= c^2 ceiling, by the dual at z = 4 + 2y + 9/(2y)."""
    delta = 9 / (2 * y)
    z, Z = 4 + 2 * y + delta, _Y + 4
    off, v = Z - z, (8 + z) / (16 * z**3)
    square = off**2 * sp.cancel(v - (2 * Z + z) / (Z**2 * z**3))
    replay.derive("dual of the square", 1 / z**2 - 2 * off / z**3 + v * off**2 - _inverse**2, {}, plus=[square])
    _expected(replay, setting, "dual of the square, mean", "dual of the square")
    _spread(replay, "spread about its z", delta)
    replay.derive(
        "square of 1/Z",
        laws.ceiling(y, delta) - b2 / setting.factor**2,
        {"dual of the square, mean": 1, "spread about its z": v},
        plus=[2 * _over / z**3, 2 * _over * delta * v],
    )
    at_zero = sp.cancel(laws.ceiling(y, delta)).subs(y, 0)
    replay.check("square of 1/Z at y = 0, where 1/Z <= 1/4", at_zero - sp.Rational(1, 16))


def _two_moments(replay: Replay, setting: Setting) -> None:
    """Adds "E beta" from below and "E beta^2" from above: those of FMO Lemma 4.11, from the same distribution."""
    first, second = laws.moments(setting, y)
    if setting.step != "published":
        replay.given("E beta", b1 - first, "definition", "the step is not random")
        replay.given("E beta^2", second - b2, "definition", "the step is not random")
        return
    z, c = 5 + 2 * y, setting.factor
    off = _Y + 4 - z
    replay.derive("below the mean", _inverse - 1 / z + off / z**2, {}, plus=[off**2 / ((_Y + 4) * z**2)])
    _expected(replay, setting, "below the mean, mean", "below the mean")
    spare = [c * (1 - _over) / z**2, c / z - first]
    replay.derive("E beta", b1 - first, {"below the mean, mean": c}, plus=spare)
    _random_square(replay, setting)
    room = [sp.cancel(second - c**2 * laws.ceiling(y, 9 / (2 * y)))]
    replay.derive("E beta^2", second - b2, {"square of 1/Z": c**2}, plus=room)


def ceilings(setting: Setting, found: Analysis) -> Replay:
    """What E beta and (S/2) E beta^2 are at most, wherever the point is: found.mean and found.square."""
    replay, S = Replay({y: sp.Interval(0, sp.oo), **box(setting)}), laws.smooth(setting, y)
    if setting.step == "published":
        _distribution(replay, setting)
    highest = setting.factor / (S if setting.step == "sharp" else 4 + (0 if setting.step == "published" else 2 * y))
    replay.given("E beta, above", highest - b1, "definition", "the random step is at most c/(4 L)")
    replay.derive("mean of the step", found.mean - b1, {"E beta, above": 1}, plus=[found.mean - highest])
    if laws.is_random(setting):
        _random_square(replay, setting)
        by = {"square of 1/Z": S / 2 * setting.factor**2}
    else:
        _two_moments(replay, setting)
        by = {"E beta^2": S / 2}
    room = [sp.cancel(found.square - laws.square(setting, y))]
    replay.derive("square of the step", found.square - S / 2 * b2, by, plus=room)
    return replay
