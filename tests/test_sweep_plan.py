"""The file of a sweep and its cells: all faults at once, every cell once, keys of content alone, results that stay."""

import math
from pathlib import Path

import pytest

from simulations.sweep import axes
from simulations.sweep.configuration import Faults, read
from simulations.sweep.content import PHYSICS, key, noise_seed, portable, unpacked
from simulations.sweep.evaluate import evaluated
from simulations.sweep.plan import Plan

SMALL = """
[axes]
claim = ["first-moment", "bias"]
family = ["cosine", "quadratic"]
rho = [1, 2]
D_in = [1, 20]
[[zip]]
sigma = ["1/2", "1/4"]
sigma_tilde = [0.3, 0.2]
[fixed]
dim = 2
tasks = 4
"""


def plan(text):
    return Plan(read(text))


def test_all_faults_of_a_file_are_named_at_once_with_their_keys():
    text = """
    [axes]
    claim = ["bias", "no-such-claim"]
    L = [1, -1]
    nope = [1]
    D_in = [0]
    rho = {linspace = [1, 0, 3]}
    eps = [1, 1.0]
    [[zip]]
    sigma = [1, 2]
    sigma_H = [1]
    [fixed]
    L = 3
    a = 1
    alpha = 2
    """
    with pytest.raises(Faults) as error:
        read(text, "mine.toml")
    said = str(error.value)
    assert said.startswith("mine.toml has 9 faults:")
    for key_, right in (
        ("axes.claim", "no-such-claim"),
        ("axes.L", "a positive number, got -1"),
        ("axes.D_in", 'a whole number from 1 on, or "inf", got 0'),
        ("axes.rho", "first < last"),
        ("axes.eps", "every value once, got 1 twice"),
        ("zip.0", "sigma 2, sigma_H 1"),
        ("fixed.L", "is given before, as axes.L"),
        ("nope", "nothing here takes it"),
        ("a:", "only one of a and alpha"),
    ):
        assert any(key_ in line and right in line for line in said.splitlines()), (key_, said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[axes\n", "no TOML"),
        ('kind = "chek"', "'check' or 'run'"),
        ("[workers]\ntime_limit = 0", "workers.time_limit: input should be greater than 0"),
        ("[sampling]\ndelta = 1\nbudget = 0", "2 faults"),
        ("[axes]\nL = [1]", "axes.claim: is missing"),
        ('kind = "run"', "alpha: is missing"),
        ('[axes]\nclaim = ["bias"]\nversion = ["front-4"]', "none of the claims has a version 'front-4'"),
        ('[axes]\nclaim = ["bias"]\nfamily = ["nowhere"]', "axes.family: must be one of"),
        ('[axes]\nclaim = ["bias"]\nfamily = ["regression"]', "a family asked for by constants"),
    ],
)
def test_other_faults(text, said):
    with pytest.raises(Faults, match="configuration") as error:
        read(text)
    assert said in str(error.value)


def test_every_cell_comes_once_in_any_order_and_axes_that_a_family_does_not_take_add_none():
    found = plan(SMALL)
    keys = [key(cell) for cell in found.cells()]
    assert len(found) == len(keys) == len(set(keys)) == 2 * 2 * 2 * 2 * 2
    shuffled = [key(cell) for cell in found.cells(shuffle=5)]
    assert shuffled != keys and set(shuffled) == set(keys)
    ramp = plan('[axes]\nclaim = ["A2"]\nfamily = ["cosine", "resisting_ramp"]\nslope_factor = [1.02, 1.05, 1.1]')
    assert len(ramp) == len({key(cell) for cell in ramp.cells()}) == 1 + 3
    zipped = plan('[axes]\nclaim = ["A2"]\n[[zip]]\nfamily = ["cosine", "cosine", "welsch"]\nL = [1, 2, 3]')
    assert sorted((cell["family"]["family"], cell["family"]["L"]) for cell in zipped.cells()) == [
        ("cosine", 1), ("cosine", 2), ("welsch", 3),
    ]  # fmt: skip


def test_versions_that_a_claim_does_not_have_are_left_out():
    found = plan('[axes]\nclaim = ["bias", "second-moment"]\nversion = ["published", "sharper"]')
    assert [(cell["claim"], cell["version"]) for cell in found.cells()] == [
        ("bias", "published"), ("second-moment", "published"), ("second-moment", "sharper"),
    ]  # fmt: skip


