"""What breaks without each hypothesis: nearest failures where the constants say, due to the dropped one alone."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from command import call

from simulations import enumeration, families
from simulations.verdicts import Cell, check, hypotheses, judged, key, local, replay, suite
from simulations.verdicts.hypotheses import STUDIES, summary, table
from theory import CLAIMS

DEAR = (hypotheses.bowls, hypotheses.small_batches, hypotheses.everywhere)
QUICK = [study for study in STUDIES if study.cells not in DEAR]


@pytest.fixture(scope="module")
def found():
    return table(QUICK)


def nearest(found, *which):
    rows = summary(found).set_index(["hypothesis", "claim", "version"])
    return rows.loc[which]


def test_no_claim_fails_within_its_hypotheses(found):
    inside = found[found.beyond <= 1]
    assert len(inside) >= len(QUICK) and (inside.status == "HOLDS").all()


@pytest.mark.parametrize(
    ("which", "edge"),
    [
        (("alpha", "bias", "published"), 6 * (math.sqrt(1.8) - 1) / 2),  # a (1 + a) = 1/5
        (("alpha", "first-moment", "published"), 6 * (math.sqrt(1.8) - 1) / 2),  # 2 a^2 (1 + a)^2 = 0.08
        (("alpha", "second-moment", "published"), 6 * (math.sqrt(1.5) - 1)),  # (1 + a)^2 + 1/2 = 2
        (("alpha", "smoothness", "published"), 1.0),  # (1 + a)^2 = 4
        (("D_h", "second-moment", "published"), 46 / 36),  # 49/36 + lam = 2
        (("D_step", "step-size-mean", "published"), 1.0),  # 4/(4 + 2 rho alpha sigma~) = 4/5
    ],
)
def test_a_claim_fails_as_soon_as_its_constant_is_passed(found, which, edge):
    """The edge by hand; the grid of a study has a cell just past it."""
    row = nearest(found, *which)
    assert row.fails and edge < row.beyond <= 1.06 * edge and row.ratio > 1


def test_hypotheses_that_are_not_needed_are_seen_to_hold(found):
    for which in (("B_step", "step-size-mean", "published"), ("D_h", "second-moment", "sharp")):
        row = nearest(found, *which)
        assert not row.fails and row.beyond >= 1e6 and row.ratio <= 1 + 1e-9 and pd.isna(row.key)


def test_every_failure_replays_and_is_due_to_the_dropped_hypothesis_alone(found):
    failures = summary(found)
    failures = failures[failures.fails]
    assert {"alpha", "D_h", "B_step", "D_step", "eps"} == set(failures.hypothesis)
    for row in failures.itertuples():
        again = replay(row.key)
        assert again.status == "VIOLATED" and again.expected
        assert judged(replace(key.read(row.key), dropped=None)).status == "NOT_APPLICABLE"


def test_what_cannot_be_dropped_is_refused():
    with pytest.raises(ValueError, match="dropped must be one of alpha, D_h"):
        check("second-moment", suite.flattest_task(), dropped="eps")


def test_the_command_shows_a_row_for_each_study_and_all_cells_as_json(monkeypatch, capsys):
    monkeypatch.setattr(hypotheses.table, "__defaults__", (tuple(QUICK[:3]), None))
    code, out, err = call(monkeypatch, capsys, "check", "--hypotheses")
    assert (code, err) == (0, "") and len(out.splitlines()) == 4
    assert "at 1.04 times the edge" in out and "not seen, up to 2.8 times" in out
    code, out, _ = call(monkeypatch, capsys, "check", "--hypotheses", "--json")
    rows = pd.DataFrame(json.loads(out))
    assert code == 0 and set(rows.status) == {"HOLDS", "VIOLATED"}


def test_a_failure_within_the_hypotheses_ends_in_1(monkeypatch, capsys):
    def wrong(study):
        for beyond, instance, cell in hypotheses.flattest(study):
            yield (beyond / 2, instance, cell)

    study = hypotheses.Study("alpha", "second-moment", "published", wrong)
    monkeypatch.setattr(hypotheses.table, "__defaults__", ((study,), None))
    code, _, err = call(monkeypatch, capsys, "check", "--hypotheses")
    assert code == 1 and "within its hypotheses" in err


def test_the_law_of_an_estimate_has_the_moments_of_all_outcomes():
    family, sizes = families.sinc_stall(sigma="3/10", sigma_tilde="1/10", sigma_H="1/10"), (2, 1, 3)
    chances, values = enumeration.law(family, family.start, 0.1, *sizes)
    found = enumeration.moments(family, family.start, 0.1, *sizes)
    assert math.isclose(chances.sum(), 1) and chances.size == 2 * 3 * 2 * 4
    assert np.allclose(chances @ values, found.mean, rtol=1e-12)
    assert math.isclose(chances @ (values**2).sum(axis=1), found.second, rel_tol=1e-12)


@pytest.mark.parametrize("sizes", [{"D_h": 3}, {"D_o": 2}, {"D_in": 1}, {"D_step": 1, "B_step": 2}])
def test_the_expected_decrease_of_a_noisy_step_on_a_parabola_is_its_closed_form(sizes):
    """F is L (1 - a)^2 w^2/2, E F(w - beta G) by mean and variance of beta and G, which do not depend on each other."""
    family, B, a, rho = hypotheses._bowl(0.7, rho=3.0, sigma_tilde=2.0, sigma_H=4.0), 4, 1 / 6, 3.0
    cell = Cell(CLAIMS["expected-decrease"], family, B=B, alpha=a, **sizes)
    w, A = 0.7, 1 - a
    D_in, D_o, D_h = (sizes.get(name, math.inf) for name in ("D_in", "D_o", "D_h"))
    G = A * A * w
    variance = A**2 * (2.0**2 / D_o + a**2 * 2.0**2 / D_in) + a**2 * 4.0**2 / D_h * (A * w) ** 2
    norms = [0.7] if "B_step" not in sizes else [(abs(0.7 + x) + abs(0.7 + y)) / 2 for x in (2, -2) for y in (2, -2)]
    betas = np.array([1 / (12 * (4 + 2 * rho * a * norm)) for norm in norms])
    after = (w * w - 2 * w * betas.mean() * G + (betas**2).mean() * (G * G + variance / B)) / 2
    change = float(local.Point(cell, {"F_step"}).step_of_F)
    assert math.isclose(change, A * A * (after - w * w / 2), rel_tol=1e-9)
