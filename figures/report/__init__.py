"""One page that binds the figures, and the folder it is written to together with their data."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType

import matplotlib.pyplot as plt
import pandas as pd

from figures import Settings, modules, style
from figures.report import evidence
from figures.report.kept import Kept
from figures.report.page import bind

EVIDENCE = "evidence"
_FORMS = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""Forms of a picture, and what keeps the date out of them: the same data give the same bytes."""


def chosen(names: Iterable[str]) -> dict[str, ModuleType]:
    """The figures of these names, all of them if there are none.

    Raises:
        ValueError: a name no figure has.
    """
    known = modules()
    for name in names:
        if name not in known:
            raise ValueError(f"there is no figure {name!r}: the figures are {', '.join(known)}")
    return {name: known[name] for name in (names or known)}


def produce(
    figures: Mapping[str, ModuleType], settings: Settings, folder: Path, progress: Callable[[str, float], None]
) -> list[Path]:
    """Run and draw the figures and bind the report; results appear when all is done, finished parts are kept.

    Args:
        figures: modules by name, from `chosen`.
        settings: for all of them.
        folder: where CSV, PNG, SVG, PDF and report.html go; made if need be.
        progress: called with a figure's name and the share of its work done.

    Returns:
        The files written.

    Raises:
        ValueError: settings a figure cannot run with, or another run is writing there; nothing was run or written.
        OSError: the folder cannot be written; nothing was run.
    """
    planned = {name: figure.instances(settings) for name, figure in figures.items()}
    with Kept(folder, settings) as kept:
        files = []
        for name, figure in figures.items():
            told = partial(progress, name)
            files += kept.part(
                name, lambda part, name=name, figure=figure, told=told: _run(name, figure, planned[name], part, told)
            )
            told(1.0)
        told = partial(progress, EVIDENCE)
        files += kept.part(EVIDENCE, lambda part: evidence.write(part, settings, told))
        told(1.0)
        written = _publish(figures, files, folder)
        kept.clear()
        return written


def redraw(figures: Mapping[str, ModuleType], settings: Settings, folder: Path) -> list[Path]:
    """Draw the figures and bind the report from the data that a run has left in a folder; nothing is run.

    Args:
        figures: modules by name, from `chosen`.
        settings: which the data must have been made with.
        folder: of `produce`.

    Returns:
        The files written.

    Raises:
        ValueError: there are no data of a figure or of the report, or they were made with other settings.
        OSError: the folder cannot be written.
    """
    evident = [folder / name for name in evidence.FILES]
    if not all(file.is_file() for file in evident):
        raise ValueError(f"there are no data in {folder}: run it without --reuse-data")
    made = Settings(**{name: json.loads(evident[-1].read_text())[name] for name in ("profile", "constants", "seed")})
    if made != settings:
        raise ValueError(f"the data in {folder} were made with {_said(made)}, not with {_said(settings)}")
    tables = [file for name in figures for file in _files(name, folder)]
    return _publish(figures, [*evident, *tables], folder)


def _said(settings: Settings) -> str:
    """The options of `mamlbound reproduce`."""
    constants = [f"--{name.replace('_', '-')} {value}" for name, value in sorted(settings.constants.items())]
    return " ".join([f"--{settings.profile}", f"--seed {settings.seed}", *constants])


def _run(name: str, figure: ModuleType, instances: object, folder: Path, progress: Callable[[float], None]) -> None:
    """Run, and write the data."""
    for table_name, table in figure.data(instances, progress).items():
        table.to_csv(folder / f"{name}-{table_name}.csv", index=False)


def _publish(figures: Mapping[str, ModuleType], files: Iterable[Path], folder: Path) -> list[Path]:
    """Draw from the files, bind the page, and put all of it into the folder, file by file whole."""
    with tempfile.TemporaryDirectory(prefix=".page-", dir=folder) as page:
        page = Path(page)
        for file in files:
            shutil.copy(file, page)
        for name, figure in figures.items():
            _draw(name, figure, page)
        (page / "report.html").write_text(bind(page), encoding="utf-8")
        made = sorted(page.iterdir())
        for file in made:
            os.replace(file, folder / file.name)
    return [folder / file.name for file in made]


def tables_of(name: str, folder: Path) -> dict[str, pd.DataFrame]:
    """The tables of a figure that a run has left in a folder.

    Raises:
        ValueError: there are none.
    """
    return {file.stem.removeprefix(f"{name}-"): pd.read_csv(file) for file in _files(name, folder)}


def _files(name: str, folder: Path) -> list[Path]:
    found = sorted(folder.glob(f"{name}-*.csv"))
    if not found:
        raise ValueError(f"there are no data of figure {name!r} in {folder}: run it without --reuse-data")
    return found


def _draw(name: str, figure: ModuleType, folder: Path) -> None:
    with style.style():
        drawn = figure.draw(tables_of(name, folder))
        for form, undated in _FORMS.items():
            drawn.savefig(folder / f"{name}.{form}", metadata=undated)
        plt.close(drawn)
