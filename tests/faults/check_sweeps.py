"""`make test-faults`: sweeps that are killed at random moments, interrupted, hang, or find no room on their disk.

Disks are filled for real: the command runs in a mount namespace of its own, which ends with it.
"""

import os
import random
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulations.sweep import export
from simulations.sweep.ledger import Ledger, LedgerError

ROOT = Path(__file__).parents[2]
SMALL, CELLS = ROOT / "docs" / "sweeps" / "small.toml", 288
MAMLBOUND = [sys.executable, "-m", "mamlbound"]
KILLS = 20
MANY = """
[axes]
claim = ["smoothness"]
rho = {linspace = ["1/2", 2, 20]}
a = {linspace = ["1/60", "1/6", 20]}
shift = {linspace = [0, 1, 15]}
[fixed]
dim = 2
tasks = 4
"""
HANGING = """
import time
from fractions import Fraction

from simulations.families import cosine


def bad(sigma=0.5, sigma_tilde=0.3):
    if Fraction(sigma) > Fraction(45, 100):
        time.sleep(1000)
    return cosine(dim=2, tasks=4, sigma=sigma, sigma_tilde=sigma_tilde)
"""


def started(*words, **options):
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*MAMLBOUND, *map(str, words)], cwd=ROOT, **(piped | options))


def ran(*words):
    """Exit code, stdout, stderr."""
    process = started(*words)
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def digest(folder):
    with Ledger(folder) as ledger:
        return export.digest(ledger)


def written(folder):
    try:
        with Ledger(folder) as ledger:
            return {row[0] for row in ledger.rows()}
    except LedgerError:
        return set()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The hash of the table of one worker."""
    folder = tmp_path_factory.mktemp("whole") / "sweep"
    code, _, err = ran("sweep", SMALL, "-o", folder, "--workers", 1)
    assert code == 0, err
    assert len(written(folder)) == CELLS
    return digest(folder)


@pytest.mark.parametrize("words", ["--workers 2", "--workers 2 --shuffle 7", "--workers 3 --shuffle 1"])
def test_workers_and_order_do_not_matter(words, whole, tmp_path):
    assert ran("sweep", SMALL, "-o", tmp_path, *words.split())[0] == 0
    assert digest(tmp_path) == whole


def test_parts_are_united(whole, tmp_path):
    for part in ("1/2", "2/2"):
        assert ran("sweep", SMALL, "-o", tmp_path / part[0], "--part", part)[0] == 0
    assert ran("merge", tmp_path / "1", tmp_path / "2", "-o", tmp_path / "both")[0] == 0
    assert digest(tmp_path / "both") == whole


def test_twenty_kills_at_random_moments_lose_nothing(tmp_path):
    """SIGKILL to the coordinator, whose workers see it and end; what was committed before stays."""
    file, folder = tmp_path / "many.toml", tmp_path / "killed"
    file.write_text(MANY)
    assert ran("sweep", file, "-o", tmp_path / "whole", "--workers", 1)[0] == 0
    expected, moments, known, sizes = digest(tmp_path / "whole"), random.Random(0), set(), []
    while len(sizes) < KILLS:
        process = started("sweep", file, "-o", folder, "--workers", 2, stdout=None, stderr=subprocess.DEVNULL)
        time.sleep(moments.uniform(5.0, 12.0))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            sizes.append(len(written(folder)))
            assert known <= written(folder)
            known = written(folder)
        else:
            assert digest(folder) == expected
            folder, known = folder.with_name(f"killed-{len(sizes)}"), set()
    print(f"\ncells after each kill: {sizes}")
    assert len(set(sizes)) > KILLS / 4
    assert ran("sweep", file, "-o", folder)[0] == 0
    assert digest(folder) == expected


def test_an_interruption_says_how_to_go_on(whole, tmp_path):
    process = started("sweep", SMALL, "-o", tmp_path, "--workers", 1)
    while not written(tmp_path):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    resume = next(line for line in err.splitlines() if "mamlbound sweep" in line)
    words = shlex.split(resume[resume.index("mamlbound sweep") :])[1:]
    before = written(tmp_path)
    assert 0 < len(before) < CELLS
    assert ran(*words)[0] == 0
    assert digest(tmp_path) == whole


def test_a_cell_that_hangs_ends_at_its_time_limit(tmp_path):
    file, sweep = tmp_path / "bad.py", tmp_path / "sweep.toml"
    file.write_text(HANGING)
    axes = f'claim = ["smoothness"]\nfamily = ["{file}"]\nsigma = ["1/10", "1/2", "1/5"]\n'
    sweep.write_text(f"[axes]\n{axes}[workers]\ntime_limit = 8\n")
    code, _, err = ran("sweep", sweep, "-o", tmp_path / "a", "--workers", 1)
    assert code == 4 and "Traceback" not in err
    assert export.frame(tmp_path / "a")["status"].value_counts().to_dict() == {"HOLDS": 2, "ERROR": 1}
    assert "it ran past its time limit of 8 s, twice" in set(export.frame(tmp_path / "a")["reason"])


def on_a_disk_of_its_own(script, folder):
    """Run a shell script with `folder` as a place to mount on: exit code, stdout, stderr."""
    folder.mkdir()
    isolated = ["unshare", *(["--map-root-user"] if os.geteuid() else []), "--mount", "bash", "-ec", script]
    names = {"DIR": str(folder), "SWEEP": shlex.join([*MAMLBOUND, "sweep", str(SMALL), "-o", f"{folder}/sweep"])}
    found = subprocess.run(isolated, env={**os.environ, **names}, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert "Operation not permitted" not in found.stderr, "this machine lets nobody mount a disk of his own"
    return found.returncode, found.stdout, found.stderr


def test_a_full_disk_ends_in_a_sentence_and_with_room_the_sweep_goes_on(whole, tmp_path):
    script = """
        mount -t tmpfs -o size=160k tmpfs "$DIR"
        code=0; $SWEEP || code=$?
        echo "full $code"
        mount -o remount,size=64m "$DIR"
        python3 - "$DIR/sweep/ledger.sqlite" <<< 'import sqlite3, sys
