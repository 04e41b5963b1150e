"""Proofs as records that replay: every step is checked anew by exact arithmetic.

A proof works on scalars (norms, second moments, constants). It starts from facts that the assumptions give through a
named rule of analysis (`given`), each written as an expression that is not negative, and may only go on in these ways:

* `derive`: the new expression equals a combination of known ones, with multipliers shown not to be negative. The
  equality is an identity of rational functions, decided exactly.
* `root`: of two squares that compare, the roots compare.
* `product`: the product of two known expressions.
* `induct`: a statement about step j that holds at the start and passes from j to j + 1 holds at every step.
* `limit`: an inequality between continuous sides that holds near a point holds at it.
* `expect`: an inequality between squares that holds for every outcome holds for the expectations.
* `check`: a plain exact statement, such as a sign on an interval found by counting roots, or that of a constant in
  which pi occurs, enclosed in a ball.

So a constant lowered below what the proof supports leaves an identity that does not close or a multiplier that turns
negative, and the replay fails.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import flint
import sympy as sp

Interval = tuple[sp.Expr, sp.Expr] | sp.Interval

RULES = {
    "triangle": "triangle inequality",
    "Cauchy-Schwarz": "Cauchy-Schwarz inequality",
    "smoothness": "A2: gradients are L-Lipschitz, so Hessians have norm at most L",
    "Hessian-Lipschitz": "A3: Hessians are rho-Lipschitz, with the Taylor remainder rho ||v||^2 / 2",
    "task variance": "A4",
    "sample variance": "A5 and the independence of the samples: the mean of D samples has variance 1/D of one",
    "Jensen": "Jensen's inequality",
    "independence": "independent factors of mean zero: cross terms vanish",
    "domain": "hypothesis of the claim",
    "definition": "definition",
    "chain rule": "chain rule",
    "integral": "fundamental theorem of calculus and monotonicity of the integral",
    "sum": "inequalities add up",
    "instance": "an instance of the assumptions, exhibited",
}


@dataclass(frozen=True)
class Step:
    """One step of a proof: its name, what it says (`slack >= 0`), on what ground, and whether the check passed."""

    name: str
    slack: sp.Expr
    ground: str
    ok: bool

    def __str__(self) -> str:
        return f"[{'ok' if self.ok else 'FAILS'}] {self.name}: {self.slack} >= 0\n        {self.ground}"


@dataclass(frozen=True)
class Certificate:
    """A replayed proof. `ok` is true when every step passed; printing shows the steps.

    title: of what claim and version. steps: in the order in which they were checked.
    """

    title: str
    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool:
        """Whether there are steps and all of them passed."""
        return bool(self.steps) and all(step.ok for step in self.steps)

    @property
    def instances(self) -> tuple[str, ...]:
        """The instances of the assumptions it exhibits, in words."""
        prefix = f"given by {RULES['instance']}: "
        return tuple(step.ground.removeprefix(prefix) for step in self.steps if step.ground.startswith(prefix))

    def __str__(self) -> str:
        verdict = "replayed, every step holds" if self.ok else "REPLAY FAILED" if self.steps else "no proof"
        return "\n".join([f"{self.title}: {verdict}", *(f"  {step}" for step in self.steps)])


def nonnegative_on(expression: sp.Expr, symbol: sp.Symbol, interval: Interval) -> bool:
    """Decide `expression >= 0` on an interval for a rational function of one symbol, by counting roots.

    Args:
        expression: a rational function of `symbol` with rational coefficients.
        symbol: its only symbol.
        interval: a pair of end points (closed), or a SymPy Interval; ends are rational, p + q sqrt(r), or oo.

    Returns:
        True if it is proved not negative on the interval, with a denominator that has no root there.
    """
    numerator, denominator = sp.fraction(sp.cancel(sp.together(expression)))
    span = interval if isinstance(interval, sp.Interval) else sp.Interval(*map(sp.sympify, interval))
    sign = 1
    for part, may_vanish in ((numerator, True), (denominator, False)):
        content, factors = sp.factor_list(part, symbol)
        sign *= sp.sign(content)
        for factor, multiplicity in factors:
            polynomial = sp.Poly(factor, symbol)
            inside = _roots_inside(polynomial, span)
            edges = [e for e, o in ((span.start, span.left_open), (span.end, span.right_open)) if not o]
            if not may_vanish and (inside or any(_sign_at(polynomial, edge) == 0 for edge in edges)):
                return False
            if multiplicity % 2:
                if inside:
                    return False
                sign *= _sign_at(polynomial, (span.start + min(span.end, span.start + 2)) / 2)
    return bool(sign >= 0)


def _sign_at(polynomial: sp.Poly, point: sp.Expr) -> int:
    if point is sp.oo:
        return int(sp.sign(polynomial.LC()))
    sign = sp.sign(sp.expand(polynomial.eval(point)))
    if not sign.is_Integer:
        raise ValueError(f"the sign of {polynomial.as_expr()} at {point} was not decided")
    return int(sign)


def _roots_inside(polynomial: sp.Poly, span: sp.Interval) -> int:
    """Roots of a square-free polynomial strictly between the ends, by Sturm's theorem."""
    if polynomial.degree() == 0:
        return 0
    chain = [sp.Poly(p, polynomial.gens) for p in sp.sturm(polynomial)]
    changes = []
    for point in (span.start, span.end):
        signs = [x for x in (_sign_at(p, point) for p in chain) if x]
        changes.append(sum(x != y for x, y in pairwise(signs)))
    return changes[0] - changes[1] - (_sign_at(polynomial, span.end) == 0)


