"""Worker processes that die, a killed coordinator, a second writer, a damaged file: no written cell is lost."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from simulations.sweep import export
from simulations.sweep.configuration import read
from simulations.sweep.coordinator import Options, sweep
from simulations.sweep.ledger import FILE, Ledger, LedgerError
from simulations.sweep.local import Processes

SOUND = '[axes]\nclaim = ["smoothness"]\nsigma = {linspace = ["1/10", "1/2", 30]}\n[fixed]\ndim = 2\ntasks = 4\n'
FAMILY = """
import os
from fractions import Fraction

from simulations.families import cosine


def bad(sigma=0.5, sigma_tilde=0.3):
    if Fraction(sigma) > Fraction(45, 100):
        ACT
    return cosine(dim=2, tasks=4, sigma=sigma, sigma_tilde=sigma_tilde)
"""
BAD = '[axes]\nclaim = ["smoothness"]\nfamily = ["FILE"]\nsigma = ["1/10", "1/2", "1/5"]\n'


def bad(tmp_path, act):
    file = tmp_path / "bad.py"
    file.write_text(FAMILY.replace("ACT", act))
    return BAD.replace("FILE", str(file))


def test_a_cell_that_kills_its_process_is_lost_and_the_others_are_done(tmp_path):
    state, ended = sweep(read(bad(tmp_path, "os.kill(os.getpid(), 9)")), tmp_path / "a", Options(workers=1))
    assert ended == "finished" and state.counts == {"HOLDS": 2, "lost": 1}
    lost = export.frame(tmp_path / "a").query("status == 'lost'")
    assert lost["sigma"].tolist() == [0.5] and lost["reason"].tolist() == [
        "its worker died 3 times, the last by SIGKILL"
    ]


def test_killed_workers_and_a_killed_coordinator_lose_nothing(tmp_path):
    sweep(read(SOUND), tmp_path / "whole", Options(workers=1))
    file, folder = tmp_path / "sweep.toml", tmp_path / "killed"
    file.write_text(SOUND)
    words = ["from mamlbound.cli import main; main()", "sweep", str(file), "-o", str(folder), "--workers", "1"]
    process = subprocess.Popen([sys.executable, "-c", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    while process.poll() is None and not _written(folder):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = _written(folder)
    state, _ = sweep(read(SOUND), folder, Options(workers=1))
    assert state.done == 30 - before
    with Ledger(folder) as one, Ledger(tmp_path / "whole") as other:
        assert export.digest(one) == export.digest(other)


def _written(folder):
    try:
        with Ledger(folder) as ledger:
            return sum(ledger.counts().values())
    except LedgerError:
        return 0


def test_a_worker_killed_from_outside_is_replaced(tmp_path, monkeypatch):
    plain, killed = Processes.wait, []

    def wait(self, timeout):
        found = list(plain(self, timeout))
        if found and not killed:
            killed.append(self.pids[0])
            os.kill(self.pids[0], signal.SIGKILL)
        yield from found

    monkeypatch.setattr(Processes, "wait", wait)
    state, _ = sweep(read(SOUND), tmp_path / "a", Options(workers=1))
    assert killed and state.counts == {"HOLDS": 30}


def test_a_second_writer_and_a_place_that_cannot_be_written_are_refused(tmp_path):
    with Ledger(tmp_path, write=True), pytest.raises(LedgerError, match=f"being written by process {os.getpid()}"):
        Ledger(tmp_path, write=True)
    Ledger(tmp_path, write=True).close()
    with pytest.raises(LedgerError, match="cannot write to"):
        Ledger("/proc/nowhere", write=True)


def test_a_full_disk_is_said_and_what_was_written_stays(tmp_path):
    text = SOUND.replace("30]", "4]")
    sweep(read(text), tmp_path / "a", Options(workers=1))
    with Ledger(tmp_path / "a", write=True) as ledger:
        rows = list(ledger.rows())
        pages = ledger.base.execute("PRAGMA page_count").fetchone()[0]
        ledger.base.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(LedgerError, match="is full"):
            ledger.insert([(f"{k:032x}", *rows[0][1:]) for k in range(1000)])
        assert list(ledger.rows()) == rows


def test_a_truncated_ledger_is_said_to_be_damaged(tmp_path):
    with Ledger(tmp_path, write=True) as ledger:
        ledger.begin({"text": "x" * 100_000})
    sqlite3.connect(tmp_path / FILE).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    os.truncate(tmp_path / FILE, 8192 + 100)
    with pytest.raises(LedgerError, match="is damaged"):
        Ledger(tmp_path, write=True)