print("kept", sqlite3.connect(sys.argv[1]).execute("select count(*) from cells").fetchone()[0])'
        $SWEEP
        cp -r "$DIR/sweep" "$DIR.copy"
    """
    code, out, err = on_a_disk_of_its_own(script, tmp_path / "disk")
    print(f"\n{out}{err}")
    said = [line for line in err.splitlines() if line.startswith("mamlbound:")]
    assert code == 0 and "full 2" in out and "Traceback" not in err
    assert len(said) == 1 and "is full" in said[0] and "make room" in said[0]
    assert digest(tmp_path / "disk.copy") == whole


def test_a_read_only_disk_and_a_missing_one_are_refused_in_a_sentence(tmp_path):
    script = 'mount -t tmpfs -o ro tmpfs "$DIR"; code=0; $SWEEP || code=$?; exit $code'
    code, out, err = on_a_disk_of_its_own(script, tmp_path / "disk")
    assert (code, out, err.count("\n")) == (2, "", 1) and "Read-only file system" in err
    code, out, err = ran("sweep", SMALL, "-o", "/proc/nowhere/sweep")
    assert (code, out, err.count("\n")) == (2, "", 1) and "cannot write to" in err
    for verb in ("report", "export", "doctor"):
        code, out, err = ran(verb, tmp_path / "nothing")
        assert (code, out, err.count("\n")) == (2, "", 1) and "there is no ledger" in err


def test_a_second_writer_is_refused_in_a_sentence(tmp_path):
    with Ledger(tmp_path, write=True):
        code, out, err = ran("sweep", SMALL, "-o", tmp_path)
    assert (code, out, err.count("\n")) == (2, "", 1) and f"being written by process {os.getpid()}" in err


def test_a_truncated_ledger_is_refused_in_a_sentence(tmp_path):
    assert ran("sweep", SMALL, "-o", tmp_path)[0] == 0
    file = tmp_path / "ledger.sqlite"
    os.truncate(file, file.stat().st_size * 2 // 3)
    code, out, err = ran("sweep", SMALL, "-o", tmp_path)
    assert (code, out, err.count("\n")) == (2, "", 1) and "is damaged" in err
    code, out, err = ran("doctor", tmp_path)
    assert code in (1, 2) and "Traceback" not in err and "damaged" in out + err
