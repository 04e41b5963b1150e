"""The page: one HTML file made of the files that a run has left in its folder, and of nothing else."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable
from pathlib import Path
from string import Template
from types import ModuleType

import pandas as pd

from figures import caption, modules
from figures.report import audit, explorer
from simulations.verdicts.table import VerdictTable

_HERE = Path(__file__).parent
_KINDS = {"csv": "text/csv", "json": "application/json", "svg": "image/svg+xml"}


def bind(folder: Path) -> str:
    """The page of a results folder, self-contained: pictures, data and formulas are in it.

    Args:
        folder: with claims.json, verdicts.csv, faults.csv and provenance.json, and for each figure that was drawn
            NAME.svg and its tables NAME-TABLE.csv.

    Returns:
        HTML.

    Raises:
        OSError: one of the first four files is missing.
    """
    records = json.loads((folder / "claims.json").read_text(encoding="utf-8"))
    provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    verdicts = VerdictTable(pd.read_csv(folder / "verdicts.csv"))
    return Template((_HERE / "page.html").read_text(encoding="utf-8")).substitute(
        style=(_HERE / "style.css").read_text(encoding="utf-8"),
        summary=audit.summary(records, verdicts),
        audit=audit.wrong(records),
        figures="\n".join(_figures(folder)),
        claims=audit.claims(records),
        verdicts=f'<div class="wide">{verdicts._repr_html_()}</div>' + files([folder / "verdicts.csv"]),
        faults=audit.faults(pd.read_csv(folder / "faults.csv")),
        provenance=provenance_table(provenance) + files([folder / "claims.json", folder / "faults.csv"]),
        formulas=explorer.script(),
        explorer=(_HERE / "explorer.js").read_text(encoding="utf-8"),
    )


def _figures(folder: Path) -> Iterable[str]:
    for name, figure in modules().items():
        if (folder / f"{name}.svg").exists():
            yield _figure(name, figure, folder)


def _figure(name: str, figure: ModuleType, folder: Path) -> str:
    tables = {path.stem.removeprefix(f"{name}-"): path for path in sorted(folder.glob(f"{name}-*.csv"))}
    read = {table: pd.read_csv(path) for table, path in tables.items()}
    rows = "".join(
        f"<tr><td>{html.escape(what)}</td><td>{html.escape(seen)}</td></tr>" for what, seen in figure.findings(read)
    )
    picture = folder / f"{name}.svg"
    return (
        f'<figure id="figure-{name}"><h3>{html.escape(figure.TITLE)}</h3>'
        f'<img alt="{html.escape(figure.TITLE)}" src="{_embedded(picture)}">'
        f"<figcaption>{html.escape(caption(figure, read))}</figcaption>"
        f'<div class="wide"><table class="findings">{rows}</table></div>'
        f"{files([*tables.values(), picture])}"
        f'<p class="note">Again: <code>mamlbound reproduce --only {html.escape(name)}</code></p></figure>'
    )


def files(paths: Iterable[Path]) -> str:
    """Links that save files held in the page itself."""
    links = ", ".join(f'<a download="{path.name}" href="{_embedded(path)}">{path.name}</a>' for path in paths)
    return f'<p class="note">Data, in this page: {links}</p>'


def _embedded(path: Path) -> str:
    content = base64.b64encode(path.read_bytes()).decode()
    return f"data:{_KINDS[path.suffix[1:]]};base64,{content}"


def provenance_table(record: dict) -> str:
    """Where a result comes from, one row a fact."""
    rows = "".join(
        f"<tr><th scope=row>{html.escape(name)}</th><td>{html.escape(_text(value))}</td></tr>"
        for name, value in record.items()
    )
    return f'<table class="provenance">{rows}</table>'


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items()) or "each figure's own"
    return "unknown" if value is None else str(value)
