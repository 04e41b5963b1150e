"""One page that binds the figures, and the folder it is written to together with their data."""

from __future__ import annotations

import base64
import html
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from string import Template
from types import ModuleType

import matplotlib.pyplot as plt
import pandas as pd

from figures import Settings, modules, style
from theory import CLAIMS
from theory.claim import Claim

_HERE = Path(__file__).parent


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
        sections = [
            _section(name, figure, planned[name], partial, lambda done, name=name: progress(name, done))
            for name, figure in figures.items()
        ]
        (partial / "report.html").write_text(_page(sections, settings), encoding="utf-8")
        files = sorted(partial.iterdir())
        for file in files:
            os.replace(file, folder / file.name)
        return [folder / file.name for file in files]
    finally:
        shutil.rmtree(partial)
        if made and not any(folder.iterdir()):
            folder.rmdir()


def _section(name: str, figure: ModuleType, instances: object, folder: Path, progress: Callable[[float], None]) -> str:
    """Run, write the data, draw from what was written, and return the figure's part of the page."""
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
    picture = base64.b64encode((folder / f"{name}.svg").read_bytes()).decode()
    rows = "".join(
        f"<tr><td>{html.escape(what)}</td><td>{html.escape(seen)}</td></tr>" for what, seen in figure.findings(tables)
    )
    return (
        f"<section><h2>{html.escape(figure.TITLE)}</h2>"
        f'<img alt="{html.escape(figure.TITLE)}" src="data:image/svg+xml;base64,{picture}">'
        f"<p>{html.escape(figure.CAPTION)}</p><table>{rows}</table>"
        f"<p class=files>Data: {', '.join(f'<code>{file.name}</code>' for file in files.values())}</p></section>"
    )


def _page(sections: list[str], settings: Settings) -> str:
    constants = ", ".join(f"{name} = {value}" for name, value in settings.constants.items()) or "each figure's own"
    return Template((_HERE / "page.html").read_text(encoding="utf-8")).substitute(
        style=(_HERE / "style.css").read_text(encoding="utf-8"),
        sections="\n".join(sections),
        claims="".join(map(_claim_row, CLAIMS.values())),
        settings=html.escape(f"profile {settings.profile}, seed {settings.seed}, constants: {constants}"),
        version=html.escape(f"mamlbound {version('mamlbound')}, Python {platform.python_version()}"),
    )


def _claim_row(claim: Claim) -> str:
    certificate = claim.certificate()
    replay = f"{len(certificate.steps)} steps replayed" if certificate.ok else "none"
    cells = (claim.equation, claim.id, claim.title, claim.verdict, replay)
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
