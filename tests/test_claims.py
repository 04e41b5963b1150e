"""The contract of every claim the folder scan finds."""

import itertools
import math
import random
from fractions import Fraction
from functools import cache

import pytest
import sympy as sp

from theory import CLAIMS, Claim, OutsideDomain
from theory import symbols as s
from theory.certify import Certificate
from theory.claim import plain
from theory.compiled import quick, quick_value
from theory.rationals import exact

HAIR = sp.Rational(1, 10**6)
VERSIONS = [(claim, which) for claim in CLAIMS.values() for which in claim.versions]
SHOWN = [(claim, which) for claim, which in VERSIONS if claim.versions[which].proof]
TRUE = [claim for claim in CLAIMS.values() if not claim.versions["published"].refutation]
HYPOTHESES = [(claim, h) for claim in CLAIMS.values() for h in claim.domain]


def _names(case):
    claim, other = case
    return f"{claim.id}: {other if isinstance(other, str) else plain(other.relation)}"


def _cases(pairs):
    return pytest.mark.parametrize(("claim", "other"), pairs, ids=map(_names, pairs))


def all_claims(test):
    return pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))(test)


def inside(claim: Claim, seed: int) -> dict[str, sp.Expr]:
    """A random exact point; every hypothesis "symbol against the rest" that failed was moved well inside."""
    rng = random.Random(seed)
    needed = set().union(*(claim._needs(which) for which in claim.versions))
    values = {name: sp.Rational(rng.randint(1, 60), 10 ** rng.randint(0, 4)) for name in sorted(needed)}
    for _ in range(3):
        for hypothesis in claim.domain:
            if not _holds(claim, hypothesis, values):
                inward = 2 if hypothesis.relation.rel_op in (">", ">=") else sp.Rational(1, 2)
                values[str(hypothesis.relation.lhs)] = _edge(hypothesis, values) * inward
    return values


def _point(values):
    return {s.QUANTITIES[name].symbol: exact(value) for name, value in values.items()}


def _edge(hypothesis, values):
    near = {symbol: quick(value) for symbol, value in _point(values).items()}
    return exact(quick_value(hypothesis.relation.rhs, near))


def _holds(claim, hypothesis, values):
    point = _point(values)
    try:
        if not hypothesis.clear({symbol: quick(value) for symbol, value in point.items()}):
            hypothesis.check(claim.id, point, rounded=False)
    except OutsideDomain:
        return False
    return True


@cache
def _certificate(claim_id: str, which: str) -> Certificate:
    return CLAIMS[claim_id].certificate(which)


@all_claims
def test_identity_card(claim):
    assert claim.id == claim.id.lower() and " " not in claim.id
    assert claim.title and claim.source and claim.kind in ("upper", "lower", "identity")
    assert {"published", "sharp"} <= set(claim.versions)
    assert not {"a", "lam"} & set(claim.needs), "a hypothesis is to be written in alpha, L, sigma_H and D_h"
    assert claim._repr_latex_().startswith("$")
    for hypothesis in claim.domain:
        assert hypothesis.source and hypothesis.relation.lhs.is_Symbol


@_cases(VERSIONS)
def test_both_sides_scale_alike(claim, other):
    assert s.weight(claim.versions[other].rhs) == s.weight(claim.left(other))


@_cases(HYPOTHESES)
def test_hypotheses_are_homogeneous(claim, other):
    if other.relation.rhs != 0:
        assert s.weight(other.relation.lhs) == s.weight(other.relation.rhs)


@all_claims
def test_certificate_replays_exactly_when_something_is_shown(claim):
    shown = {which for which, version in claim.versions.items() if version.proof or version.refutation}
    for which in claim.versions:
        certificate = _certificate(claim.id, which)
        assert certificate.ok == (which in shown), certificate
        assert claim.id in str(certificate)
    assert bool(shown) == (claim.verdict != "open")


def _cut(claim: Claim, which: str, name: str) -> sp.Expr:
    """A value just below what any proof of the claim can reach for this constant (above, for a lower bound)."""
    outward = HAIR if claim.kind == "lower" else -HAIR
    value = sp.sympify(claim.versions[which].constants[name])
    if not value.is_number or len(claim.versions) == 1:
        return value + outward
    rivals = [
        version.constants[name] for version in claim.versions.values() if version.proof and name in version.constants
    ]
    ends = [interval.args[:2] if isinstance(interval, sp.Interval) else interval for interval in claim.box.values()]
    corners = [dict(zip(claim.box, corner, strict=True)) for corner in itertools.product(*ends)]
    worst, best = (min, max) if claim.kind == "lower" else (max, min)
    return best(worst(sp.sympify(rival).subs(corner) for corner in corners) for rival in rivals) + outward


@_cases(SHOWN)
def test_a_constant_cut_below_what_the_proof_supports_fails_the_replay(claim, other):
    for name in claim.versions[other].constants:
        cut = _cut(claim, other, name)
        assert not claim.certificate(other, **{name: cut}).ok, f"{name} = {cut} still passes"


@_cases(SHOWN)
def test_every_proof_ends_in_the_statement(claim, other):
    version = claim.versions[other]
    final = [step for step in _certificate(claim.id, other).steps if step.name.startswith("statement")]
    assert final and all(step.slack.has(*claim.left(other).free_symbols) for step in final)
    assert not any("given by" in step.ground for step in final), version.source


