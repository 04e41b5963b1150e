"""A run of all figures: interrupted and resumed, drawn again from its data, one run at a time in a folder."""

import fcntl
import shutil
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import report_folder
from command import call

from figures import Settings, report
from figures.report import evidence, kept
from mamlbound import cli

SETTINGS = Settings(seed=7)


class Figure(SimpleNamespace):
    """A figure that counts its runs; `stops` is raised in the next."""

    TITLE = CAPTION = "A line"
    runs, stops = 0, None

    def instances(self, settings):
        return settings.seed

    def data(self, instances, progress):
        if self.stops:
            raise self.stops
        self.runs += 1
        progress(1.0)
        return {"line": pd.DataFrame({"x": [0.0, 1.0], "y": [0.1, instances / 3]})}

    def draw(self, tables):
        figure, axes = plt.subplots()
        axes.plot(tables["line"].x, tables["line"].y)
        return figure

    def findings(self, tables):
        return [("the end", f"{tables['line'].y.iloc[-1]:.3f}")]


@pytest.fixture(scope="module")
def evident(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evidence")
    report_folder.evident(folder)
    return folder


@pytest.fixture
def figures(evident, monkeypatch):
    def write(folder, settings, progress):
        shutil.copytree(evident, folder, dirs_exist_ok=True)
        progress(1.0)

    found = {"first": Figure(), "second": Figure()}
    monkeypatch.setattr(evidence, "write", write)
    monkeypatch.setattr("figures.report.page.modules", lambda: found)
    monkeypatch.setattr(report, "modules", lambda: found)
    return found


def unseen(name, done):
    assert 0 <= done <= 1


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_interrupted_run_goes_on_where_it_was_and_ends_the_same(figures, tmp_path):
    report.produce(figures, SETTINGS, tmp_path / "whole", unseen)
    figures["second"].stops = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        report.produce(figures, SETTINGS, tmp_path / "broken", unseen)
    place = kept.place(tmp_path / "broken", SETTINGS)
    assert list((tmp_path / "broken").iterdir()) == [place] and kept.finished(place) == ["first"]
    figures["second"].stops = None
    written = report.produce(figures, SETTINGS, tmp_path / "broken", unseen)
    assert (figures["first"].runs, figures["second"].runs) == (2, 2)
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")
    assert {path.suffix for path in written} == {".csv", ".json", ".png", ".svg", ".pdf", ".html"}


def test_what_is_kept_is_of_the_same_settings_and_survives_other_runs(figures, tmp_path):
    figures["second"].stops = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        report.produce(figures, SETTINGS, tmp_path, unseen)
    figures["second"].stops = None
    report.produce(figures, Settings(seed=8), tmp_path, unseen)
    assert figures["first"].runs == 2
    assert kept.finished(kept.place(tmp_path, SETTINGS)) == ["first"]


def test_a_run_that_is_stopped_in_its_first_figure_leaves_nothing(figures, tmp_path):
    figures["first"].stops = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        report.produce(figures, SETTINGS, tmp_path / "results", unseen)
    assert not list(tmp_path.iterdir())


def test_data_are_drawn_again_without_a_run(figures, tmp_path):
    report.produce(figures, SETTINGS, tmp_path, unseen)
    before = contents(tmp_path)
    report.redraw(figures, SETTINGS, tmp_path)
    assert contents(tmp_path) == before
    table = tmp_path / "first-line.csv"
    table.write_text(table.read_text().replace("0.1", "0.7"))
    report.redraw({"first": figures["first"]}, SETTINGS, tmp_path)
    after = contents(tmp_path)
    assert {name for name in before if after[name] != before[name]} == {
        *("first-line.csv", "first.png", "first.svg", "first.pdf", "report.html")
    }
    assert all(figure.runs == 1 for figure in figures.values())


def test_data_that_are_not_there_or_of_another_run_are_refused(figures, monkeypatch, capsys, tmp_path):
    words = ("reproduce", "--reuse-data", "-o", tmp_path)
    code, out, err = call(monkeypatch, capsys, *words)
    assert (code, out, err.count("\n")) == (cli.USAGE, "", 1) and "no data" in err
    report.produce({"first": figures["first"]}, SETTINGS, tmp_path, unseen)
    code, _, err = call(monkeypatch, capsys, *words)
    assert code == cli.USAGE and "--quick --seed 7, not with --quick --seed 0" in err
    code, _, err = call(monkeypatch, capsys, *words, "--seed", 7)
    assert code == cli.USAGE and "no data of figure 'second'" in err
    code, out, _ = call(monkeypatch, capsys, *words, "--seed", 7, "--only", "first")
    assert code == 0 and "first.pdf" in out


def test_two_runs_at_once_in_one_folder_are_refused(figures, tmp_path):
    place = kept.place(tmp_path, SETTINGS)
    place.mkdir()
    with (place / "lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="another run is writing"):
            report.produce(figures, SETTINGS, tmp_path, unseen)
    assert not any(figure.runs for figure in figures.values())


def test_an_interrupted_command_says_what_is_done_and_ends_in_130(figures, monkeypatch, capsys, tmp_path):
    figures["second"].stops = KeyboardInterrupt()
    code, out, err = call(monkeypatch, capsys, "reproduce", "-o", tmp_path)
    assert (code, out) == (cli.INTERRUPTED, "")
    assert "first done: the same command goes on from there" in err and "Traceback" not in err


def test_a_change_of_the_sources_is_another_run(monkeypatch, tmp_path):
    before = kept.place(tmp_path, SETTINGS)
    changed = tmp_path / "one.py"
    changed.write_text("x = 1\n")
    monkeypatch.setattr(kept, "_ROOT", tmp_path)
    monkeypatch.setattr(kept, "_sources", lambda: [changed])
    one = kept.place(tmp_path, SETTINGS)
    changed.write_text("x = 2\n")
    assert len({before, one, kept.place(tmp_path, SETTINGS)}) == 3
