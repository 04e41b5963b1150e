"""`mamlbound check` and `mamlbound replay`: tables, rows, keys that replay, and exit codes that tell."""

import json
import math
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from command import call

from mamlbound import cli
from simulations import enumeration, moments
from simulations.verdicts import faults, judged, key, local, suite, verdict
from simulations.verdicts.cuts import share
from simulations.verdicts.faults import cuts
from simulations.verdicts.worst import worst_cases
from theory import CLAIMS

MISDECLARED = """
from dataclasses import fields, replace
from fractions import Fraction
from simulations.families import cosine
from theory import Constants


def mine():
    family = cosine(dim=2, tasks=4)
    kept = {{each.name: getattr(family.constants, each.name) for each in fields(Constants)}}
    kept["{name}"] = Fraction(kept["{name}"]) * Fraction(99, 100)
    return replace(family, constants=Constants(**kept))
"""
FEW = ("first-moment", "second-moment", "--family", "cosine")


def test_a_table_by_claim_and_family_and_exit_code_0(monkeypatch, capsys):
    code, out, err = call(monkeypatch, capsys, "check", "second-moment", "task-gradient-moment", "--family", "opposed",
                          "--family", "welsch")  # fmt: skip
    assert (code, err) == (0, "")
    head, *rows = out.splitlines()
    assert head.split() == ["claim", "by", "proof", "opposed", "welsch"]
    cells = {row.split()[0]: row.split()[1:] for row in rows}
    assert cells["task-gradient-moment"][:2] == ["refuted", "refuted"]
    assert cells["second-moment"][0] == "(8)" and float(cells["second-moment"][1]) > 1


def test_rows_in_json_carry_keys_that_replay(monkeypatch, capsys):
    code, out, _ = call(monkeypatch, capsys, "check", *FEW, "--json")
    rows = json.loads(out)
    assert code == 0 and {row["claim"] for row in rows} == {"first-moment", "second-moment"}
    assert all(row["status"] == "HOLDS" and row["evidence"] == "interval" for row in rows)
    picked = rows[-1]
    code, out, _ = call(monkeypatch, capsys, "replay", picked["key"], "--json")
    again = json.loads(out)
    assert code == 0 and again == {name: value for name, value in picked.items() if name != "instance"}
    code, out, _ = call(monkeypatch, capsys, "replay", picked["key"])
    assert code == 0 and "HOLDS" in out and "'family': 'cosine'" in out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("check", "no-such-claim"), "no-such-claim"),
        (("check", "--family", "nowhere"), "nowhere"),
        (("check", "--family", "nowhere.py"), "no file nowhere.py"),
        (("replay", "nonsense"), "replay key"),
    ],
)
def test_refusals_are_one_sentence_and_exit_code_2(words, named, monkeypatch, capsys):
    code, out, err = call(monkeypatch, capsys, *words)
    assert (code, out, err.count("\n")) == (cli.USAGE, "", 1)
    assert named in err


def test_a_family_of_the_users_own_is_checked_and_replayed(tmp_path, monkeypatch, capsys):
    file = tmp_path / "mine.py"
    file.write_text("from simulations.families import cosine\n\n\ndef mine():\n    return cosine(dim=1, tasks=2)\n")
    code, out, _ = call(monkeypatch, capsys, "check", "smoothness", "--family", str(file), "--json")
    rows = json.loads(out)
    assert code == 0 and {row["instance"] for row in rows} == {"mine"}
    assert call(monkeypatch, capsys, "replay", rows[0]["key"])[0] == 0


def test_a_violated_claim_ends_in_1(monkeypatch, capsys):
    plain = moments.moments
    monkeypatch.setattr("simulations.exact.moments", lambda *a, **k: _times(100, plain(*a, **k)))
    code, out, _ = call(monkeypatch, capsys, "check", "second-moment", "--family", "welsch")
    assert code == 1 and "VIOLATED" in out


def _times(factor, found):
    return replace(found, second=factor * found.second)


def test_an_undecided_cell_ends_in_3_and_an_error_in_4(monkeypatch, capsys):
    def unknown(*_, **__):
        raise local.Unknown("no way")

    monkeypatch.setattr(enumeration, "moments", unknown)
    code, out, _ = call(monkeypatch, capsys, "check", "fo-maml-bias", "--family", "cosine")
    assert code == 3 and "no way" in out
    monkeypatch.setattr(enumeration, "moments", lambda *_, **__: enumeration.Enumerated(*_nan()))
    code, out, _ = call(monkeypatch, capsys, "check", "fo-maml-bias", "--family", "cosine")
    assert code == 4 and "ERROR" in out


