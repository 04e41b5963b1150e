"""Planted faults are caught by the ordinary checks, and the real thing passes the same checks."""

import pytest

from simulations.verdicts import faults, judged


@pytest.mark.parametrize("fault", faults.FAULTS)
def test_every_fault_is_caught(fault):
    found = faults.caught(fault)
    assert found and all(each.excess > 1 for each in found if each.claim != "objective-gradient")


def test_maml_itself_is_not():
    assert [judged(cell).status for _, cell in faults.cells() if judged(cell).status == "VIOLATED"] == []
