"""Audits: a false bound is refuted with a key that replays, a proved one is said to be proved, nothing else is."""

import json
import textwrap

import pytest
import sympy as sp
from command import call

import theory
from mamlbound import cli
from simulations import audit, families
from simulations.verdicts import check
from theory import symbols as s
from theory.claim import constant

EIGHT = """
import theory
from theory import symbols as s
from theory.claim import constant

cF, cs, co, ci = map(constant, ("cF", "cs", "co", "ci"))
CLAIM = theory.stated(
    "eight",
    s.second_G <= cF * s.grad_F**2 + cs * s.sigma**2 + s.sigma_tilde**2 * (co / s.D_o + ci / s.D_in),
    domain=[s.alpha <= 1 / (6 * s.L), s.D_h >= 2 * s.alpha**2 * s.sigma_H**2],
    constants={{"cF": {cF}, "cs": 14, "co": 2, "ci": "1/6"}},
)
"""
STATED = "import theory\nfrom theory import symbols as s\nCLAIM = theory.stated('x', {})"
PROVED = """
import sympy as sp
import theory
from theory import domains, symbols as s
from theory.claim import constant

CLAIM = theory.stated(
    "my-bias",
    s.bias_norm <= constant("c") * s.sigma_tilde / sp.sqrt(s.D_in),
    [domains.INNER_STEP],
    {"c": "1/5"},
    proof=theory.CLAIMS["bias"].versions["published"].proof,
    box=domains.INNER_STEP_BOX,
)
"""


def written(folder, text, **values):
    file = folder / "mine.py"
    file.write_text(textwrap.dedent(text).format(**values) if values else text)
    return file


def test_eight_with_1_for_40_is_violated_and_the_key_replays(tmp_path, monkeypatch, capsys):
    file = written(tmp_path, EIGHT, cF=1)
    code, out, err = call(monkeypatch, capsys, "audit", file, "--budget", "60")
    assert (code, err) == (1, "") and out.startswith("eight is VIOLATED on ")
    key = next(line for line in out.splitlines() if line.startswith("key ")).removeprefix("key ")
    code, out, _ = call(monkeypatch, capsys, "replay", key, "--json")
    row = json.loads(out)
    assert code == 1 and row["status"] == "VIOLATED" and row["lhs"] > row["rhs"] and row["key"] == key
    written(tmp_path, EIGHT, cF=2)
    code, _, err = call(monkeypatch, capsys, "replay", key)
    assert code == cli.USAGE and "has changed since" in err


def test_eight_itself_is_not_refuted_and_its_constants_are_used_up_as_known(tmp_path):
    found = audit(written(tmp_path, EIGHT, cF=40), budget=80)
    assert found.outcome == "not refuted" and "no proof" in found.verdict and found.certificate == "none"
    assert (found.table.status == "HOLDS").all() and found.tried == 80
    used = {each.constant: each.share for each in found.constants}
    assert 0.93 < used["co"] < 0.931
    seen = {each.fault for each in found.faults if each.instance}
    assert seen == {"inner batch reused outside", "D_in for D_o"}
    assert json.dumps(found.record())


def test_a_bound_with_a_certificate_is_proved_and_one_cut_below_it_does_not_replay(tmp_path):
    found = audit(written(tmp_path, PROVED), budget=20)
    assert (found.outcome, found.certificate) == ("proved", "replays") and "PROVED" in found.verdict
    cut = audit(written(tmp_path, PROVED.replace("1/5", "19/100")), budget=20)
    assert cut.certificate == "does not replay" and cut.outcome == "violated"


def test_a_bound_on_the_iterations_is_audited_on_runs():
    K = constant("K")
    claim = theory.stated(
        "few-steps",
        sp.Le(s.T, K * s.Delta * (s.L + s.rho * s.alpha * (s.sigma + s.eps)) / s.eps**2),
        [s.alpha <= 1 / (6 * s.L)],
        {"K": 40},
    )
    found = audit(claim, budget=6)
    assert found.outcome == "violated" and found.worst.cell.family.name == "resisting_ramp"
    assert found.key is None  # it is in no file


def test_a_claim_that_no_instance_shows_is_undecided(monkeypatch):
    claim = theory.stated("unseen", s.implicit_error <= 2 * s.solve_error)
    assert audit(claim).outcome == "undecided"


def test_a_wrong_estimate_is_seen_by_a_bound_on_the_bias():
    seen = {each.fault for each in audit(theory.CLAIMS["bias"], budget=20).faults if each.instance}
    assert {"dropped Hessian, FO-MAML posing as MAML", "sign of the Hessian", "sigma for sigma_tilde"} <= seen


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (None, "there is no file"),
        ("x = 1", "must set CLAIM"),
        ("CLAIM = 3", "must set CLAIM"),
        ("1 +", "line 1"),
        ("\nraise KeyError('no')", "line 2, raises KeyError"),
        (STATED.format("s.sp.Symbol('y') <= 1"), "speaks of y"),
        (STATED.format("s.T <= s.Delta"), "scale alike"),
        (STATED.format("s.T <= s.B, constants={'c': 1}"), "constant c"),
        (STATED.format("s.T + s.B"), "must state left"),
    ],
)
def test_a_bad_file_gets_one_sentence_and_exit_code_2(text, named, tmp_path, monkeypatch, capsys):
    file = tmp_path / "bad.py"
    if text is not None:
        file.write_text(text)
    code, out, err = call(monkeypatch, capsys, "audit", file)
    assert (code, out, err.count("\n")) == (cli.USAGE, "", 1) and named in err


def test_of_several_claims_one_is_named(tmp_path):
    text = EIGHT.format(cF=1) + "CLAIMS = (CLAIM, theory.stated('other', s.T <= s.B))\ndel CLAIM\n"
    file = written(tmp_path, text)
    with pytest.raises(ValueError, match="say which"):
        audit(file)
    assert audit(f"{file}:eight", budget=20).outcome == "violated"


def test_floats_in_a_statement_are_taken_at_face_value():
    claim = theory.stated("x", s.bias_norm <= 0.25 * s.sigma_tilde, [s.alpha <= 1 / (6 * s.L)])
    assert check(claim, families.cosine(dim=2, tasks=4), D_in=1).status == "HOLDS"