def test_the_worst_instances_on_file_use_up_what_the_file_says(monkeypatch, capsys):
    """Half the work of a fault that cuts a constant: 1 is what is left of it, and cut no further it still holds."""
    cases = [case for case in worst_cases() if not case.claim.endswith(("rate", "bound", "decrease", "telescoped"))]
    assert len(cases) >= 25
    for case in cases:
        assert math.isclose(share(judged(case.cell), case.constant), case.share, rel_tol=1e-5)
    monkeypatch.setattr(cuts, "__defaults__", (Fraction(1001, 1000),))
    assert not any(cuts().values())


def test_a_constant_cut_in_the_claim_itself_ends_an_ordinary_check_with_1(monkeypatch, capsys):
    claim = CLAIMS["second-moment"]
    version = claim.versions["published"]
    less = replace(version, constants={**version.constants, "cs": 14 * sp.Rational(119, 1000)})
    changed = replace(claim, versions={**claim.versions, "published": less})
    monkeypatch.setitem(key.KNOWN, claim.id, changed)
    code, out, _ = call(monkeypatch, capsys, "check", "second-moment")
    assert code == 1 and "worst: second-moment [published] on cosine: VIOLATED" in out


ON_THE_ESTIMATE = (*suite.ESTIMATED, "step-size-moments", "--family=flat", "--family=steep", "--family=unequal")


def test_what_judges_the_estimate_passes_without_a_fault(monkeypatch, capsys):
    assert call(monkeypatch, capsys, "check", *ON_THE_ESTIMATE)[0] == 0


@pytest.mark.parametrize("fault", faults.FAULTS)
def test_a_fault_planted_in_the_method_ends_an_ordinary_check_with_1(fault, monkeypatch, capsys):
    planted = faults.FAULTS[fault]
    if isinstance(planted, type):
        monkeypatch.setattr(suite, "Cell", planted)
    else:
        monkeypatch.setitem(enumeration.ESTIMATES, "maml", planted)
    code, out, _ = call(monkeypatch, capsys, "check", *ON_THE_ESTIMATE)
    assert code == 1 and "VIOLATED" in out


def test_an_interrupted_check_ends_in_130_and_prints_nothing(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("simulations.verdicts.judged", interrupted)
    code, out, err = call(monkeypatch, capsys, "check", *FEW, "--json")
    assert (code, out) == (cli.INTERRUPTED, "") and "interrupted" in err


@pytest.mark.parametrize(("name", "guilty"), [("L", "A2"), ("rho", "A3"), ("sigma", "A4")])
def test_a_constant_declared_1_percent_too_small_ends_in_1(name, guilty, tmp_path, monkeypatch, capsys):
    file = tmp_path / "mine.py"
    file.write_text(MISDECLARED.format(name=name))
    code, out, _ = call(monkeypatch, capsys, "check", "A2", "A3", "A4", "A5", "--family", str(file), "--json")
    rows = {row["claim"]: row["status"] for row in json.loads(out)}
    assert code == 1 and rows[guilty] == "VIOLATED"


def _nan():
    return np.full(2, np.nan), np.nan, np.full(2, np.nan)


def test_a_refutation_that_no_longer_replays_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr(verdict, "_replays", lambda *_: False)
    assert call(monkeypatch, capsys, "check", "hessian-noise", "--family", "cosine")[0] == 4


def test_progress_and_results_do_not_mix(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    _, out, err = call(monkeypatch, capsys, "check", "smoothness", "--family", "cosine", "--json")
    assert json.loads(out) and "cells" in err


def test_faults_are_shown_with_what_catches_them_and_one_unseen_ends_in_1(monkeypatch, capsys):
    code, out, _ = call(monkeypatch, capsys, "check", "--faults")
    assert code == 0 and "inner batch reused outside" in out and "NOTHING" not in out
    assert "co of second-moment at 0.9 of its worst case" in out
    assert "No instance is on file that needs" in out and "c of noise-floor" in out
    monkeypatch.setattr(faults, "FAULTS", {"none at all": enumeration.maml})
    monkeypatch.setattr(faults, "worst_cases", lambda: worst_cases()[:1])
    code, out, _ = call(monkeypatch, capsys, "check", "--faults", "--json")
    assert code == 1 and {row["claim"] for row in json.loads(out)} == {"bias"}
    code, out, _ = call(monkeypatch, capsys, "check", "--faults")
    assert code == 1 and "NOTHING" in out
