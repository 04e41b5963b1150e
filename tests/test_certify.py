"""The exact arithmetic behind the proofs: true inequalities pass, inequalities false by a hair do not."""

import pytest
import sympy as sp

from theory.certify import Certificate, Replay, enclosure, nonnegative, nonnegative_on

x, y, u = sp.symbols("x y u", nonnegative=True)
HAIR = sp.Rational(1, 10**30)
UNIT = (sp.Integer(0), sp.Integer(1))
THIRD = sp.Rational(1, 3)


@pytest.mark.parametrize(
    ("expression", "interval", "holds"),
    [
        ((x - THIRD) ** 2, UNIT, True),
        ((x - THIRD) ** 2 - HAIR, UNIT, False),
        (x * (1 - x), UNIT, True),
        (x * (1 - x) - HAIR, UNIT, False),
        (1 - x, (sp.Integer(0), 1 + HAIR), False),
        (x, (-HAIR, sp.Integer(1)), False),
        (x**3 - 3 * x + 2, (sp.Integer(0), sp.Integer(2)), True),
        (x**3 - 3 * x + 2 - HAIR, (sp.Integer(0), sp.Integer(2)), False),
        (x**2 - 2, (sp.sqrt(2), sp.Integer(2)), True),
        (x**2 - 2 - HAIR, (sp.sqrt(2), sp.Integer(2)), False),
        (2 - x**2, (sp.Integer(0), sp.sqrt(2)), True),
        (1 / (2 - x), UNIT, True),
        (1 / (1 - x), UNIT, False),
        (1 / (1 - x), sp.Interval.Ropen(0, 1), True),
        (1 / (1 - 2 * x - x**2), sp.Interval.Ropen(0, sp.sqrt(2) - 1), True),
        (1 / (1 - 2 * x - x**2), sp.Interval(0, sp.sqrt(2) - 1), False),
        (1 / (1 - 2 * x - x**2), (sp.Integer(0), sp.Rational(1, 2)), False),
        (1 / (x - THIRD) ** 2, UNIT, False),
        (sp.Integer(-1) + 0 * x, UNIT, False),
    ],
)
def test_one_variable(expression, interval, holds):
    assert nonnegative_on(expression, x, interval) is holds


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        (u * (1 - x) + y, True),
        (u * (1 - x) - HAIR * y, False),
        (x * y + u - HAIR * x * u, True),
        (1 - x * y, True),
        (1 - HAIR - x * y, False),
        ((x - y) ** 2, True),
        ((x - y) ** 3, False),
        (-((x - y) ** 2), False),
        ((u - 1) * u, False),
        (1 / (u - 1), False),
        (sp.Integer(0), True),
        (-HAIR, False),
    ],
)
def test_several_variables(expression, holds):
    assert nonnegative(expression, {x: UNIT, y: UNIT}) is holds


def test_a_symbol_of_unknown_sign_is_never_taken_for_nonnegative():
    assert not nonnegative(sp.Symbol("t") + 1, {})


def _started() -> Replay:
    replay = Replay({x: UNIT})
    replay.given("first", y - x, "domain")
    return replay


@pytest.mark.parametrize(
    ("slack", "multiplier", "plus", "holds"),
    [
        (2 * y - 2 * x, 2, [], True),
        (2 * y - 2 * x - HAIR, 2, [], False),
        (2 * y - 2 * x + HAIR, 2, [], False),
        (x - y, -1, [], False),
        (y, 1, [x], True),
        (y - 2 * x, 1, [-x], False),
        (u * (y - x), u, [], True),
        ((u - 1) * (y - x), u - 1, [], False),
    ],
)
def test_derivations_close_exactly_and_only_with_nonnegative_multipliers(slack, multiplier, plus, holds):
    replay = _started()
    replay.derive("second", slack, {"first": multiplier}, plus)
    assert Certificate("test", tuple(replay.steps)).ok is holds


def test_a_step_must_rest_on_an_earlier_one_and_have_its_own_name():
    replay = _started()
    with pytest.raises(ValueError, match="no earlier step"):
        replay.derive("second", y, {"zeroth": 1})
    with pytest.raises(ValueError, match="name of its own"):
        replay.given("first", y, "domain")


@pytest.mark.parametrize(("slack", "holds"), [(u**2 - 3 * y**2, True), (u**2 - y, False), (u**2 * y**2, False)])
def test_expectations_need_linearity_in_the_named_moments(slack, holds):
    replay = Replay({})
    replay.given("pointwise", slack, "domain")
    means = sp.symbols("Eu2 Ey2", nonnegative=True)
    replay.expect("mean", "pointwise", {u**2: means[0], y**2: means[1]})
    assert replay.steps[-1].ok is holds


def test_a_failed_step_spoils_the_certificate_and_shows():
    replay = _started()
    replay.check("false", x - HAIR)
    certificate = Certificate("test", tuple(replay.steps))
    assert not certificate.ok
    assert "FAILED" in str(certificate) and "[FAILS] false" in str(certificate)
    assert not Certificate("empty", ()).ok


DIGITS = sp.floor(sp.pi * 10**100)


@pytest.mark.parametrize(
    ("number", "holds"),
    [
        (sp.pi - sp.Rational(DIGITS, 10**100), True),
        (sp.Rational(DIGITS, 10**100) - sp.pi, False),
        (sp.Rational(DIGITS + 1, 10**100) - sp.pi, True),
        (sp.pi * sp.sqrt(3) - sp.Rational(5441398, 10**6), True),
        (sp.pi * sp.sqrt(3) - sp.Rational(5441399, 10**6), False),
        (sp.Integer(2) ** sp.Rational(1, 3) / sp.pi - sp.Rational(401, 1000), True),
    ],
)
def test_constants_with_pi_and_roots(number, holds):
    assert nonnegative(number, {}) is holds


def test_a_ball_contains_the_number_and_is_narrow():
    for number in (sp.pi, sp.sqrt(3) / sp.pi - sp.pi**2, (1 + sp.pi) ** sp.Rational(-1, 3)):
        coarse, fine = (enclosure(number, bits) for bits in (64, 256))
        assert coarse.contains(fine)
        assert 0 < float(coarse.rad()) < 1e-15 * abs(float(number)) and float(fine.rad()) < 1e-60
    with pytest.raises(ValueError, match="not built from"):
        enclosure(sp.exp(1), 64)
