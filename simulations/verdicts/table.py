"""Many verdicts as one table: claims by instances, for a terminal, a notebook or a page."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from simulations.verdicts.key import KNOWN
from simulations.verdicts.verdict import Verdict

COLUMNS = ("instance", "claim", "version", "status", "slack", "expected")
_MUCH = 10_000
_WORDS = (("ERROR", "ERROR"), ("UNDECIDED", "undecided"), ("VIOLATED", "refuted"))
NOTE = "Numbers: all versions hold, the tightest with this slack (right/left, of lower claims left/right)."


@dataclass(frozen=True)
class VerdictTable:
    """Verdicts, one row each, with at least the columns of COLUMNS; `slack` is NaN where there are no sides."""

    rows: pd.DataFrame

    @classmethod
    def of(cls, found: Iterable[tuple[str, Verdict]]) -> VerdictTable:
        """From pairs of an instance's name and a verdict on it."""
        rows = [(name, v.cell.claim.id, v.cell.version, v.status, v.slack, v.expected) for name, v in found]
        return cls(pd.DataFrame(rows, columns=COLUMNS).replace({"slack": math.inf}, math.nan))

    @property
    def texts(self) -> pd.DataFrame:
        """What every claim did on every instance, in a word or a number; "" where it was not asked."""
        cells = self.rows.groupby(["claim", "instance"], sort=False)[["status", "slack", "expected"]].apply(_text)
        asked, known = self.rows["claim"].unique(), [*KNOWN]
        claims = sorted(asked, key=lambda claim: known.index(claim) if claim in known else len(known))
        return cells.unstack(fill_value="").loc[claims, self.rows["instance"].unique()]

    @property
    def counts(self) -> dict[str, int]:
        """How many verdicts have each status."""
        return self.rows["status"].value_counts(sort=False).to_dict()

    @property
    def summary(self) -> str:
        """The counts in words: what holds, what is refuted as the theory says, and what should not be."""
        counts = self.counts
        unexpected = int((~self.rows["expected"]).sum())
        told = {"HOLDS": "hold", "UNDECIDED": "undecided", "NOT_APPLICABLE": "not applicable", "ERROR": "errors"}
        parts = [f"{counts[status]} {word}" for status, word in told.items() if status in counts]
        refuted = counts.get("VIOLATED", 0) - int(((self.rows["status"] == "VIOLATED") & ~self.rows["expected"]).sum())
        return ", ".join([*parts, f"{refuted} refuted as the theory says", f"{unexpected} against it"])

    def _repr_html_(self) -> str:
        texts = self.texts
        heads = "".join(f"<th scope=col>{html.escape(name)}</th>" for name in texts.columns)
        lines = "".join(
            f"<tr><th scope=row>{html.escape(claim)}</th>{''.join(map(_cell, line))}</tr>"
            for claim, line in zip(texts.index, texts.to_numpy(), strict=True)
        )
        head = f"<thead><tr><th></th>{heads}</tr></thead>"
        return f"<table class=verdicts>{head}<tbody>{lines}</tbody></table><p>{NOTE} In all: {self.summary}.</p>"


def _cell(text: str) -> str:
    kind = "holds" if text == "holds" or text[:1] in tuple("0123456789>") else text.lower().replace("/", "")
    return f'<td class="{html.escape(kind or "none")}">{html.escape(text)}</td>'


def _text(verdicts: pd.DataFrame) -> str:
    statuses = set(verdicts["status"])
    if ((verdicts["status"] == "VIOLATED") & ~verdicts["expected"]).any():
        return "VIOLATED"
    for status, word in _WORDS:
        if status in statuses:
            return word
    if statuses == {"NOT_APPLICABLE"}:
        return "n/a"
    slack = verdicts["slack"].min()
    return "holds" if math.isnan(slack) else f"{slack:.4g}" if slack < _MUCH else f">{_MUCH:g}"