@_cases(HYPOTHESES)
def test_outside_a_hypothesis_it_is_named_with_the_value(claim, other):
    symbol = other.relation.lhs
    outward = sp.Rational(99, 100) if other.relation.rel_op in (">", ">=") else sp.Rational(101, 100)
    for seed in range(200):
        values = inside(claim, seed)
        values[str(symbol)] = _edge(other, values) * outward
        sensible = values[str(symbol)] > 0 or other.relation.rhs == 0
        if sensible and [h for h in claim.domain if not _holds(claim, h, values)] == [other]:
            break
    else:
        pytest.fail(f"no point fails {plain(other.relation)} alone")
    for which in claim.versions:
        with pytest.raises(OutsideDomain) as refusal:
            claim.evaluate(which, **values)
        message = str(refusal.value)
        assert plain(other.relation) in message and "\n" not in message
        assert f"{symbol} = {sp.N(values[str(symbol)], 6)}" in message


@_cases([(claim, h) for claim, h in HYPOTHESES if h.relation.rel_op in ("<=", ">=")])
def test_a_float_within_two_ulp_of_the_edge_counts_as_the_edge(claim, other):
    symbol = str(other.relation.lhs)
    direction = -1 if other.relation.rel_op == ">=" else 1
    for seed in range(200):
        values = inside(claim, seed)
        edge = float(_edge(other, values))
        ulps = [edge * (1 + direction * n * 2.0**-52) for n in (1.0, 64.0)]
        far = values | {symbol: ulps[1]}
        if edge > 0 and [h for h in claim.domain if not _holds(claim, h, far)] == [other]:
            break
    else:
        pytest.fail(f"no point fails {plain(other.relation)} alone")
    assert math.isfinite(claim.evaluate(**values | {symbol: ulps[0]}))
    with pytest.raises(OutsideDomain):
        claim.evaluate(**far)
    with pytest.raises(OutsideDomain):
        claim.evaluate(**values | {symbol: Fraction(*ulps[1].as_integer_ratio())})


@pytest.mark.parametrize(
    "claim", [c for c in CLAIMS.values() if not c.versions["published"].refutation], ids=lambda claim: claim.id
)
def test_sharp_is_never_worse_than_published(claim):
    """Where the published form is refuted this is not asked: a true one need not lie below a false one."""
    for seed in range(20):
        values = inside(claim, seed)
        published, sharp = claim.evaluate(**values), claim.evaluate("sharp", **values)
        worse, better = (sharp, published) if claim.kind != "lower" else (published, sharp)
        assert worse <= better + 1e-12 * abs(better)


@_cases(VERSIONS)
def test_evaluation_is_that_of_exact_arithmetic_for_every_spelling_of_a_number(claim, other):
    for seed in range(3):
        values = inside(claim, seed)
        right = claim.versions[other].rhs
        expected = float(right.subs(_point(values)))
        assert claim.evaluate(other, **values) == pytest.approx(expected, rel=1e-14)
        spelt = {name: str(value) for name, value in values.items()}
        assert claim.evaluate(other, **spelt) == claim.evaluate(other, **values)
        fractions = {name: Fraction(int(value.p), int(value.q)) for name, value in values.items()}
        assert claim.evaluate(other, **fractions) == claim.evaluate(other, **values)


@all_claims
def test_exact_oracles_are_infinite_batches(claim):
    batches = [name for name in claim.needs if name in ("B", "D_in", "D_o", "D_h", "B_step", "D_step")]
    values = inside(claim, 0)
    large = values | dict.fromkeys(batches, 10**40)
    assert claim.evaluate(**values | dict.fromkeys(batches, math.inf)) == pytest.approx(
        claim.evaluate(**large), rel=1e-14, abs=1e-15
    )


@all_claims
def test_refusals_are_one_clear_sentence(claim):
    values = inside(claim, 0)
    first = next(iter(claim.needs))
    cases = [
        (values | {"lr": 1}, TypeError, "'lr', which is no symbol"),
        ({k: v for k, v in values.items() if k != first}, TypeError, f"needs {first}"),
        (values | {first: "many"}, ValueError, f"{first} must be a number, got 'many'"),
        (values | {first: math.nan}, ValueError, f"{first} must be a number"),
        (values | {first: -1}, ValueError, f"{first} must be"),
    ]
    for given, error, words in cases:
        with pytest.raises(error, match=words) as refusal:
            claim.evaluate(**given)
        assert "\n" not in str(refusal.value)
    with pytest.raises(KeyError, match="has no version"):
        claim.evaluate("best", **values)


def test_margin_is_positive_below_the_bound():
    bias = CLAIMS["bias"]
    values = {"alpha": "1/6", "L": 1, "D_in": 4, "sigma_tilde": 10}
    assert bias.margin(0.5, **values) == pytest.approx(0.5)
    assert bias.margin(2, **values) == pytest.approx(-1)


def test_exact_values_at_one_sixth():
    at = {"a": "1/6", "lam": "1/2"}
    assert tuple(CLAIMS["second-moment"].constants(**at).values()) == tuple(
        map(sp.Rational, ("9849/529", "948787/152352", "67/36", "67/432"))
    )
    assert CLAIMS["first-moment"].constants(**at)["ci"] == sp.Rational(49, 648)
    assert CLAIMS["gradient-relation"].constants("published", **at) == {
        "cF": sp.Rational(36, 23),
        "cs": sp.Rational(13, 23),
    }
    assert CLAIMS["smoothness"].constants(**at) == {"cL": sp.Rational(49, 36), "cg": sp.Rational(7, 6)}
