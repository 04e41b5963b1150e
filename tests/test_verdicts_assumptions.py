"""A1-A5 as verdicts: true constants hold by proof, wrong ones are refuted or not believed."""

import math
from dataclasses import replace

import pytest

from simulations import families
from simulations.verdicts import check, replay
from theory import Constants

COSINE = families.cosine(dim=2, tasks=4)
WELSCH = families.welsch(dim=2, tasks=4)


def declared(family, name, factor):
    kept = {each: getattr(family.constants, each) for each in ("L", "rho", "sigma", "sigma_tilde", "sigma_H")}
    return replace(family, constants=Constants(**{**kept, name: kept[name] * factor}))


@pytest.mark.parametrize(("family", "evidence"), [(COSINE, "interval"), (WELSCH, "symbolic")], ids=["cosine", "welsch"])
@pytest.mark.parametrize("assumption", ["A1", "A2", "A3", "A4", "A5"])
def test_true_constants_hold(assumption, family, evidence):
    found = check(assumption, family)
    assert found.status == "HOLDS"
    assert found.evidence == (evidence if assumption in ("A2", "A3", "A4") else "exact")
    assert replay(found.key).row() == found.row()


@pytest.mark.parametrize("family", [COSINE, WELSCH], ids=["cosine", "welsch"])
@pytest.mark.parametrize(("assumption", "constant"), [("A2", "L"), ("A3", "rho"), ("A4", "sigma")])
def test_a_constant_wrong_by_one_percent_is_never_a_silent_holds(assumption, constant, family):
    low = check(assumption, declared(family, constant, 0.99))
    assert (low.status, low.expected) == ("VIOLATED", False)
    assert math.isclose(low.slack, 0.99, rel_tol=1e-3)
    high = check(assumption, declared(family, constant, 1.01))
    assert high.status == "UNDECIDED" and "declared attained" in high.reason


def test_a_family_without_a_proof_is_not_believed():
    found = check("A2", replace(WELSCH, proof=None))
    assert found.status == "UNDECIDED" and "nothing proves" in found.reason
    altered = replace(WELSCH, probabilities=WELSCH.probabilities[::-1] * [1.5, 0.5, 1.5, 0.5])
    assert check("A2", altered).status == "UNDECIDED"


def test_a_task_that_is_no_number_is_an_error():
    table = WELSCH.table.copy()
    table[1, 0, 0] = math.nan
    assert check("A4", replace(WELSCH, table=table)).status == "ERROR"
