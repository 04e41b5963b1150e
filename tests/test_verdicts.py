"""Verdicts: the sides against numbers found another way, statuses that tell, keys that replay, faults that are seen."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

from simulations import enumeration, exact, families
from simulations.verdicts import Cell, check, judged, local, replay, suite
from theory import ASSUMPTIONS, CLAIMS, Constants
from theory import symbols as s

COSINE = families.cosine(dim=2, tasks=4)
ONE = {"D_in": 1, "D_o": 1, "D_h": 1}


def with_constants(family, **changed):
    kept = {name: getattr(family.constants, name) for name in ("L", "rho", "sigma", "sigma_tilde", "sigma_H")}
    return replace(family, constants=Constants(**{**kept, **changed}))


def cut(claim_id, which, **factors):
    """The claim with constants of one version multiplied."""
    claim = CLAIMS[claim_id]
    version = claim.versions[which]
    constants = {name: sp.Rational(factors.get(name, 1)) * value for name, value in version.constants.items()}
    return replace(claim, versions={**claim.versions, which: replace(version, constants=constants)})


def test_both_sides_are_what_the_parts_give():
    found, moments = check("second-moment", COSINE, **ONE), exact.moments(COSINE, COSINE.start, 1 / 6, 1, 1, 1)
    norm = np.linalg.norm(exact.meta_gradient(COSINE, COSINE.start, 1 / 6))
    right = 40 * norm**2 + 14 * 0.5**2 + 0.3**2 * (2 + 1 / 6)
    assert (found.status, found.evidence) == ("HOLDS", "interval")
    assert math.isclose(found.lhs, moments.second, rel_tol=1e-9) and math.isclose(found.rhs, right, rel_tol=1e-9)
    assert math.isclose(found.slack, right / moments.second, rel_tol=1e-9)


@pytest.mark.parametrize("name", ["grad_F", "grad_f", "mean_grad", "task_second", "mean_G", "second_G", "bias_norm"])
def test_quantities_at_a_point_against_plain_numpy(name):
    """Closed form moments against all outcomes of two-point noise where nothing but the noise's variance enters."""
    quadratic_like = families.cosine(dim=2, tasks=4, rho=1e-3, sigma=0.5)
    p, w, alpha = quadratic_like.probabilities, quadratic_like.start, 1 / 6
    g, H = quadratic_like.gradients(w), quadratic_like.hessian_vector_products(w, np.ones(2))
    h = quadratic_like.gradients_at(w - alpha * g)
    rows = (1 - alpha * H) * h
    spread = 0.3**2 / 2
    second = p @ (((1 - alpha * H) ** 2 + alpha**2 * 0.2**2) * (h**2 + spread * (1 + (alpha * H) ** 2))).sum(axis=1)
    expected = {
        "grad_F": np.linalg.norm(p @ rows),
        "grad_f": np.linalg.norm(p @ g),
        "mean_grad": p @ np.linalg.norm(g, axis=1),
        "task_second": p @ (rows**2).sum(axis=1),
        "mean_G": np.linalg.norm(p @ rows),
        "second_G": second,
        "bias_norm": 0.0,
    }
    point = local.Point(Cell(CLAIMS["second-moment"], quadratic_like, by="moments", **ONE), set())
    scale = 1e3
    assert abs(float(local.QUANTITIES[name](point)) - expected[name]) <= 1e-6 * max(scale, expected[name])


@pytest.mark.parametrize("rho", [0.3, 1.0, 20.0])
def test_moments_from_outcomes_agree_with_an_expansion_by_hand(rho):
    """One task, one coordinate, four outcomes."""
    family, alpha = families.cosine(dim=1, tasks=1, sigma=0, rho=rho), 0.1
    found = enumeration.moments(family, family.start, alpha, 1, 1, 1)

    def slope(u):
        return family.gradients(np.array([u]))[0, 0]

    w = family.start[0]
    H = family.hessian_vector_products(family.start, np.ones(1))[0, 0]
    inner = [slope(w - alpha * (slope(w) + xi)) for xi in (0.3, -0.3)]
    mean = (1 - alpha * H) * np.mean(inner)
    second = ((1 - alpha * H) ** 2 + (alpha * 0.2) ** 2) * (np.mean(np.square(inner)) + 0.3**2)
    assert math.isclose(found.mean[0], mean, rel_tol=1e-12) and math.isclose(found.second, second, rel_tol=1e-12)


def test_a_hypothesis_that_fails_is_named():
    found = check("second-moment", COSINE, alpha=0.3)
    assert found.status == "NOT_APPLICABLE" and "alpha <= 1/(6*L)" in found.reason
    found = check("iteration-bound", with_constants(COSINE, sigma=3), eps=0.1, B=20)
    assert found.status == "NOT_APPLICABLE" and "noise floor" in found.reason
    found = check("second-moment", with_constants(COSINE, sigma_H=10), D_h=1)
    assert found.status == "NOT_APPLICABLE" and "D_h >=" in found.reason


def test_alpha_at_the_edge_is_inside():
    assert check("second-moment", COSINE, alpha="1/6").status == "HOLDS"
    assert check("second-moment", COSINE, alpha=1 / 6).status == "HOLDS"


def test_what_cannot_be_decided_is_said():
    assert "needs eps" in check("iteration-bound", COSINE).reason
    found = check("iteration-bound", COSINE, eps=2.0, B=200)
    assert found.status == "UNDECIDED" and "sampled batches" in found.reason
    found = check("multi-step-second-moment", COSINE, N=2, D_in=1)
    assert found.status == "UNDECIDED" and "inner steps" in found.reason


