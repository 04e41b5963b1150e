"""`mamlbound identify`: verdict first, JSON that reads back, exit codes 0 named, 1 not it, 2 bad usage, 3 undecided."""

import json
from pathlib import Path

import pytest
from command import call

from mamlbound import cli

PLANTED = str(Path(__file__).parent / "planted.py")


@pytest.mark.parametrize(
    ("function", "options", "code", "words"),
    [
        ("fo_maml", (), 0, "fo-maml; mean over the tasks; residual "),
        ("fo_maml", ("--expect", "fo-maml"), 0, "fo-maml; mean over the tasks; residual "),
        ("fo_maml", ("--expect", "maml"), 1, "not as expected: maml was expected, but it is fo-maml"),
        ("summed", ("--expect", "maml"), 1, "not as expected: maml was expected, but it is scaled: sum over the tasks"),
        ("imaml", ("--steps", "1", "--expect", "imaml(lambda=2)"), 0, "imaml(lambda = 2); mean"),
        ("imaml", ("--steps", "1", "--expect", "imaml(lambda=1)"), 1, "but it is imaml(lambda = 2)"),
        ("maml", ("--fixed", "steps=2", "--fixed", "alpha=1/16", "--isolated"), 0, "maml; mean over the tasks"),
        ("reptile", ("--steps", "1"), 3, "undecided: reptile or gradient, of the support loss at w itself"),
        ("reptile", ("--steps", "1", "--expect", "reptile"), 3, "but the finding is undecided"),
        ("reptile", ("--steps", "1", "--expect", "maml"), 1, "but the finding is undecided"),
        ("nan_in_single", ("--steps", "1", "--dtype", "float32"), 1, "no meta-gradient: it returns numbers that are"),
    ],
)
def test_the_verdict_comes_first_and_the_exit_code_says_it(function, options, code, words, monkeypatch, capsys):
    found = call(monkeypatch, capsys, "identify", f"{PLANTED}:{function}", *options)
    assert (found[0], found[2]) == (code, "")
    assert words in found[1] and not found[1].startswith(" ")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("planted.py",), "a function is named as MODULE:FUNCTION"),
        (("no_such_module:f",), "no_such_module cannot be imported"),
        ((f"{PLANTED}:no_such_function",), "has no function no_such_function"),
        ((f"{PLANTED}:maml", "--steps", "one"), "--steps must be whole numbers"),
        ((f"{PLANTED}:maml", "--steps", "0"), "steps must be whole numbers from 1 to 100, got 0"),
        ((f"{PLANTED}:maml", "--dtype", "float16"), "dtype must be one of float64, float32"),
        ((f"{PLANTED}:maml", "--fixed", "lr=1"), "fixed may name alpha and steps, not lr"),
        ((f"{PLANTED}:maml", "--fixed", "alpha=x"), "--fixed alpha"),
        ((f"{PLANTED}:maml", "--timeout", "0"), "timeout must be positive"),
        ((f"{PLANTED}:maml", "--expect", "mamll"), "expect must name one of"),
    ],
)
def test_bad_usage_is_one_sentence_and_exit_code_2(words, named, monkeypatch, capsys):
    code, out, err = call(monkeypatch, capsys, "identify", *words)
    assert (code, out, err.count("\n")) == (cli.USAGE, "", 1)
    assert named in err


SCHEMA = {
    "verdict": str,
    "status": str,
    "best": dict | None,
    "alike": list,
    "faults": list,
    "notes": list,
    "tolerance": float,
    "candidates": list,
    "answers": list,
}


@pytest.mark.parametrize("function", ["imaml", "nan_in_single", "normalised"])
def test_json_has_one_shape_and_no_nan(function, monkeypatch, capsys):
    def refuse(text):
        raise AssertionError(f"{text} is no JSON")

    words = (f"{PLANTED}:{function}", "--steps", "1", "--json", "--dtype", "float32")
    code, out, err = call(monkeypatch, capsys, "identify", *words, "--expect", "maml")
    report = json.loads(out, parse_constant=refuse)
    assert set(report) == {*SCHEMA, "expected", "differs"}
    assert all(isinstance(report[key], kind) for key, kind in SCHEMA.items())
    assert report["status"] in ("named", "none", "undecided") and report["differs"] and code == 1 and not err
    assert all(set(row) == {"candidate", "residual", "scale"} for row in report["candidates"])
    assert all(set(row) == {"probe", "outcome", "norm", "residual"} for row in report["answers"])
    if function == "imaml":
        assert report["best"]["number"] == {"lambda": pytest.approx(2.0, rel=1e-4)}
