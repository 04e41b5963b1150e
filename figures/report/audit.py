"""The claims in the page: what is proved, what was wrong with its counterexample and repair, and the table of all."""

from __future__ import annotations

import html
import re
from collections import Counter

import pandas as pd
import sympy as sp

from figures.report.formula import mathml
from simulations.verdicts.table import VerdictTable

_WRONG = ("refuted", "repaired")
_LONG = 400
"""Characters of a formula that does not fit the width of a printed page."""


def summary(records: list[dict], verdicts: VerdictTable) -> str:
    """The page in one minute: how many claims, proofs and verdicts, and what is left of the constant of (14)."""
    kinds = Counter(record["verdict"] for record in records)
    replays = [version["replay"] for record in records for version in record["versions"].values() if version["replay"]]
    by_id = {record["id"]: record for record in records}
    K = {which: _constant(by_id["iteration-bound"], which, "K") for which in ("published", "sharp")}
    least = _constant(by_id["iteration-bound-lower-random"], "sharp", "cL")
    claims = ", ".join(f"{number} {verdict}" for verdict, number in kinds.items())
    shown = sum(replay["ok"] for replay in replays)
    points = (
        (f"{len(records)} claims", claims),
        (f"{shown} of {len(replays)} certificates", "replay in exact arithmetic"),
        (f"K = {K['published']:.4g}", f"published in (14); {K['sharp']:.4g} is enough, nothing below {least:.4g} is"),
        (f"{len(verdicts.rows)} verdicts", verdicts.summary),
    )
    items = "".join(f"<li><b>{head}</b> {html.escape(text)}</li>" for head, text in points)
    return f'<ul class="summary">{items}</ul>'


def _constant(record: dict, which: str, name: str) -> float:
    return float(sp.Rational(record["versions"][which]["constants"][name]))


def wrong(records: list[dict]) -> str:
    """The audit: every published statement that is false, why, and what is true; then the hypotheses left out."""
    parts = [_refuted(record) for record in records if record["verdict"] in _WRONG]
    omitted = {
        (hypothesis["hypothesis"], hypothesis["source"]): None
        for record in records
        for hypothesis in record["domain"]
        if "omit" in hypothesis["source"]
    }
    rows = "".join(
        f"<tr><td><code>{html.escape(what)}</code></td><td>{html.escape(source)}</td></tr>" for what, source in omitted
    )
    accounts = {record["file"]: record["account"] for record in records}
    told = "".join(
        f"<details><summary>{html.escape(account.splitlines()[0])}</summary><pre>{html.escape(account)}</pre></details>"
        for account in accounts.values()
    )
    return (
        "\n".join(parts)
        + "<h3>Hypotheses without which a published statement is not shown</h3>"
        + f'<div class="wide"><table>{rows}</table></div>'
        + f"<h3>How the statements are shown, file by file</h3>{told}"
    )


def _refuted(record: dict) -> str:
    versions = record["versions"]
    published = versions["published"]
    repairs = {which: version for which, version in versions.items() if version["status"] == "proved"}
    instances = "".join(f"<li>{html.escape(text)}</li>" for text in published["replay"]["instances"])
    checks = "".join(f"<li>{html.escape(name)}</li>" for name in published["replay"]["checks"])
    mended = "".join(
        f"<dt>{html.escape(which)}</dt><dd>{display(version)}"
        f"<p>{html.escape(version['source'])}; {_replay(version)}</p></dd>"
        for which, version in repairs.items()
    )
    return (
        f'<article class="wrong" id="audit-{record["id"]}"><h3>{html.escape(record["title"])} '
        f'<span class="id">{html.escape(record["id"])} {html.escape(record["equation"])}</span></h3>'
        f'<dl><dt>published</dt><dd class="false">{display(published)}'
        f"<p>{html.escape(published['source'])}</p></dd>"
        f"<dt>counterexample</dt><dd><ul>{instances}</ul>"
        f"<details><summary>{_replay(published)}</summary><ol>{checks}</ol></details></dd>{mended}</dl></article>"
    )


def display(version: dict) -> str:
    """The statement of a version on a line of its own; long ones are printed smaller."""
    formula = mathml(version["latex"], "block")
    length = len(re.sub("<[^>]+>", "", formula))
    return f'<div class="statement{" long" if length > _LONG else ""}">{formula}</div>'


def _replay(version: dict) -> str:
    replay = version["replay"]
    if replay is None:
        return "open"
    return f"{replay['steps']} steps replayed" if replay["ok"] else "REPLAY FAILED"


def claims(records: list[dict]) -> str:
    """All claims: equation, statement with its source, verdict, versions with what their proof came to."""
    return (
        "<table class=claims><thead><tr><th>claim</th><th>statement</th><th>verdict</th></tr></thead><tbody>"
        + "".join(map(_claim, records))
        + "</tbody></table>"
    )


def _claim(record: dict) -> str:
    domain = "".join(
        f"<li><code>{html.escape(each['hypothesis'])}</code> ({html.escape(each['source'])})</li>"
        for each in record["domain"]
    )
    versions = "".join(
        f"<dt>{html.escape(which)}</dt><dd>{display(version)}"
        f"<p>{html.escape(version['source'])}; {version['status']}, {_replay(version)}"
        f"{', reached by an instance' if version['attained'] else ''}</p></dd>"
        for which, version in record["versions"].items()
    )
    return (
        f'<tr id="claim-{record["id"]}"><th scope=row><span class="id">{record["id"]}</span> '
        f"{html.escape(record['equation'])}</th>"
        f"<td><details><summary>{html.escape(record['title'])}</summary><dl>{versions}</dl>"
        f"<p>On the domain</p><ul>{domain}</ul><p>{html.escape(record['source'])}</p></details></td>"
        f'<td class="verdict {record["verdict"]}">{record["verdict"]}</td></tr>'
    )


def faults(found: pd.DataFrame) -> str:
    """The first check that catches each planted fault, after how much work, and how many more do."""
    rows = "".join(_fault(fault, rows) for fault, rows in found.groupby("fault", sort=False))
    heads = "".join(
        f"<th>{head}</th>"
        for head in ("fault", "first caught by", "on", "at cell", "CPU s", "left over right", "by more")
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _fault(fault: str, caught: pd.DataFrame) -> str:
    first = caught.iloc[0]
    work = f"{first.cells}", f"{first.seconds:.2g}", f"{first.excess:.4g}", f"{len(caught) - 1}"
    shown = (fault, f"{first.claim}, {first.version}", first.instance, *work)
    return "<tr>" + "".join(f"<td>{html.escape(each)}</td>" for each in shown) + "</tr>"
