"""The Pareto front of (8): semidefinite certificates for the constants of ||grad F||^2, sigma^2 and sigma_tilde^2/D_in.

On the whole domain at once, with a <= 1/6 and lam <= 1/2 put at their ends. In each task write

    g = grad f(w), xi the noise of the inner gradient, h = grad f(w - alpha g), q = grad f(w - alpha (g + xi)),
    y = A h = grad F_i, v = A q with A = I - alpha Hess f(w).

What is used of A2: ||h - g|| <= a||g||, ||q - h|| <= a||xi||, ||q - g|| <= a||g + xi||, and that I - A is symmetric
with norm at most a: ||(I - A)(h + c q)|| <= a||h + c q|| for every c, and <h, v> = <q, y>. These facts, each with its
multiplier, and the sum to be bounded, E||v||^2 + lam E||q||^2, form one quadratic form Q. Split into the mean over
everything, the deviation of the task and that of the noise, the claim is that

    cF y^2 - Q(g, h, q, y, v, 0),    cs g^2 - Q(g, h, q, y, v, 0),    ci xi^2 - Q(0, 0, q, 0, v, xi)

are sums of squares. The multipliers are data, found by `theory.sharpening.front`; the constants follow from them.
"""

from functools import cache

import sympy as sp

from theory import symbols as s
from theory.certify import Replay

EDGE = {s.a: sp.Rational(1, 6), s.lam: sp.Rational(1, 2)}
_a, _lam = EDGE.values()
VECTORS = g, h, q, y, v, xi = sp.symbols("g h q y v xi", real=True)
MEAN, WITHIN = (g, h, q, y, v), (q, v, xi)

# Multipliers of: h against g, q against h, q against g, A on h + c q, A on q, symmetry of A; then c.
_DATA = {
    "front-1": "3.157 10.47 5.365 247.3 5.511 4.403 -0.8858",
    "front-4": "4.345 5.266 4.05 155.3 5.219 3.713 -0.7888",
    "front-18": "6.077 2.684 2.837 117 5.062 3.261 -0.6317",
    "front-64": "8.417 1.709 2.128 113.3 5.141 3.272 -0.4702",
    "front-256": "13.06 1.209 1.648 136.8 5.365 3.847 -0.2947",
}
MULTIPLIERS = {name: tuple(map(sp.Rational, text.split())) for name, text in _DATA.items()}


def facts(c: sp.Expr) -> dict[str, sp.Expr]:
    """What A2 says of the vectors, as forms that are not negative in the mean."""
    along, image = h + c * q, (h - y) + c * (q - v)
    return {
        "h against g": _a**2 * g**2 - (h - g) ** 2,
        "q against h": _a**2 * xi**2 - (q - h) ** 2,
        "q against g": _a**2 * (g + xi) ** 2 - (q - g) ** 2,
        "A on h + c q": _a**2 * along**2 - image**2,
        "A on q": _a**2 * q**2 - (q - v) ** 2,
        "A symmetric": q * y - h * v,
    }


def form(multipliers: tuple[sp.Expr, ...]) -> sp.Expr:
    """Q: what is to be bounded, and every fact with its multiplier."""
    *weights, c = multipliers
    return v**2 + _lam * q**2 + sum(m * fact for m, fact in zip(weights, facts(c).values(), strict=True))


def parts(multipliers: tuple[sp.Expr, ...]) -> dict[str, tuple[tuple[sp.Symbol, ...], sp.Symbol, sp.Expr]]:
    """By constant: the vectors of its form, the one whose square carries the constant, and Q there."""
    Q = form(multipliers)
    return {
        "cF": (MEAN, y, Q.subs(xi, 0)),
        "cs": (MEAN, g, Q.subs(xi, 0)),
        "ci": (WITHIN, xi, Q.subs({g: 0, h: 0, y: 0})),
    }


@cache
def constants(multipliers: tuple[sp.Expr, ...]) -> dict[str, sp.Expr]:
    """The least cF, cs and ci these multipliers show, rounded up to 1/1000."""
    return {key: _least(*part) for key, part in parts(multipliers).items()}


