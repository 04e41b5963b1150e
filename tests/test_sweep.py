"""Sweeps from end to end in this process: what is done, resumed, exported, merged, reported, replayed, examined."""

import json
import shutil
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from command import call

from simulations.sweep import coordinator, export, worker
from simulations.sweep.configuration import read
from simulations.sweep.coordinator import Options, sweep
from simulations.sweep.evaluate import Outcome
from simulations.sweep.ledger import FILE, Ledger, LedgerError
from simulations.sweep.merge import merge
from simulations.sweep.report import report

TEXT = """
[axes]
claim = ["gradient-relation", "smoothness"]
version = ["published", "sharp"]
rho = [1, 2]
sigma = ["1/10", 0.2, "3/10"]
[fixed]
dim = 2
tasks = 4
"""


class Here:
    """A pool that does its batches in this process, a batch each time it is waited for."""

    size = 1

    def __init__(self, *_):
        self.batches = []

    @property
    def busy(self):
        return bool(self.batches)

    @property
    def room(self):
        return 2 - len(self.batches)

    def give(self, batch):
        self.batches.append(batch)

    def wait(self, timeout):
        for batch in self.batches[:1]:
            found = worker.batch_of_outcomes(batch)
            yield from ((task, *each) for task, each in zip(batch, found, strict=True))
        del self.batches[:1]

    def close(self):
        pass


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    monkeypatch.setattr(coordinator, "Processes", Here)


def swept(folder, text=TEXT, **options):
    return sweep(read(text), folder, Options(**options))


def digest(folder):
    with Ledger(folder) as ledger:
        return export.digest(ledger)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A ledger that is done."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coordinator, "Processes", Here)
        state, ended = swept(folder)
    assert ended == "finished" and state.counts == {"HOLDS": 24} and state.cells == state.done == 24
    return folder


def test_what_is_done_is_not_done_again_and_order_and_parts_do_not_matter(whole, tmp_path):
    assert swept(whole)[0].done == 0
    swept(tmp_path / "shuffled", shuffle=3)
    swept(tmp_path / "first", part=(1, 2))
    assert report(tmp_path / "first").coverage.startswith("12 of 12 cells")
    swept(tmp_path / "second", part=(2, 2))
    assert merge([tmp_path / "first", tmp_path / "second"], tmp_path / "merged") == 24
    assert report(tmp_path / "merged").coverage.startswith("24 of 24 cells (100.0 %): 24 HOLDS")
    assert len({digest(each) for each in (whole, tmp_path / "shuffled", tmp_path / "merged")}) == 1
    assert digest(tmp_path / "first") != digest(whole)
    swept(tmp_path / "first", part=(2, 2))
    assert digest(tmp_path / "first") == digest(whole)


