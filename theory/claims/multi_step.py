"""MAML with N inner steps (Ji, Yang and Liang): smoothness of the meta-objective, bias of the meta-gradient.

w_0 = w, w_{j+1} = w_j - alpha g_i(w_j), grad F_i(w) = P_N g_i(w_N) with P_j = (I - alpha H_i(w_0)) ... (I - alpha
H_i(w_{j-1})). Every statement about step j is shown by induction for symbolic j; `p` stands for (1 + a)^j - 1.

* multi-step-smoothness. Ji's C_L equals (rho/L) (1 + a)^{2N-1} ((1 + a)^N - 1), and neither part can be lowered: one
  task whose curvature is -L at each w_j and rises at slope rho to the right of it reaches both in the limit.
* multi-step-error. The estimate takes fresh samples at every inner step and for every Hessian. Ji bounds the products
  of Hessians crudely. What the same recursions give is C_err1 = q (q - 1) sigma_tilde, C_err2 = rho sigma_tilde
  q^2 (q - 1 - a N)/((1 + a) (2 - q^2) L^2), q = (1 + a)^N: at N = 1 this is the bias of one-step MAML. Ji's proof of
  Corollary 6 uses C_err1 < 5 sigma_tilde/16 at alpha = 1/(8 N L), which the displayed C_err1 >= sigma_tilde never
  satisfies; ours does.
"""

import sympy as sp

from theory import symbols as s
from theory.certify import Replay
from theory.claim import Claim, Hypothesis, Version, constant, filled
from theory.claims.bias import ROOT

GROWTH = (1 + s.a) ** s.N
SMOOTH = (constant("cL") * s.L + constant("cg") * s.rho / s.L * s.mean_grad) * s.distance
JI_SMOOTH = {
    "cL": GROWTH**2,
    "cg": (GROWTH / (1 + s.a) * s.a + GROWTH * (GROWTH / (1 + s.a) - 1)) * GROWTH,
}
SMOOTH_SHARP = {"cL": GROWTH**2, "cg": GROWTH**2 * (GROWTH - 1) / (1 + s.a)}

_ERROR_CORE = constant("c1") + constant("c2") * s.rho / s.L**2 * (s.grad_F + s.sigma)
ERROR = s.sigma_tilde / sp.sqrt(s.D_in) * _ERROR_CORE
JI_ERROR = {"c1": GROWTH**2, "c2": GROWTH**4 / (2 - GROWTH**2)}
ERROR_SHARP = {
    "c1": GROWTH * (GROWTH - 1),
    "c2": GROWTH**2 * (GROWTH - 1 - s.a * s.N) / ((1 + s.a) * (2 - GROWTH**2)),
}

_p, _n = sp.symbols("p j", nonnegative=True)
_q = 1 + _p
_GROWS = {_p: _p + s.a * _q}
_alpha = s.a / s.L
_one, _one_next = sp.symbols("||g_i(w_j)|| ||g_i(w_j+1)||", nonnegative=True)
_P, _P_next = sp.symbols("||P_j|| ||P_j+1||", nonnegative=True)
_D, _D_next, _gap, _gap_next = sp.symbols(
    "||P_j-P'_j|| ||P_j+1-P'_j+1|| ||w_j-w'_j|| ||w_j+1-w'_j+1||", nonnegative=True
)
_step_of_g, _step_of_H = sp.symbols("||g_i(w_j)-g_i(w'_j)|| ||H_i(w_j)-H_i(w'_j)||", nonnegative=True)
_g, _change = sp.symbols("||g_i(w)|| change_i", nonnegative=True)


def _in_p(constants: dict[str, sp.Expr]) -> dict[str, sp.Expr]:
    return {name: sp.sympify(value).subs(GROWTH, _q).subs(s.N, _n) for name, value in constants.items()}


def _along_the_path(replay: Replay) -> None:
    """Adds "gradients": ||g_i(w_j)|| <= q ||g_i(w)||, and "products": ||P_j|| <= q."""
    replay.given("next gradient", (1 + s.a) * _one - _one_next, "smoothness", "w_j+1 = w_j - alpha g_i(w_j)")
    replay.given("next product", (1 + s.a) * _P - _P_next, "smoothness", "one more factor I - alpha H_i(w_j)")
    step = {**_GROWS, _one: _one_next}
    replay.induct("gradients", _q * _g - _one, {_p: 0, _one: _g}, step, {"next gradient": 1}, keep=1 + s.a)
    step = {**_GROWS, _P: _P_next}
    replay.induct("products", _q - _P, {_p: 0, _P: 1}, step, {"next product": 1}, keep=1 + s.a)


