"""The page of a sweep: its verdicts, coverage, configuration and runs, from its ledger alone, finished or not."""

from __future__ import annotations

import html
import os
import tempfile
from pathlib import Path
from string import Template

from figures.report.page import files, provenance_table
from simulations.markup import table
from simulations.sweep import report
from simulations.sweep.configuration import read
from simulations.sweep.export import export
from simulations.sweep.ledger import Ledger

_HERE = Path(__file__).parent
_MOST_BYTES = 5_000_000


def write(folder: Path, file: Path) -> None:
    """Write the page, whole or not at all.

    Args:
        folder: of the ledger.
        file: of the page.

    Raises:
        LedgerError: there is no ledger, or it is damaged.
        OSError: the file cannot be written.
    """
    text = page(folder)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, suffix=".part", delete=False, encoding="utf-8") as part:
        part.write(text)
    os.replace(part.name, file)


def page(folder: Path) -> str:
    """The page of a ledger as HTML, self-contained."""
    found = report.report(folder)
    with Ledger(folder) as ledger:
        configured, runs = ledger.configured(), ledger.provenance()
    names = [read(each["text"]).name for each in configured]
    return Template((_HERE / "sweep.html").read_text(encoding="utf-8")).substitute(
        style=(_HERE / "style.css").read_text(encoding="utf-8"),
        name=html.escape(", ".join(dict.fromkeys(filter(None, names))) or folder.name),
        coverage=html.escape(found.coverage),
        notes="".join(f"<p>{html.escape(note)}</p>" for note in found.notes),
        verdicts=_verdicts(found),
        data=_data(folder),
        trouble=_trouble(found),
        configurations="".join(f"<pre>{html.escape(each['text'])}</pre>" for each in configured),
        provenance="".join(_run(number, run) for number, run in runs.items()),
    )


def _run(number: int, run: dict[str, object]) -> str:
    facts = {name: fact for name, fact in run.items() if name != "configuration"}
    return f"<h3>Run {number}</h3>{provenance_table(facts)}"


def _verdicts(found: report.Report) -> str:
    statuses = [status for status in report.STATUSES if found.counts[status]]
    heads = ("claim or method", "version", "family", *statuses, "least slack", "largest T")
    return table(heads, (_line(line.record, statuses) for line in found.lines))


def _line(record: dict[str, object], statuses: list[str]) -> list[object]:
    slack, T = record["least_slack"], record["largest_T"]
    counts = [record[status] or "" for status in statuses]
    who = (record["claim_or_method"], record["version"], record["family"])
    return [*who, *counts, "" if slack is None else f"{slack:.4g}", "" if T is None else T]


def _trouble(found: report.Report) -> str:
    if not found.trouble:
        return "<p>Nothing: no proved claim was violated, no cell failed.</p>"
    rows = ((key, status, reason) for key, status, reason in found.trouble)
    again = "<p class=note>Again: <code>mamlbound replay KEY --ledger DIR</code></p>"
    return f'<div class="wide">{table(("cell", "status", "reason"), rows)}</div>{again}'


def _data(folder: Path) -> str:
    """All cells for download, unless there are too many for a page."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "cells.csv"
        export(folder, file, "csv")
        if file.stat().st_size <= _MOST_BYTES:
            return files([file])
    return '<p class="note">The cells are too many for a page: <code>mamlbound export DIR</code> writes them.</p>'