def _least(vectors: tuple[sp.Symbol, ...], head: sp.Symbol, Q: sp.Expr) -> sp.Rational:
    """The least c for which c head^2 - Q is a sum of squares, rounded up: a Schur complement."""
    rest = [x for x in vectors if x is not head]
    of = sp.Poly(Q, *vectors).coeff_monomial
    matrix = sp.Matrix([[of(x * z) / (1 if x is z else 2) for x in rest] for z in rest])
    cross = sp.Matrix([of(head * x) / 2 for x in rest])
    least = of(head**2) + (cross.T * (-matrix).LUsolve(cross))[0]
    return sp.ceiling(1000 * least) / 1000


def _squares(form: sp.Expr, vectors: tuple[sp.Symbol, ...]) -> list[sp.Expr]:
    """A quadratic form as a sum of weighted squares; where it is not positive a weight is negative."""
    terms, rest = [], sp.expand(form)
    for x in vectors:
        weight = sp.diff(rest, x, 2) / 2
        if weight:
            terms.append(weight * (sp.diff(rest, x) / (2 * weight)) ** 2)
            rest = sp.expand(rest - terms[-1])
    return [*terms, rest]


def _moments(vectors: tuple[sp.Symbol, ...], part: str) -> dict[sp.Expr, sp.Symbol]:
    """A symbol for the mean product of any two vectors, one part of them at a time."""
    return {x * z: sp.Symbol(f"E<{x},{z}>, {part}", real=True) for i, x in enumerate(vectors) for z in vectors[i:]}


_PARTS = {"cF": "mean", "cs": "task's deviation", "ci": "noise's deviation"}


def _total(quadratic: sp.Expr, moments: dict[str, dict[sp.Expr, sp.Symbol]]) -> sp.Expr:
    """The mean of a quadratic form: the sum over the three parts. The noise has mean zero given the task."""
    terms = sp.Poly(sp.expand(quadratic), *VECTORS).terms()
    products = [(sp.prod(x**n for x, n in zip(VECTORS, powers, strict=True)), k) for powers, k in terms]
    return sum(k * sum(part.get(product, 0) for part in moments.values()) for product, k in products)


def replay_front(
    replay: Replay, multipliers: tuple[sp.Expr, ...], second_v: sp.Symbol, second_q: sp.Symbol, inner: sp.Expr
) -> None:
    """Adds "front": cF||grad F||^2 + cs sigma^2 + ci inner - E||v||^2 - lam E||q||^2 >= 0, lam = 1/2."""
    *weights, c = multipliers
    found, moments = constants(multipliers), {}
    for key, (vectors, head, Q) in parts(multipliers).items():
        text = _PARTS[key]
        difference = sp.expand(found[key] * head**2 - Q)
        replay.derive(f"{text}, a coordinate", difference, {}, plus=_squares(difference, vectors))
        moments[key] = _moments(vectors, text)
        replay.expect(text, f"{text}, a coordinate", moments[key])

    for text, fact in facts(c).items():
        replay.given(text, _total(fact, moments), "smoothness", "a <= 1/6")
    replay.given("mean of y", s.grad_F**2 - moments["cF"][y**2], "definition", "E y = grad F")
    replay.given("task spread", s.sigma**2 - moments["cs"][g**2], "task variance")
    replay.given("inner noise", inner - moments["ci"][xi**2], "sample variance")
    replay.given("E||v||^2", _total(v**2, moments) - second_v, "definition")
    replay.given("E||q||^2", _total(q**2, moments) - second_q, "definition")
    heads = {"mean of y": found["cF"], "task spread": found["cs"], "inner noise": found["ci"]}
    replay.derive(
        "front",
        found["cF"] * s.grad_F**2 + found["cs"] * s.sigma**2 + found["ci"] * inner - second_v - _lam * second_q,
        {
            **dict.fromkeys(_PARTS.values(), 1),
            **dict(zip(facts(c), weights, strict=True)),
            **heads,
            "E||v||^2": 1,
            "E||q||^2": _lam,
        },
    )
