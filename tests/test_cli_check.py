"""`mamlbound check` and `mamlbound replay`: tables, rows, keys that replay, and exit codes that tell."""

import json
import sys

import numpy as np
import pytest

from mamlbound import cli
from simulations import enumeration, moments
from simulations.verdicts import faults, local, verdict

FEW = ("first-moment", "second-moment", "--family", "cosine")


def call(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["mamlbound", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code or 0, *capsys.readouterr()


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
    from dataclasses import replace

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
    assert json.loads(call(monkeypatch, capsys, "check", "--faults", "--json")[1])
    monkeypatch.setitem(faults.FAULTS, "none at all", enumeration.maml)
    code, out, _ = call(monkeypatch, capsys, "check", "--faults")
    assert code == 1 and "NOTHING" in out
