"""One page that binds the figures, and the folder it is written to together with their data."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType

import matplotlib.pyplot as plt
import pandas as pd

from figures import Settings, modules, style
from figures.report import evidence
from figures.report.page import bind


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
    """Run and draw the figures and bind the report, all or nothing.

    Args:
        figures: modules by name, from `chosen`.
        settings: for all of them.
        folder: where CSV, PNG, SVG and report.html go; made if need be.
        progress: called with a figure's name and the share of its work done.

    Returns:
        The files written.

    Raises:
        ValueError: settings a figure cannot run with; nothing was run and nothing written.
        OSError: the folder cannot be written; nothing was run.
    """
    planned = {name: figure.instances(settings) for name, figure in figures.items()}
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
    try:
        for name, figure in figures.items():
            _draw(name, figure, planned[name], partial, lambda done, name=name: progress(name, done))
        evidence.write(partial, settings, lambda done: progress("evidence", done))
        (partial / "report.html").write_text(bind(partial), encoding="utf-8")
        files = sorted(partial.iterdir())
        for file in files:
            os.replace(file, folder / file.name)
        return [folder / file.name for file in files]
    finally:
        shutil.rmtree(partial)
        if made and not any(folder.iterdir()):
            folder.rmdir()


def _draw(name: str, figure: ModuleType, instances: object, folder: Path, progress: Callable[[float], None]) -> None:
    """Run, write the data, and draw from what was written."""
    files = {}
    for table_name, table in figure.data(instances, progress).items():
        files[table_name] = folder / f"{name}-{table_name}.csv"
        table.to_csv(files[table_name], index=False)
    tables = {table_name: pd.read_csv(file) for table_name, file in files.items()}
    with style.style():
        drawn = figure.draw(tables)
        drawn.savefig(folder / f"{name}.png")
        drawn.savefig(folder / f"{name}.svg", metadata={"Date": None})
        plt.close(drawn)