def enclosure(number: sp.Expr, bits: int) -> flint.arb:
    """A ball that contains a real number built from rationals, pi, sums, products and rational powers.

    Args:
        number: the number, exact.
        bits: working precision.

    Raises:
        ValueError: it is built from anything else.
    """
    with flint.ctx.workprec(bits):
        if number.is_Rational:
            return flint.arb(number.p) / number.q
        if number is sp.pi:
            return flint.arb.pi()
        if number.is_Add:
            return sum((enclosure(part, bits) for part in number.args), flint.arb(0))
        if number.is_Mul:
            return math.prod((enclosure(part, bits) for part in number.args), start=flint.arb(1))
        if number.is_Pow and number.exp.is_Rational:
            return enclosure(number.base, bits) ** enclosure(number.exp, bits)
    raise ValueError(f"{number} is not built from rationals, pi, sums, products and rational powers")


def _number_nonnegative(number: sp.Expr) -> bool:
    if number.is_Rational:
        return bool(number >= 0)
    return any(enclosure(number, bits) >= 0 for bits in (64, 256, 1024))


def nonnegative(expression: sp.Expr, box: Mapping[sp.Symbol, Interval]) -> bool:
    """Show `expression >= 0` for symbols in a box and all other symbols not negative.

    The expression is factored. A factor passes if it is an even power, or if every coefficient of it as a polynomial in
    the symbols outside the box passes: its own coefficients are not negative, or it is affine in a symbol of the box
    and passes at both ends, or counting roots of its one symbol settles it.

    Returns:
        True if shown. False means "not shown", which need not mean "false".
    """
    expression = sp.cancel(sp.together(expression))
    if expression.is_number:
        return _number_nonnegative(expression)
    numerator, denominator = sp.fraction(expression)
    sign = sp.Integer(1)
    for part in (numerator, denominator):
        content, factors = sp.factor_list(part)
        sign *= content
        for factor, multiplicity in factors:
            if multiplicity % 2 == 0 or _factor_nonnegative(factor, box):
                continue
            if not _factor_nonnegative(-factor, box):
                return False
            sign = -sign
    return bool(sign >= 0)


def _factor_nonnegative(factor: sp.Expr, box: Mapping[sp.Symbol, Interval]) -> bool:
    free = sorted(factor.free_symbols, key=str)
    outer = [symbol for symbol in free if symbol not in box]
    if any(not symbol.is_nonnegative for symbol in outer):
        return False
    if outer:
        return all(nonnegative(coefficient, box) for coefficient in sp.Poly(factor, *outer).coeffs())
    if all(symbol.is_nonnegative for symbol in free) and all(c >= 0 for c in sp.Poly(factor, *free).coeffs()):
        return True
    if len(free) == 1:
        return nonnegative_on(factor, free[0], box[free[0]])
    for symbol in free:
        if sp.degree(factor, symbol) == 1:
            ends = box[symbol].args[:2] if isinstance(box[symbol], sp.Interval) else box[symbol]
            return all(nonnegative(factor.subs(symbol, edge), box) for edge in ends)
    return False


