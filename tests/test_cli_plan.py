"""`mamlbound plan`: what it prints, its JSON, its refusals, and that a rung that fails ends in exit code 1."""

import json

import pytest
from command import call

from mamlbound import cli
from theory import sharpening
from theory.certify import Certificate
from theory.rationals import exact

SHORT = ["--eps", "1/10", "--sigma", "1/2", "--step", "exact"]


def test_a_plan_is_printed_and_its_json_reads_back(monkeypatch, capsys):
    code, out, err = call(monkeypatch, capsys, "plan", *SHORT)
    assert (code, err) == (0, "")
    code, text, _ = call(monkeypatch, capsys, "plan", *SHORT, "--json")
    record = json.loads(text)
    assert code == 0
    assert f"B = {record['B']}, D_in = 1, D_o = 1" in out
    assert f"T <= {float(exact(record['T'])):.6g}" in out
    assert exact(record["N"]) <= exact(record["N_bound"])
    assert {"K", "floor", "method", "step_factor", "samples", "complexity"} <= set(record)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "--eps"),
        (["--eps", "small"], "eps must be a number"),
        (["--eps", "1", "--L", "0"], "L must be positive"),
        (["--eps", "1", "--alpha", "1"], "alpha L = 1"),
        (["--eps", "1", "--method", "sgd"], "method 'sgd' is unknown"),
        (["--eps", "1", "--step", "slow"], "step='slow' is unknown"),
    ],
)
def test_refusals_are_one_sentence_and_exit_code_2(words, named, monkeypatch, capsys):
    code, out, err = call(monkeypatch, capsys, "plan", *words)
    assert (code, out, err.count("\n")) == (cli.USAGE, "", 1)
    assert named in err


@pytest.fixture
def two_rungs(monkeypatch):
    """A lower bound and the exact step alone, so that the ladder is short."""
    titles = ("exact step, lower bound", "exact step, sharp S")
    kept = {title: sharpening.LADDER[title] for title in titles}
    monkeypatch.setattr(sharpening, "LADDER", kept)
    return kept


def test_the_ladder_is_printed_with_its_proofs(monkeypatch, capsys, two_rungs):
    code, out, _ = call(monkeypatch, capsys, "plan", "--ladder")
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()] == [">=", "<="]
    assert out.count(" proved ") == 2
    _, text, _ = call(monkeypatch, capsys, "plan", "--ladder", "--json")
    assert [(rung["kind"], rung["proved"]) for rung in json.loads(text)] == [("lower", True), ("upper", True)]


def test_a_rung_that_is_not_proved_ends_in_exit_code_1(monkeypatch, capsys, two_rungs):
    monkeypatch.setattr(sharpening.Sharpened, "certificate", lambda self: Certificate("none", ()))
    code, out, _ = call(monkeypatch, capsys, "plan", "--ladder")
    assert code == 1
    assert "NOT PROVED" in out