def _two_paths(replay: Replay) -> None:
    """From w and from u: adds "one task"."""
    r = s.distance
    _along_the_path(replay)
    replay.given("next points", _gap + _alpha * _step_of_g - _gap_next, "triangle", "w' is the path from u")
    replay.given("their gradients", s.L * _gap - _step_of_g, "smoothness")
    replay.given("their Hessians", s.rho * _gap - _step_of_H, "Hessian-Lipschitz")
    replay.induct(
        "points",
        _q * r - _gap,
        {_p: 0, _gap: r},
        {**_GROWS, _gap: _gap_next},
        {"next points": 1, "their gradients": _alpha},
        keep=1 + s.a,
    )
    text = "P_j+1 - P'_j+1 = (P_j - P'_j)(I - alpha H_i(w_j)) - alpha P'_j (H_i(w_j) - H_i(w'_j))"
    replay.given("next change", (1 + s.a) * _D + _alpha * _step_of_H * _P - _D_next, "triangle", text)
    replay.induct(
        "change of products",
        s.rho / s.L * r * _q * _p / (1 + s.a) - _D,
        {_p: 0, _D: 0},
        {**_GROWS, _D: _D_next},
        {
            "next change": 1,
            "their Hessians": _alpha * _P,
            "points": _alpha * s.rho * _P,
            "products": _alpha * s.rho * _q * r,
        },
        keep=1 + s.a,
    )
    text = "P_N g_i(w_N) - P'_N g_i(w'_N) = P'_N (g_i(w_N) - g_i(w'_N)) + (P_N - P'_N) g_i(w_N)"
    replay.given("split", _P * _step_of_g + _D * _one - _change, "triangle", text)
    size = s.rho / s.L * r * _q * _p / (1 + s.a)
    replay.derive(
        "one task",
        _q**2 * s.L * r + size * _q * _g - _change,
        {
            "split": 1,
            "products": _step_of_g,
            "their gradients": _q,
            "points": _q * s.L,
            "change of products": _one,
            "gradients": size,
        },
    )