@dataclass
class Replay:
    """The ledger in which a proof writes its steps while it runs.

    Args:
        box: closed intervals with rational ends for the symbols that have them, such as a in [0, 1/6].
    """

    box: Mapping[sp.Symbol, Interval]
    steps: list[Step] = field(default_factory=list)
    _known: dict[str, sp.Expr] = field(default_factory=dict)
    _defined: list[tuple[sp.Symbol, sp.Expr]] = field(default_factory=list)

    def _write(self, name: str, slack: sp.Expr, ground: str, ok: bool) -> None:
        if name in self._known:
            raise ValueError(f"a proof step named {name!r} stands already: give this one a name of its own")
        self.steps.append(Step(name, slack, ground, bool(ok)))
        self._known[name] = slack

    def given(self, name: str, slack: sp.Expr, rule: str, because: str = "") -> None:
        """A fact of analysis: `slack >= 0` by one of the rules in RULES."""
        self._write(name, slack, f"given by {RULES[rule]}{': ' * bool(because)}{because}", True)

    def adopt(self, earlier: Replay) -> None:
        """Go on from where another replay ended: its steps, its definitions and its box."""
        for step in earlier.steps:
            self._write(step.name, step.slack, step.ground, step.ok)
        self._defined += earlier._defined
        self.box = {**self.box, **earlier.box}

    def use(self, name: str, slack: sp.Expr, proof: Certificate) -> None:
        """A claim proved apart, whose own replay must hold."""
        self._write(name, slack, f"proved apart: {proof.title}, {len(proof.steps)} steps", proof.ok)

    def define(self, symbol: sp.Symbol, expression: sp.Expr) -> None:
        """Let a symbol stand for an expression of earlier ones; `derive` may use that they are equal.

        Raises:
            ValueError: the symbol has a meaning already.
        """
        if symbol in self.box or any(symbol is known for known, _ in self._defined):
            raise ValueError(f"{symbol} has a meaning already")
        self._defined.append((symbol, expression))
        sound = not symbol.is_nonnegative or nonnegative(expression, self.box)
        self._write(f"{symbol} := {expression}", sp.Integer(0), "definition of a symbol", sound)

    def change(self, symbol: sp.Symbol, expression: sp.Expr, new: sp.Symbol, interval: Interval) -> None:
        """Put `symbol` = `expression` in one new symbol, which must run through the whole of the old interval."""
        old, span = (i if isinstance(i, sp.Interval) else sp.Interval(*i) for i in (self.box[symbol], interval))
        low, high = (sp.radsimp(expression.subs(new, end)) for end in (span.start, span.end))
        covers = (
            nonnegative_on(sp.diff(expression, new), new, span)
            and bool(low < old.start or (low == old.start and (old.left_open or not span.left_open)))
            and bool(high > old.end or (high == old.end and (old.right_open or not span.right_open)))
        )
        self.box = {**{key: value for key, value in self.box.items() if key is not symbol}, new: span}
        self._write(f"{symbol} = {expression}", sp.Integer(0), f"{new} in {span} covers {symbol} in {old}", covers)

    def root(self, name: str, squares: str, larger: sp.Expr, smaller: sp.Expr) -> None:
        """From larger^2 - smaller^2 >= 0 and larger >= 0 to larger - smaller >= 0."""
        closes = sp.cancel(sp.together(self._known[squares] - larger**2 + smaller**2)) == 0
        ok = closes and nonnegative(larger, self.box)
        self._write(name, larger - smaller, f"square root of ({squares})", ok)

    def product(self, name: str, first: str, second: str) -> None:
        """Of two known expressions that are not negative the product is not."""
        self._write(name, self._known[first] * self._known[second], f"product of ({first}) and ({second})", True)

    def derive(self, name: str, slack: sp.Expr, by: Mapping[str, sp.Expr], plus: Iterable[sp.Expr] = ()) -> None:
        """`slack` equals the sum of multiplier * (known slack) over `by`, plus terms that are not negative.

        Raises:
            ValueError: a step of `by` is not known.
        """
        plus = [sp.sympify(term) for term in plus]
        missing = [key for key in by if key not in self._known]
        if missing:
            raise ValueError(f"step {name!r} uses {missing[0]!r}, which no earlier step has shown")
        total = sum(sp.sympify(m) * self._known[key] for key, m in by.items()) + sum(plus)
        difference = slack - total
        for symbol, expression in reversed(self._defined):
            difference = difference.subs(symbol, expression)
        closes = sp.cancel(sp.together(difference)) == 0
        signs = all(nonnegative(m, self.box) for m in (*map(sp.sympify, by.values()), *plus))
        parts = [f"{m} x ({key})" for key, m in by.items()] + [f"({term})" for term in plus]
        ground = "equals " + (" + ".join(parts) or "0, as an identity")
        self._write(name, slack, ground, closes and signs)

    def induct(
        self,
        name: str,
        slack: sp.Expr,
        start: Mapping[sp.Symbol, sp.Expr],
        step: Mapping[sp.Symbol, sp.Expr],
        by: Mapping[str, sp.Expr],
        keep: sp.Expr | int = 1,
        plus: Iterable[sp.Expr] = (),
    ) -> None:
        """`slack >= 0` at every j = 0, 1, 2, ... by induction; known facts used here hold at every j too.

        Args:
            name: of the conclusion; the start and the step are written under it.
            slack: in symbols that stand for values at j.
            start: their values at j = 0, where slack must be seen not to be negative.
            step: their values at j + 1.
            by, plus: as in `derive`: with these, slack at j + 1 is `keep` times slack at j and more.
            keep: what is kept of the slack at j.
        """
        self.check(f"{name}, at the start", slack.subs(start, simultaneous=True))
        known, self._known = self._known, {**self._known, f"{name}, at j": slack}
        after = slack.subs(step, simultaneous=True)
        self.derive(f"{name}, from j to j + 1", after, {f"{name}, at j": keep, **by}, plus)
        known |= {key: fact for key, fact in self._known.items() if key != f"{name}, at j"}
        self._known = known
        self._write(name, slack, "induction", all(step.ok for step in self.steps[-2:]))

    def expect(self, name: str, pointwise: str, moments: Mapping[sp.Expr, sp.Expr]) -> None:
        """Take expectations in a known inequality that is linear in the random squares named by `moments`."""
        random = sorted(set().union(*(key.free_symbols for key in moments)), key=str)
        polynomial = sp.Poly(sp.expand(self._known[pointwise]), *random)
        known = {sp.Poly(key, *random).monoms()[0]: mean for key, mean in moments.items()}
        known[(0,) * len(random)] = sp.Integer(1)
        linear = all(monomial in known for monomial in polynomial.monoms())
        expected = sum(c * known.get(monomial, sp.nan) for monomial, c in polynomial.terms())
        self._write(name, expected, f"expectation of ({pointwise}), linear in {', '.join(map(str, moments))}", linear)

    def limit(self, name: str, known: str, at: Mapping[sp.Symbol, sp.Expr]) -> None:
        """A known inequality that holds near a value of its symbols holds there too: both sides are continuous."""
        numerator, denominator = sp.fraction(sp.cancel(sp.together(self._known[known])))
        there = denominator.subs(at)
        continuous = there != 0 and nonnegative(there**2, self.box)
        self._write(name, numerator.subs(at) / there, f"limit of ({known}), which is continuous", continuous)

    def check(self, name: str, expression: sp.Expr, box: Mapping[sp.Symbol, Interval] | None = None) -> None:
        """`expression >= 0` on the proof's box, or on another, by exact arithmetic alone."""
        box = self.box if box is None else box
        self._write(name, expression, f"exact arithmetic on {self._box_text(box)}", nonnegative(expression, box))

    @staticmethod
    def _box_text(box: Mapping[sp.Symbol, Interval]) -> str:
        texts = []
        for symbol, interval in box.items():
            span = interval if isinstance(interval, sp.Interval) else sp.Interval(*interval)
            left, right = "(" if span.left_open else "[", ")" if span.right_open else "]"
            texts.append(f"{symbol} in {left}{span.start}, {span.end}{right}")
        return ", ".join(texts) or "all values"