def test_all_claims_and_all_versions():
    from theory import CLAIMS

    found = plan('[axes]\nclaim = "all"\nversion = "all"')
    assert len(found) == 5 + sum(len(claim.versions) for claim in CLAIMS.values())


def test_keys_depend_on_content_alone(monkeypatch):
    one = 'kind = "run"\n[axes]\nalpha = ["1/6"]\nL = [1.0]\n[fixed]\nB = inf\neps = 0.5\n[workers]\ntime_limit = 5\n'
    other = 'name = "x"\nkind = "run"\n[fixed]\nL = "1"\neps = "1/2"\n[axes]\nB = ["inf"]\nalpha = ["2/12"]\n'
    first, second = (next(plan(text).cells()) for text in (one, other))
    assert first["options"] == {"B": "inf", "alpha": "1/6", "eps": "1/2"}
    assert first["family"] == {"family": "cosine", "L": 1}
    assert first == second and key(first) == key(second) and unpacked(portable(first)) == first
    before = key(first)
    monkeypatch.setattr("simulations.sweep.content.PHYSICS", PHYSICS + 1)
    assert key(first) != before


def test_noise_is_the_cells_own_or_common_on_request():
    own, shared = ([noise_seed(cell) for cell in plan(head + SMALL).cells()]
                   for head in ("", "common_random_numbers = true\n"))  # fmt: skip
    assert len(set(own)) == len(own) and set(shared) == {0}


def test_tables_of_values():
    assert axes.values({"linspace": [0, "1", 3]}) == (0, "1/2", 1)
    assert axes.values({"linspace": ["0.1", "0.5", 3]}) == ("1/10", "3/10", "1/2")
    found = axes.values({"logspace": ["1/100", 1, 3]})
    assert found == pytest.approx((0.01, 0.1, 1)) and found[0] == 0.01
    assert axes.values({"range": [3, 5]}) == (3, 4, 5)
    assert axes.values([math.inf, "0.05", 2.0, 0.5]) == ("inf", "1/20", 2, 0.5)
    for wrong in ({"linspace": [0, 1]}, {"steps": [1]}, {"range": [2, 1]}, [], [True], [math.nan], [[1]]):
        with pytest.raises(ValueError, match=r"must"):
            axes.values(wrong)


def test_no_replay_key():
    for wrong in ("", "nonsense", portable({"kind": "other", "family": {}, "options": {}})):
        with pytest.raises(ValueError, match="no replay key"):
            unpacked(wrong)


CHECK = """
[axes]
claim = ["second-moment"]
family = ["welsch"]
[fixed]
dim = 2
tasks = 4
"""
RUN = """
kind = "run"
[fixed]
a = "1/6"
B = 4
D_in = 2
D_o = 2
D_h = 2
B_step = 2
iterations = 50
eps = 0.9
replicates = 3
dim = 2
tasks = 4
"""
RESULTS = {
    CHECK: {"status": "HOLDS", "lhs": 1.4711683419156696, "rhs": 56.76141474050394},
    RUN: {"status": "MEASURED", "T": None, "T_median": 49.0, "passed": 2, "smallest": 0.891887526013487},
}


@pytest.mark.parametrize("text", RESULTS)
def test_results_stay_as_they_are_for_one_value_of_physics(text):
    """A cell that gives another result than before needs another PHYSICS: old ledgers must not be taken for new."""
    found = evaluated(next(plan(text).cells()))
    assert PHYSICS == 1
    for name, value in RESULTS[text].items():
        assert getattr(found, name) == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value), name


@pytest.mark.parametrize(("name", "cells"), [("small", 288), ("constants", 5760), ("runs", 36)])
def test_the_files_of_the_documentation_have_the_cells_they_say(name, cells):
    file = Path(__file__).parents[1] / "docs" / "sweeps" / f"{name}.toml"
    sweep = Plan(read(file.read_text()))
    assert len(sweep) == cells and f"{cells:,}" in file.read_text().splitlines()[0]
    assert evaluated(sweep.content(cells - 1)).status in ("HOLDS", "MEASURED")
