"""The Pareto front of (8): the committed points are what the search finds, none dominates another, all replay."""

from dataclasses import replace

import pytest
import sympy as sp

from theory import CLAIMS
from theory.claims import _second_front as front
from theory.claims.moments import front_proof
from theory.sharpening.front import second_moment_front

CLAIM = CLAIMS["second-moment"]
NAMES = list(front.MULTIPLIERS)
KEYS = ("cF", "cs", "ci")


def dominates(one, other):
    return all(one[key] <= other[key] for key in (*KEYS, "co"))


@pytest.mark.parametrize("name", NAMES)
def test_the_search_finds_the_committed_point_and_certifies_it(name):
    found = second_moment_front(1, 1, int(name.removeprefix("front-")))
    committed = CLAIM.versions[name].constants
    assert all(abs(found.constants[key] - committed[key]) <= sp.Rational(3, 1000) for key in KEYS)
    certified = replace(CLAIM, versions={**CLAIM.versions, "found": found}).certificate("found")
    assert certified.ok
    assert len(certified.steps) > 20


def test_front_18_is_better_than_the_sharper_route_in_every_place_and_no_point_dominates_another():
    sharper, best = CLAIM.constants("sharper", a="1/6", lam="1/2"), CLAIM.constants("front-18")
    assert dominates(best, sharper)
    assert all(best[key] < sharper[key] for key in KEYS)
    for one in NAMES:
        for other in set(NAMES) - {one}:
            assert not dominates(CLAIM.constants(one), CLAIM.constants(other))


@pytest.mark.parametrize("place", range(6))
def test_with_a_multiplier_changed_less_is_shown(place):
    multipliers = list(front.MULTIPLIERS["front-18"])
    multipliers[place] *= sp.Rational(21, 20) if place < 5 else sp.Rational(1, 2)
    assert not dominates({**front.constants(tuple(multipliers)), "co": 0}, {**CLAIM.constants("front-18"), "co": 0})


def test_a_form_that_is_not_positive_is_not_shown():
    multipliers = list(front.MULTIPLIERS["front-18"])
    multipliers[3] = sp.Integer(1)
    broken = replace(CLAIM.versions["front-18"], proof=front_proof(tuple(multipliers)))
    assert not replace(CLAIM, versions={**CLAIM.versions, "front-18": broken}).certificate("front-18").ok


@pytest.mark.parametrize(("weights", "named"), [((0, 1, 1), "wF"), ((1, -1, 1), "ws"), ((1, 1, "inf"), "wi")])
def test_weights_must_be_positive(weights, named):
    with pytest.raises(ValueError, match=f"{named} must be positive and finite"):
        second_moment_front(*weights)