def test_results_that_do_not_agree_are_not_merged(whole, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(whole, other)
    key = _alter(other, "lhs = lhs + 1e-12")
    with pytest.raises(LedgerError, match=f"cell {key} has lhs"):
        merge([whole, other], tmp_path / "merged")
    assert not (tmp_path / "merged" / FILE).exists()
    with pytest.raises(LedgerError, match="has a ledger already"):
        merge([whole, whole], other)
    assert merge([whole, whole], tmp_path / "merged") == 24


def _alter(folder, change, digest_too=True):
    """Change the first cell, as another program might have computed it; its key."""
    from dataclasses import astuple

    from simulations.sweep import ledger

    base = sqlite3.connect(folder / FILE)
    (key,) = base.execute("SELECT min(key) FROM cells").fetchone()
    base.execute(f"UPDATE cells SET {change} WHERE key = ?", (key,))
    base.commit()
    if digest_too:
        with Ledger(folder) as book:
            found = ledger.digest(key, astuple(book.row(key)[2]))
        base.execute("UPDATE cells SET digest = ? WHERE key = ?", (found, key))
        base.commit()
    base.close()
    return key


def test_the_table_has_its_schema_in_parquet_in_csv_and_from_python(whole, monkeypatch, capsys):
    code, out, err = call(monkeypatch, capsys, "export", whole)
    table = pd.read_parquet(out.strip())
    assert code == 0 and "24 of 24 cells" in err and digest(whole) in err
    assert {name: str(kind) for name, kind in table.dtypes.items()} == export.SCHEMA
    pd.testing.assert_frame_equal(table, export.frame(whole))
    assert (
        set(table["status"]) == {"HOLDS"}
        and set(table["sigma"]) == {0.1, 0.2, 0.3}
        and table["key"].is_monotonic_increasing
    )
    code, out, _ = call(monkeypatch, capsys, "export", whole, "-f", "csv", "--json")
    plain = pd.read_csv(json.loads(out)["file"])
    assert list(plain.columns) == list(table.columns) and (plain["slack"] == table["slack"]).all()
    code, out, err = call(monkeypatch, capsys, "export", whole, "-f", "xml")
    assert (code, out) == (2, "") and "parquet or csv" in err
    code, _, err = call(monkeypatch, capsys, "export", whole, "-o", whole / "nowhere" / "x.parquet")
    assert code == 2 and err.count("\n") == 1 and "cannot write" in err


def test_a_half_finished_ledger_is_reported_and_exported(file, tmp_path, monkeypatch, capsys):
    out = tmp_path / "ledger"
    calls = iter([None] * 2)
    monkeypatch.setattr(coordinator, "_MOST_IN_A_BATCH", 4)
    plain = Here.wait

    def failing(self, timeout):
        if next(calls, "end") == "end":
            raise KeyboardInterrupt
        yield from plain(self, timeout)

    monkeypatch.setattr(coordinator, "_COMMIT_SECONDS", 0.0)
    monkeypatch.setattr(Here, "wait", failing)
    code, said, err = call(monkeypatch, capsys, "sweep", file, "-o", out)
    assert (code, said) == (130, "") and f"To go on: mamlbound sweep {file} -o {out}" in err
    code, said, _ = call(monkeypatch, capsys, "report", out)
    assert code == 3 and "8 of 24 cells (33.3 %): 8 HOLDS" in said
    assert call(monkeypatch, capsys, "export", out)[0] == 0
    monkeypatch.setattr(Here, "wait", plain)
    code, said, _ = call(monkeypatch, capsys, "sweep", file, "-o", out)
    assert code == 0 and "24 of 24 cells (100.0 %)" in said
    assert len(export.frame(out)) == 24


def test_report_tells_violations_errors_and_what_is_undecided_apart(whole, tmp_path, monkeypatch, capsys):
    for change, code in (
        ("status = 'VIOLATED', expected = 0", 1),
        ("status = 'VIOLATED', expected = 1", 0),
        ("status = 'ERROR', reason = 'so it was'", 4),
        ("status = 'lost', reason = 'so it was'", 4),
        ("status = 'UNDECIDED'", 3),
    ):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(whole, folder)
        key = _alter(folder, change)
        found, out, _ = call(monkeypatch, capsys, "report", folder, "--json")
        said = json.loads(out)
        assert found == code
        assert [each["key"] for each in said["trouble"]] == ([key] if code in (1, 4) else [])


def test_retry_does_errors_again(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "copy")
    _alter(tmp_path / "copy", "status = 'ERROR', slack = NULL")
    assert swept(tmp_path / "copy")[0].done == 0
    assert swept(tmp_path / "copy", retry=True)[0].done == 1
    assert digest(tmp_path / "copy") == digest(whole)


def test_a_changed_configuration_is_refused_with_what_differs_or_added_when_told_to(whole, tmp_path):
    folder, other = (
        tmp_path / "copy",
        TEXT.replace("rho = [1, 2]", "rho = [1, 2, 3]").replace("dim = 2", "dim = 2\nL = 1"),
    )
    shutil.copytree(whole, folder)
    with pytest.raises(LedgerError, match="belongs to another configuration") as error:
        swept(folder, other)
    assert "  rho: 1, 2 there, 1, 2, 3 now" in str(error.value) and "  L: not given there, 1 now" in str(error.value)
    assert "sigma:" not in str(error.value)
    assert digest(folder) == digest(whole)
    state, _ = swept(folder, TEXT.replace("rho = [1, 2]", "rho = [1, 2, 3]"), extend=True)
    assert state.done == 12 and state.cells == 36
    renamed = 'name = "other"\n' + TEXT + "[workers]\ntime_limit = 7\n"
    assert swept(whole, renamed)[0].done == 0


def test_replay_compares_with_the_ledger_bit_for_bit(whole, tmp_path, monkeypatch, capsys):
    row = export.frame(whole).iloc[5]
    code, out, _ = call(monkeypatch, capsys, "replay", row["key"][:10], "--ledger", whole)
    assert code == 0 and "as in the ledger, bit for bit" in out
    code, out, _ = call(monkeypatch, capsys, "replay", row["replay"], "--json")
    found = json.loads(out)
    assert (found["key"], found["slack"], found["agrees"]) == (row["key"], row["slack"], None)
    shutil.copytree(whole, tmp_path / "copy")
    key = _alter(tmp_path / "copy", "lhs = lhs * (1 + 1e-15)")
    code, out, _ = call(monkeypatch, capsys, "replay", key, "--ledger", tmp_path / "copy")
    assert code == 1 and "DIFFERS lhs" in out
    code, _, err = call(monkeypatch, capsys, "replay", "zzz", "--ledger", whole)
    assert code == 2 and "no cell whose key begins with 'zzz'" in err


def test_doctor_finds_what_was_altered(whole, tmp_path, monkeypatch, capsys):
    code, out, _ = call(monkeypatch, capsys, "doctor", whole)
    assert code == 0 and "the ledger is sound" in out
    for number, (change, said) in enumerate(
        (
            ("slack = slack + 1", "its result is not the one that was written"),
            ("content = replace(content, '\"dim\":2', '\"dim\":3')", "its key is not that of its content"),
            ("status = 'MAYBE'", "there is no status 'MAYBE'"),
        )
    ):
        folder = tmp_path / str(number)
        shutil.copytree(whole, folder)
        key = _alter(folder, change, digest_too=False)
        code, out, _ = call(monkeypatch, capsys, "doctor", folder, "--json")
        found = json.loads(out)
        assert code == 1 and f"cell {key}: {said}" in found["wrong"]


def test_provenance_is_kept_of_every_run(whole):
    with Ledger(whole) as ledger:
        runs = ledger.provenance()
    first = runs[min(runs)]
    assert first["configuration"] == TEXT and first["configuration_hash"] == read(TEXT).hash
    assert first["versions"]["numpy"] and first["processor"] and first["threads"] >= 1 and first["physics"] == 1
    assert set(first) >= {"git", "sources", "python", "started", "workers"}


def test_a_dry_run_counts_and_times_and_leaves_nothing(file, tmp_path, monkeypatch, capsys):
    code, out, _ = call(monkeypatch, capsys, "sweep", file, "-o", tmp_path / "ledger", "--dry-run", "--workers", 2)
    assert code == 0 and out.startswith("24 cells; ") and "on 2 workers" in out
    assert not (tmp_path / "ledger").exists()


NOISY = """
[axes]
claim = ["fo-maml-second-moment"]
version = ["published", "sharp"]
[fixed]
dim = 6
tasks = 3
D_in = 20
D_o = 20
[sampling]
budget = 8192
"""


def test_undecided_cells_are_sampled_until_decided_and_resumed(tmp_path, monkeypatch):
    state, _ = swept(tmp_path / "a", NOISY)
    assert state.counts == {"UNDECIDED": 2} and report(tmp_path / "a").code == 3
    state, _ = swept(tmp_path / "a", NOISY, until_decided=True)
    found = export.frame(tmp_path / "a")
    assert set(found["status"]) == {"HOLDS"} and set(found["evidence"]) == {"confidence sequence"}
    assert (found["draws"] % 1024 == 0).all() and (found["slack"] > 1).all()
    swept(tmp_path / "b", NOISY, until_decided=True, shuffle=1)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert "2 cells were sampled" in report(tmp_path / "a").notes[0]


def test_a_budget_ends_sampling_and_a_larger_one_goes_on_from_there(tmp_path, monkeypatch):
    from simulations.verdicts import sampled

    monkeypatch.setattr(sampled, "_top", lambda cell, plain=sampled._top: 1000 * plain(cell))
    small, large = (NOISY.replace("8192", budget).replace('"published", ', "") for budget in ("2048", "16384"))
    swept(tmp_path / "a", small, until_decided=True)
    found = export.frame(tmp_path / "a")
    assert set(found["status"]) == {"UNDECIDED"} and set(found["draws"]) == {2048}
    assert "after 2048 draws second_G is in [0, " in found["reason"][0]
    swept(tmp_path / "a", large, until_decided=True)
    swept(tmp_path / "b", large, until_decided=True)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert set(export.frame(tmp_path / "b")["status"]) == {"HOLDS"}


def test_common_random_numbers_are_said_in_the_table_and_the_report(tmp_path):
    swept(tmp_path / "a", "common_random_numbers = true\n" + NOISY, until_decided=True)
    assert export.frame(tmp_path / "a")["common_random_numbers"].all()
    assert any("share their random numbers" in note for note in report(tmp_path / "a").notes)


def test_an_error_stops_the_sweep_where_that_is_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(coordinator, "_MOST_IN_A_BATCH", 1)
    monkeypatch.setattr(
        worker, "outcomes", lambda batch: ((Outcome("ERROR", "so it is", expected=False), 0.1) for _ in batch)
    )
    state, ended = swept(tmp_path / "a", TEXT + '[workers]\non_error = "stop"\n')
    assert ended == "stopped" and 1 <= state.counts["ERROR"] < 24
    state, ended = swept(tmp_path / "b")
    assert ended == "finished" and state.counts == {"ERROR": 24}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--part", "3/2"), "K/N"),
        (("--on-error", "whatever"), "continue or stop"),
        (("--time-limit", "-1"), "positive"),
    ],
)
def test_refusals_are_one_sentence_and_leave_nothing(words, said, file, tmp_path, monkeypatch, capsys):
    code, out, err = call(monkeypatch, capsys, "sweep", file, "-o", tmp_path / "ledger", *words)
    assert (code, out, err.count("\n")) == (2, "", 1) and said in err
    assert not (tmp_path / "ledger").exists()
    code, _, err = call(monkeypatch, capsys, "sweep", tmp_path / "no.toml", "-o", tmp_path / "ledger")
    assert code == 2 and "cannot read" in err


def test_what_is_no_ledger(tmp_path, monkeypatch, capsys):
    for verb in ("report", "export", "doctor"):
        code, out, err = call(monkeypatch, capsys, verb, tmp_path / "nowhere")
        assert (code, out, err.count("\n")) == (2, "", 1) and "there is no ledger" in err
    Path(tmp_path / FILE).write_bytes(b"this is no database" * 100)
    for verb in ("report", "export", "doctor"):
        code, out, err = call(monkeypatch, capsys, verb, tmp_path)
        assert (code, out, err.count("\n")) == (2, "", 1) and "is damaged" in err
