"""Search comes near the constants that are known to be sharp, its findings replay, and a beaten proof is loud."""

import math
import sys
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

from mamlbound import cli
from simulations import families
from simulations.search import Beaten, search
from simulations.verdicts import check, cuts, judged, key, local, replay
from simulations.verdicts.assumptions import largest
from simulations.verdicts.cuts import cut, share
from theory import CLAIMS

REACHED = {"first-moment": (0.97, 0.999), "second-moment": (0.93, 0.93), "bias": (0.97, 0.999)}


@pytest.mark.parametrize("claim_id", REACHED)
def test_search_reaches_the_known_worst_cases_and_they_replay(claim_id):
    found = search(claim_id, budget=60)
    published, sharp = REACHED[claim_id]
    assert published < found.ratio <= 1 and sharp < found.share <= 1 + 1e-9
    assert found.tried == 60
    assert replay(found.published.key).row() == found.published.row()


def test_the_spike_reaches_its_share_of_the_constant():
    """||E G||^2 - 2 ||grad F||^2 over 0.08 sigma~^2/D_in: 0.945 for large rho, and the shares rise to it."""
    shares = []
    for sharpness in (1e3, 1e4, 1e6):
        family = families.named("spike")(sharpness)
        point = local.Point(
            local.Cell(CLAIMS["first-moment"], family, D_in=1, alpha="1/6", by="outcomes"), {"grad_F", "mean_G"}
        )
        norm, mean = (float(local.QUANTITIES[name](point)) for name in ("grad_F", "mean_G"))
        shares.append((mean**2 - 2 * norm**2) / 0.08)
    assert np.all(np.diff(shares) > 0)
    assert 0.94 < shares[-1] < float(sp.Rational(49, 648)) / 0.08


def test_the_spike_has_its_constants_and_derivatives():
    family = families.named("spike")(1e3)
    assert math.isclose(largest(family, "L"), 1.0, rel_tol=1e-9)
    assert largest(family, "rho") <= float(family.constants.rho) * (1 + 1e-9)
    u = sp.Symbol("u", real=True)
    task = family.expression(family.table[:, 0], family.shared, (u,))
    h, place = family.shared[1], family.start[0]
    for x in (-5 * h, -0.3 * h, 0.4 * h, place - 1.5 * h, place - 0.2 * h, place + 0.7 * h, place + 4 * h):
        value, slope, bend = (float(each.subs(u, x).doit()) for each in (task, task.diff(u), task.diff(u, 2)))
        w = np.array([x])
        assert math.isclose(family.values(w)[0], value, rel_tol=1e-9, abs_tol=1e-15)
        assert math.isclose(family.gradients(w)[0, 0], slope, rel_tol=1e-9)
        assert math.isclose(family.hessian_vector_products(w, np.ones(1))[0, 0], bend, rel_tol=1e-6, abs_tol=1e-9)


def test_a_proved_claim_that_is_beaten_is_said_loudly(monkeypatch, capsys):
    claim = CLAIMS["second-moment"]
    version = claim.versions["published"]
    less = replace(version, constants={**version.constants, "co": sp.Rational(9, 10) * sp.Rational(67, 36)})
    monkeypatch.setitem(key.KNOWN, claim.id, replace(claim, versions={**claim.versions, "published": less}))
    with pytest.raises(Beaten, match="this program is wrong"):
        search(claim.id, budget=60)
    monkeypatch.setattr(sys, "argv", ["mamlbound", "search", claim.id, "--budget", "60"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 1 and "PROVED" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("claim_id", "named"),
    [("imaml-error", "no instance"), ("no-such", "no-such"), ("A2", "no instance")],
)
def test_what_cannot_be_searched_is_refused(claim_id, named):
    with pytest.raises(ValueError, match=named):
        search(claim_id, budget=5)


@pytest.mark.parametrize(
    ("claim_id", "constant", "least"),
    [("second-moment", "co", 0.93), ("first-moment", "ci", 0.94), ("bias", "c", 0.97)],
)
def test_a_constant_is_used_up_and_a_cut_below_that_is_violated(claim_id, constant, least):
    found = search(claim_id, budget=30, constant=constant)
    assert least <= found.ratio <= 1 + 1e-9 and found.share <= 1 + 1e-9
    cell = key.read(found.published.key)
    assert judged(cut(cell, constant, 1.001 * found.ratio)).status == "HOLDS"
    assert judged(cut(cell, constant, 0.999 * found.ratio)).status == "VIOLATED"


def test_the_share_of_a_constant_is_the_same_by_halving_and_for_lower_claims():
    found = check("step-size-mean", families.named("bowl")(rho=50.0), alpha="1/6")
    assert math.isclose(share(found, "c"), 0.8, rel_tol=1e-9)
    found = check("bias", families.named("spike")(1e3), alpha="1/6", D_in=1, by="outcomes")
    assert math.isclose(share(found, "c"), cuts._by_halving(found, "c"), rel_tol=1e-6)
    with pytest.raises(ValueError, match="one of c, got 'K'"):
        cut(found.cell, "K", 0.5)


def test_the_constant_of_the_iteration_bound_is_approached_by_ramps():
    """48 is the limit (iteration-bound-lower-exact): at eps = 0.1 and slope 1.02 eps less 4 % for it, squared."""
    found = search("iteration-bound", budget=3, constant="K")
    assert 0.95 * 48 / 1.02**2 < 1600 * found.ratio < 48
    assert 1600 * found.ratio < float(CLAIMS["iteration-bound"].sharp["K"]) * found.share * (1 + 1e-9)


def test_what_is_held_fixed_stays_so(monkeypatch, capsys):
    assert search("first-moment", budget=20, at={"D_in": 2}).published.cell.D_in == 2
    refused = {("--at", "D_in=x"): "must be a number", ("--at", "w=1"): "one of B,", ("--all",): "both"}
    for words, named in refused.items():
        monkeypatch.setattr(sys, "argv", ["mamlbound", "search", "first-moment", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert end.value.code == cli.USAGE and named in capsys.readouterr().err


def test_the_command_prints_the_share_and_a_key_that_replays(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["mamlbound", "search", "second-moment", "--budget", "60"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    out = capsys.readouterr().out
    assert not end.value.code and "of the published right side" in out
    assert replay(out.split("key ")[-1].strip()).status == "HOLDS"
