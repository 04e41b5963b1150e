"""Every proved claim on instances of all families, over decades of constants, up to and at the edges of its domain.

Nothing is sampled: sides are exact, or enclosed by Arb balls. HYPOTHESIS_PROFILE=thorough runs 100 times as many
examples; both profiles are derandomized.
"""

import math
import os
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from simulations import families
from simulations.verdicts import Cell, judged, trajectory
from simulations.verdicts.local import QUANTITIES
from simulations.verdicts.verdict import symbols_of, unseen
from theory import CLAIMS

_ORDINARY = 12
settings.register_profile("ordinary", derandomize=True, deadline=None, database=None, max_examples=_ORDINARY)
settings.register_profile("thorough", settings.get_profile("ordinary"), max_examples=100 * _ORDINARY)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ordinary"))

LOCAL = [
    claim_id
    for claim_id, claim in CLAIMS.items()
    if not unseen(claim, "published") and not symbols_of(claim, "published") & set(trajectory.QUANTITIES)
    if claim_id != "objective-gradient"
]
CEILINGS = {"gradient-relation": "2/5", "task-gradient-moment": "2/5", "multi-step-error": "1/12"}
CEILINGS |= {"multi-step-second-moment": "1/12", "multi-step-smoothness": "1/1", "smoothness": "1/1"}
CEILINGS |= {"descent-lemma": "1/1", "step-size-mean": "1/1", "step-size-moments": "1/1", "expected-descent": "1/1"}
SHAPES = ("cosine", "welsch", "algebraic_tail", "rotated", "quadratic")


def decades(low, high):
    return st.floats(low, high).map(lambda x: 10.0**x)


@st.composite
def instances(draw, shapes):
    """A family with constants over many decades, and a point at any distance from its start."""
    name, dim, tasks = draw(st.sampled_from(shapes)), draw(st.integers(1, 2)), draw(st.sampled_from([1, 2, 4, 5]))
    L, rho = draw(decades(-6, 6)), draw(decades(-6, 6))
    size = L * L / rho
    constants = {
        "L": L,
        "rho": 0 if name == "quadratic" else rho,
        "sigma": 0 if tasks == 1 else size * draw(decades(-3, 1)),
        "sigma_tilde": size * draw(st.sampled_from([0.0, 1e-3, 0.1, 1.0, 3.0])),
        "sigma_H": L * draw(st.sampled_from([0.0, 0.1, 1.0, 4.0])),
    }
    family = getattr(families, name)(dim=dim, tasks=tasks, seed=draw(st.integers(0, 9)), **constants)
    toward = np.array(draw(st.lists(st.floats(-1, 1), min_size=2 * dim, max_size=2 * dim)))
    reach = draw(decades(-2, 0.5)) * L / rho
    w, u = family.start + reach * toward[:dim], family.start + reach * toward[dim:]
    return family, w, u + (reach if np.array_equal(w, u) else 0.0)


@st.composite
def cells(draw, claim_id, shapes=SHAPES):
    """Options within the claim's domain, its edges among them."""
    family, w, u = draw(instances(shapes))
    claim, L = CLAIMS[claim_id], Fraction(family.constants.L)
    top = Fraction(CEILINGS.get(claim_id, "1/10" if claim_id.startswith("fo-") else "1/6"))
    share = draw(st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(1, 10), Fraction(1, 1000)]))
    options = {"w": w, "alpha": top * share / L}
    names = symbols_of(claim, "published")
    noise_free = claim_id.startswith("multi-step") or "F_step" in names
    for name in ("D_in", "D_o"):
        if name in names and not noise_free:
            options[name] = draw(st.sampled_from([None, 1, 2]))
    if "D_h" in names and not noise_free:
        options["D_h"] = max(1, math.ceil(2 * (float(options["alpha"]) * float(family.constants.sigma_H)) ** 2))
    if claim_id.startswith("multi-step"):
        options["N"] = draw(st.integers(1, 3))
    if "distance" in names:
        options["u"] = u
    if "B_step" in names and "F_step" not in names:
        least = (float(family.constants.rho * options["alpha"] * family.constants.sigma / family.constants.L)) ** 2 / 2
        options["B_step"] = max(1, math.ceil(least)) if least < 20 else None
    if claim_id == "expected-descent":
        options["B"] = draw(st.sampled_from([None, 1, 2, 3]))
    return family, options


def holds(claim_id, family, options):
    claim = CLAIMS[claim_id]
    for version, record in claim.versions.items():
        if record.status != "proved":
            continue
        found = judged(Cell(claim, family, version, **options))
        event(f"{found.status} {found.evidence}")
        assert found.status not in ("VIOLATED", "ERROR"), f"{found} with {family.recipe} {options}"
        yield found


@pytest.mark.parametrize("claim_id", LOCAL)
def test_proved_claims_are_never_violated(claim_id):
    decided = []

    @given(cells(claim_id))
    def check(cell):
        family, options = cell
        decided.extend(found.status == "HOLDS" for found in holds(claim_id, family, options))

    check()
    assert np.mean(decided) > 0.6


@pytest.mark.parametrize("claim_id", ["first-moment", "second-moment", "bias", "gradient-relation", "smoothness"])
def test_cosine_tasks_are_decided_by_balls(claim_id):
    """Rigorously, but for sides that are equal or both zero."""
    decided = []

    @given(cells(claim_id, shapes=("cosine",)))
    def check(cell):
        family, options = cell
        for found in holds(claim_id, family, options):
            assert found.evidence == "interval"
            decided.append(found.status == "HOLDS")

    check()
    assert np.mean(decided) > 0.95


@given(st.floats(0.001, 0.126), decades(-6, 6), decades(-6, 6), decades(-9, -3))
def test_fmo_44_is_found_refuted_wherever_it_is_false(a, L, rho, spread):
    """Two tasks pulling apart at a flattest point, for a below 0.12603."""
    sigma = spread * L * L / rho
    family = families.cosine(dim=1, tasks=2, L=L, rho=rho, sigma=sigma, sigma_tilde=0, sigma_H=0, shift_share=0)
    options = {"w": np.array([math.pi * L / rho]), "alpha": Fraction(a) / Fraction(L)}
    assert judged(Cell(CLAIMS["task-gradient-moment"], family, **options)).status == "VIOLATED"
    assert judged(Cell(CLAIMS["task-gradient-moment"], family, "repaired", **options)).status == "HOLDS"


def test_every_local_quantity_is_asked_for_by_a_claim():
    asked = set().union(*(symbols_of(CLAIMS[claim_id], "published") for claim_id in [*LOCAL, "objective-gradient"]))
    assert set(QUANTITIES) <= asked
