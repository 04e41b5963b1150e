"""The command line: bad input ends in one sentence on stderr, exit code 2, and nothing written."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import call

from mamlbound import cli
from simulations import experiment

TWO = ("--only", "constants", "--only", "moments")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--only", "no-such-figure"], "no-such-figure"),
        (["--sigma", "-1"], "sigma"),
        (["--L", "0"], "L must be positive"),
        (["--rho", "two"], "rho"),
        (["--sigma", "1000"], "noise floor"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(words, named, monkeypatch, capsys, tmp_path):
    code, out, err = call(monkeypatch, capsys, "reproduce", "-o", tmp_path / "results", *words)
    assert code == cli.USAGE
    assert named in err
    assert err.count("\n") == 1
    assert out == ""
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written(monkeypatch, capsys, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    code, out, err = call(monkeypatch, capsys, "reproduce", "--only", "moments", "-o", blocked / "results")
    assert (code, out, err.count("\n")) == (cli.USAGE, "", 1)
    assert str(blocked) in err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_doctor_runs_every_engine_and_says_why_one_does_not_work(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cupy", None)
    code, out, _ = call(monkeypatch, capsys, "doctor", "--json")
    found = json.loads(out)
    assert code in (0, None)
    assert {name: state["works"] for name, state in found["engines"].items()} == {
        "cpu": True,
        "numpy": True,
        "cupy": False,
    }
    assert "cupy, which is not installed here" in found["engines"]["cupy"]["note"]
    assert found["threads"] >= 1 and Path(found["cache"]).is_dir() and found["versions"]["numba"][0].isdigit()
    code, out, _ = call(monkeypatch, capsys, "doctor")
    assert code in (0, None) and "engine numpy   works" in out and "engine cupy    does not work" in out


def test_doctor_does_not_trust_an_engine_that_answers_wrongly(monkeypatch, capsys):
    monkeypatch.setitem(
        experiment.ENGINES, "numpy", lambda family, plan: experiment.ENGINES["cpu"](family, plan._replace(B=2))
    )
    found = json.loads(call(monkeypatch, capsys, "doctor", "--json")[1])
    assert "differs from engine 'cpu'" in found["engines"]["numpy"]["note"]
    assert not found["engines"]["numpy"]["works"]


def test_help_does_not_import_the_heavy_parts():
    code = "import sys, mamlbound.cli; print(sorted({'numba', 'sympy', 'matplotlib', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_an_interrupted_run_writes_nothing(tmp_path):
    folder = tmp_path / "results"
    command = [sys.executable, "-c", "from mamlbound.cli import main; main()", "reproduce", "--full", "-o", str(folder)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (cli.INTERRUPTED, "")
    assert "nothing was written" in err
    assert "Traceback" not in err
    assert not folder.exists()


def test_reproduce_writes_data_pictures_and_a_page_that_needs_no_network(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["mamlbound", "reproduce", *TWO, "-o", str(tmp_path / "results")])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code in (0, None)
    files = {Path(line).name: Path(line) for line in capsys.readouterr().out.split()}
    pictures = {f"{name}.{form}" for name in ("constants", "moments") for form in ("png", "svg", "pdf")}
    assert pictures | {"constants-constants.csv", "moments-ratios.csv", "report.html"} <= set(files)
    assert all(path.stat().st_size > (2000 if path.name in pictures else 40) for path in files.values())
    assert {path.name for path in (tmp_path / "results").iterdir()} == set(files)
    page = files["report.html"].read_text()
    for outside in ("http://", "https://", "//cdn", "@import", "<script src"):
        assert outside not in page.replace("http://www.w3.org", "")