def _smooth(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    _two_paths(replay)
    mean = sp.Symbol("E_i change_i", nonnegative=True)
    replay.expect("all tasks", "one task", {_change: mean, _g: s.mean_grad})
    replay.given("mean of tasks", mean - s.grad_F_change, "Jensen", "grad F = E_i grad F_i")
    values, shown = _in_p(constants), _in_p(SMOOTH_SHARP)
    replay.derive(
        "statement",
        filled(SMOOTH, values) - s.grad_F_change,
        {"all tasks": 1, "mean of tasks": 1},
        plus=[
            (values["cL"] - shown["cL"]) * s.L * s.distance,
            (values["cg"] - shown["cg"]) * s.rho / s.L * s.mean_grad * s.distance,
        ],
    )


def _smooth_reached(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    """One task in one dimension with f'' = -L and right slope f''' = rho at every w_j, and -L + eta at most between."""
    short = sp.Symbol("theta", nonnegative=True)
    replay.given("inner factors", _one - (1 - short) * _q * _g, "instance", "as eta tends to 0 so does theta")
    text = "the right derivative of P_j at w, where every factor is 1 + a and w_j moves by q"
    replay.given("next slope", _D_next - (1 + s.a) * _D - _alpha * s.rho * _q**2, "instance", text)
    slope = s.rho / s.L * _q * _p / (1 + s.a)
    replay.induct(
        "slope of products", _D - slope, {_p: 0, _D: 0}, {**_GROWS, _D: _D_next}, {"next slope": 1}, keep=1 + s.a
    )
    text = "minus the right derivative of P_N g_i(w_N): both parts have one sign"
    replay.given("slope of grad F", _change - _q**2 * s.L - _D * _one, "instance", text)
    values = _in_p(constants)
    bound = values["cL"] * s.L + values["cg"] * s.rho / s.L * _g
    replay.derive(
        "reached but for theta",
        _change - bound + short * values["cg"] * s.rho / s.L * _g,
        {"slope of grad F": 1, "slope of products": _one, "inner factors": slope},
    )


def _noisy_path(replay: Replay) -> None:
    """From w with and without noise: adds "one task" with the step "deviation" inside; w~_j is written w'_j."""
    noise, size = sp.Symbol("E||g~_i-g_i||", nonnegative=True), s.sigma_tilde * ROOT
    _along_the_path(replay)
    text = "w'_j+1 - w_j+1 = (w'_j - alpha g_i(w'_j)) - (w_j - alpha g_i(w_j)) - alpha noise; norms in the mean"
    replay.given("next deviation", (1 + s.a) * _gap + _alpha * noise - _gap_next, "triangle", text)
    replay.given("noise", size - noise, "sample variance", "with Jensen; fresh samples at every step")
    replay.induct(
        "deviation",
        _p * size / s.L - _gap,
        {_p: 0, _gap: 0},
        {**_GROWS, _gap: _gap_next},
        {"next deviation": 1, "noise": _alpha},
        keep=1 + s.a,
    )
    step = {**_GROWS, _n: _n + 1}
    replay.induct("Bernoulli", _p - s.a * _n, {_p: 0, _n: 0}, step, {}, plus=[s.a * _p])
    text = "E||P'_j - P_j||, P' along w'; P'_j+1 - P_j+1 = (P'_j - P_j)(I - alpha H_i(w'_j)) - alpha P_j (H' - H)"
    replay.given("next change", (1 + s.a) * _D + _alpha * s.rho * _P * _gap - _D_next, "Hessian-Lipschitz", text)
    crude = s.rho * size / s.L**2 * _q / (1 + s.a)
    replay.induct(
        "change of products",
        crude * (_p - s.a * _n) - _D,
        {_p: 0, _n: 0, _D: 0},
        {**step, _D: _D_next},
        {"next change": 1, "products": _alpha * s.rho * _gap, "deviation": _alpha * s.rho * _q},
        keep=1 + s.a,
    )
    text = "E over the samples of the Hessians leaves P'_N; ||P'_N|| <= q as ||P_N||; e_i is task i's bias"
    replay.given("split", _q * s.L * _gap + _D * _one - _change, "triangle", text)
    replay.derive(
        "one task, before the last",
        _q * _p * size + _D * _q * _g - _change,
        {"split": 1, "deviation": _q * s.L, "gradients": _D},
    )
    replay.derive(
        "one task",
        _q * _p * size + crude * (_p - s.a * _n) * _q * _g - _change,
        {"one task, before the last": 1, "change of products": _q * _g},
    )


def _relation(replay: Replay) -> None:
    """Adds "mean gradient": (2 - q^2) E||g_i|| <= ||grad F|| + sigma, through grad F_i = M_i g_i with 2N factors."""
    off, half, after, spread, distance = sp.symbols(
        "||I-M_2j|| ||I-M_2j+1|| ||I-M_2j+2|| E||g_i-grad_f|| ||grad_F-grad_f||", nonnegative=True
    )
    text = "a factor I - alpha K with ||K|| <= L, K a Hessian or its mean on a segment; ||M|| <= 1 + ||I - M||"
    replay.given("odd factor", off + s.a * (1 + off) - half, "smoothness", text)
    replay.given("even factor", half + s.a * (1 + half) - after, "smoothness", text)
    replay.induct(
        "factors near I",
        _q**2 - 1 - off,
        {_p: 0, off: 0},
        {**_GROWS, off: after},
        {"odd factor": 1 + s.a, "even factor": 1},
        keep=(1 + s.a) ** 2,
    )
    replay.given("both gradients", s.grad_F + distance - s.grad_f, "triangle")
    replay.given("distance", off * s.mean_grad - distance, "Jensen", "grad F - grad f = E_i (M_i - I) g_i")
    replay.given("mean norm", s.grad_f + spread - s.mean_grad, "triangle")
    replay.given("spread", s.sigma - spread, "task variance", "with Jensen")
    replay.derive(
        "mean gradient",
        s.grad_F + s.sigma - (2 - _q**2) * s.mean_grad,
        {"both gradients": 1, "distance": 1, "mean norm": 1, "spread": 1, "factors near I": s.mean_grad},
    )


def _bias(replay: Replay) -> None:
    """Adds "bias" with the constants of ERROR_SHARP."""
    _noisy_path(replay)
    _relation(replay)
    mean = sp.Symbol("E_i||e_i||", nonnegative=True)
    replay.expect("all tasks", "one task", {_change: mean, _g: s.mean_grad})
    replay.given("mean of tasks", mean - s.bias_norm, "Jensen")
    replay.box = {_p: sp.Interval.Ropen(0, sp.sqrt(2) - 1)}
    crude = s.rho * s.sigma_tilde * ROOT / s.L**2 * _q**2 / (1 + s.a)
    replay.product("excess times gradient", "Bernoulli", "mean gradient")
    replay.derive(
        "bias",
        s.sigma_tilde * ROOT * filled(_ERROR_CORE, _in_p(ERROR_SHARP)) - s.bias_norm,
        {"all tasks": 1, "mean of tasks": 1, "excess times gradient": crude / (2 - _q**2)},
    )


def _error(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    """The room between the claimed and the shown constants must be seen not to be negative."""
    _bias(replay)
    values, shown = _in_p(constants), _in_p(ERROR_SHARP)
    size = s.sigma_tilde * ROOT
    terms = {"c1": size, "c2": size * s.rho / s.L**2 * (s.grad_F + s.sigma)}
    replay.derive(
        "statement",
        size * filled(_ERROR_CORE, values) - s.bias_norm,
        {"bias": 1},
        plus=[(values[name] - shown[name]) * term for name, term in terms.items()],
    )
    _corollary(replay)


def _ji(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    replay.check(
        "Corollary 6 cannot use C_err1 < 5/16 sigma_tilde: C_err1 exceeds it always", _q**2 - sp.Rational(5, 16)
    )
    _bias(replay)
    values, shown, ours = _in_p(constants), _in_p(JI_ERROR), _in_p(ERROR_SHARP)
    size = s.sigma_tilde * ROOT
    moment = size * s.rho / s.L**2 * (s.grad_F + s.sigma)
    drop = _q**2 / ((1 + s.a) * (2 - _q**2))
    replay.derive(
        "statement",
        size * filled(_ERROR_CORE, values) - s.bias_norm,
        {"bias": 1},
        plus=[
            (values["c1"] - shown["c1"]) * size,
            (shown["c1"] - ours["c1"]) * size,
            (values["c2"] - shown["c2"]) * moment,
            drop * (1 + s.a * _n + s.a * _q**2 + _q**2 - _q) * moment,
        ],
    )


def _corollary(replay: Replay) -> None:
    """What follows at alpha = 1/(8 N L): q (q - 1) <= 8/49 < 5/16, which is what the proof of Corollary 6 needs."""
    step = {**_GROWS, _n: _n + 1}
    replay.induct("growth", 1 - _q * (1 - s.a * _n), {_p: 0, _n: 0}, step, {}, plus=[_q * s.a**2 * (_n + 1)])
    eighth = sp.Rational(1, 8)
    replay.given("a N = 1/8", eighth - s.a * _n, "domain", "alpha = 1/(8 N L)")
    replay.derive("q <= 8/7", 1 - _q * (1 - eighth), {"growth": 1, "a N = 1/8": _q})
    room = sp.Rational(5, 16) - sp.Rational(8, 49)
    replay.derive(
        "Corollary 6", sp.Rational(5, 16) - _q * _p, {"q <= 8/7": sp.Rational(8, 7) * (_q + sp.Rational(1, 7))}, [room]
    )


_CHAIN = Hypothesis(sp.Ge(s.N, 1), "Ji (3): at least one inner step")

CLAIMS = (
    Claim(
        id="multi-step-smoothness",
        title="Lipschitz bound on the meta-gradient with N inner steps",
        equation="",
        source="Ji Proposition 1",
        kind="upper",
        lhs=s.grad_F_change,
        domain=(Hypothesis(sp.Le(s.alpha, 1 / s.L), "Ji Theorem 5 takes far less; the proof needs nothing"), _CHAIN),
        versions={
            "published": Version(SMOOTH, JI_SMOOTH, "Ji Proposition 1", _smooth, attained=_smooth_reached),
            "sharp": Version(
                SMOOTH, SMOOTH_SHARP, "ours: the same constants in one product", _smooth, attained=_smooth_reached
            ),
        },
    ),
    Claim(
        id="multi-step-error",
        title="Bias of the meta-gradient estimate with N inner steps on fresh samples",
        equation="",
        source="Ji Proposition 3",
        kind="upper",
        lhs=s.bias_norm,
        domain=(Hypothesis(sp.Lt(s.alpha, (2 ** (1 / (2 * s.N)) - 1) / s.L), "Ji Proposition 3"), _CHAIN),
        versions={
            "published": Version(ERROR, JI_ERROR, "Ji Proposition 3", _ji),
            "sharp": Version(ERROR, ERROR_SHARP, "ours: the recursions solved exactly", _error),
        },
    ),
)
