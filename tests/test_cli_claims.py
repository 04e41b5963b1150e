"""`mamlbound claims`: what it prints, and that a replay that fails is said and ends in exit code 1."""

import json
from dataclasses import replace

import pytest
import sympy as sp
from command import call

import theory
from mamlbound import cli
from theory import CLAIMS
from theory.rationals import exact


@pytest.fixture
def few(monkeypatch):
    """The claims (7) and FMO (44) alone, so that replaying all is quick."""
    kept = {name: CLAIMS[name] for name in ("first-moment", "task-gradient-moment")}
    monkeypatch.setattr(theory, "CLAIMS", kept)
    return kept


def test_the_table_names_every_claim_with_its_verdict(monkeypatch, capsys):
    code, out, err = call(monkeypatch, capsys, "claims")
    assert (code, err) == (0, "")
    rows = {line.split()[0]: line for line in out.splitlines() if line.split() and line.split()[0] in CLAIMS}
    assert set(rows) == set(CLAIMS)
    assert all(claim.verdict in rows[name] for name, claim in CLAIMS.items())
    assert "49/648" in rows["first-moment"]


def test_json_carries_exact_constants_that_read_back(monkeypatch, capsys):
    code, out, _ = call(monkeypatch, capsys, "claims", "--json")
    records = {entry["id"]: entry for entry in json.loads(out)}
    assert code == 0
    assert set(records) == set(CLAIMS)
    at_edge = records["second-moment"]["versions"]["sharp"]["constants_at_the_edge"]
    assert [exact(value) for value in at_edge.values()] == [
        sp.Rational(9849, 529),
        sp.Rational(948787, 152352),
        sp.Rational(67, 36),
        sp.Rational(67, 432),
    ]
    for entry in records.values():
        assert {"equation", "source", "kind", "verdict", "domain", "needs"} <= set(entry)
        assert entry["versions"]["published"]["status"] in ("proved", "refuted", "open")


def test_one_claim_certified_prints_every_step(monkeypatch, capsys):
    code, out, _ = call(monkeypatch, capsys, "claims", "first-moment", "--certify")
    steps = sum(len(CLAIMS["first-moment"].certificate(which).steps) for which in CLAIMS["first-moment"].versions)
    assert code == 0
    assert out.count("[ok]") == steps
    assert "alpha <= 1/(6*L)" in out


def test_certify_replays_all_and_shows_the_instance_of_a_refutation(monkeypatch, capsys, few):
    code, out, _ = call(monkeypatch, capsys, "claims", "--certify")
    assert code == 0
    assert "task-gradient-moment: repaired" in out
    assert "instance: f_i = A cos(omega w) +- v w" in out
    assert "5 of 5 certificates replay" in out


def test_a_replay_that_fails_is_said_and_ends_in_exit_code_1(monkeypatch, capsys, few):
    claim = few["first-moment"]
    published = replace(claim.versions["published"], constants={"cF": sp.Integer(2), "ci": sp.Rational(7, 100)})
    few["first-moment"] = replace(claim, versions={**claim.versions, "published": published})
    code, out, _ = call(monkeypatch, capsys, "claims", "--certify")
    assert code == 1
    assert "published   proved, REPLAY FAILED" in out
    assert "4 of 5 certificates replay" in out


def test_latex_and_an_unknown_name(monkeypatch, capsys):
    code, out, _ = call(monkeypatch, capsys, "claims", "second-moment", "--latex")
    assert (code, r"\tilde\sigma" in out) == (0, True)
    code, out, err = call(monkeypatch, capsys, "claims", "second-momen")
    assert (code, out, err.count("\n")) == (cli.USAGE, "", 1)
    assert "second-moment" in err