def test_a_claim_no_instance_shows_is_decided_by_its_certificate():
    assert [check("hessian-noise", COSINE, version=v).status for v in ("published", "sharp")] == ["VIOLATED", "HOLDS"]
    assert check("hessian-noise", COSINE).evidence == "symbolic"
    cheat = cut("imaml-error", "sharp", cB="1/2")
    assert check(cheat, COSINE, version="sharp").status == "ERROR"


def test_the_refuted_fmo_44_is_found_refuted_on_its_instance():
    opposed = suite.HARD["opposed"]()
    found = check("task-gradient-moment", opposed.family, alpha="0.06984")
    assert (found.status, found.evidence, found.expected) == ("VIOLATED", "interval", True)
    assert math.isclose(1 / found.slack, 1.0827, rel_tol=1e-4)
    assert check("task-gradient-moment", opposed.family, version="repaired", alpha="0.06984").status == "HOLDS"


@pytest.mark.parametrize(
    ("claim_id", "options"),
    [
        ("second-moment", {**ONE, "version": "sharper", "w": np.array([0.1, -0.2]), "alpha": "1/7"}),
        ("smoothness", {"u": np.array([0.25, 0.5])}),
        ("iteration-bound", {"eps": 0.5}),
        ("hf-maml-bias", {"zeta": "1/8", "D_in": 2}),
    ],
)
def test_a_key_replays_the_cell_bit_for_bit(claim_id, options):
    moved = families.cosine(dim=2, tasks=4, sigma=0.4, seed=3).started_at(np.array([1.0, 1.5]))
    found = check(claim_id, moved, **options)
    again = replay(found.key)
    assert again.row() == found.row()
    assert again.key == found.key and json.dumps(found.row())


def test_a_family_altered_after_it_was_built_has_no_key():
    with pytest.raises(ValueError, match="altered"):
        check("bias", with_constants(COSINE, sigma=0.499)).key  # noqa: B018
    with pytest.raises(ValueError, match="not the registered claim"):
        check(cut("bias", "published", c=2), COSINE).key  # noqa: B018
    with pytest.raises(ValueError, match="no replay key"):
        replay("nonsense")


ON_NAN = [("second-moment", ONE), ("bias", ONE), ("smoothness", {}), ("iteration-bound", {"eps": 0.5})]


@pytest.mark.parametrize(("claim_id", "options"), ON_NAN)
def test_a_planted_nan_ends_in_error(claim_id, options):
    table = COSINE.table.copy()
    table[1, 2, 0] = math.nan
    options = {name: size for name, size in options.items() if name in CLAIMS[claim_id].needs}
    found = check(claim_id, replace(COSINE, table=table), **options)
    assert found.status == "ERROR" and "number" in found.reason and not found.expected


def test_each_published_constant_cut_below_its_worst_case_is_caught():
    flat = suite.HARD["flat"]().family
    assert check("second-moment", flat, D_o=1).status == "HOLDS"
    share = check(cut("second-moment", "published", co="68/100"), flat, D_o=1)
    assert share.status == "VIOLATED" and not share.expected
    assert check(cut("second-moment", "sharper", co="99/100"), flat, D_o=1, version="sharper").status == "VIOLATED"


def test_the_gradient_is_derived_another_way_and_a_wrong_estimate_is_seen():
    assert check("objective-gradient", COSINE).status == "HOLDS"
    assert check("objective-gradient", COSINE, estimate="fo_maml").status == "VIOLATED"
    assert check("bias", COSINE, estimate="fo_maml").status == "VIOLATED"


@pytest.mark.parametrize("claim_id", ["expected-decrease", "telescoped", "iteration-bound", "noise-floor"])
def test_claims_on_a_real_run_hold_and_can_fail(claim_id):
    ramp = families.resisting_ramp(eps=0.1)
    found = check(claim_id, ramp, eps=0.1)
    assert (found.status, found.evidence) == ("HOLDS", "exact")
    name = "K" if claim_id == "iteration-bound" else "c"
    if name == "K":
        assert 30 < 1600 / found.slack < 48
    if claim_id != "noise-floor":
        slack = sp.Rational(found.slack)
        factor = slack * sp.Rational(11, 10) if CLAIMS[claim_id].kind == "lower" else sp.Rational(9, 10) / slack
        assert check(cut(claim_id, "published", **{name: factor}), ramp, eps=0.1).status == "VIOLATED"


def test_every_default_cell_has_a_column_and_a_claim():
    found = list(suite.cells(suite.chosen_claims(), suite.instances()))
    assert {cell.claim.id for _, cell in found} == {*CLAIMS, *ASSUMPTIONS}
    assert {column for column, _ in found} == {*families.BY_CONSTANTS, *suite.HARD, suite.BY_PROOF}


@pytest.mark.parametrize("version", ["published", "sharp"])
@pytest.mark.parametrize("claim_id", ["first-moment", "bias", "step-size-moments", "expected-descent", "smoothness"])
def test_default_cells_of_a_claim_are_decided(claim_id, version):
    for _, cell in suite.cells(suite.chosen_claims([claim_id]), suite.instances()):
        if cell.version == version:
            assert judged(cell).status == "HOLDS"


def test_the_scaling_weights_of_the_table_are_those_of_the_symbols():
    """Every quantity of the table is a symbol of the theory, so no cell can hold a claim against the wrong letter."""
    assert set(local.QUANTITIES) <= set(s.QUANTITIES)
