"""A results folder with everything the page is made of, in seconds: real records, a few real verdicts, one figure."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from figures import Settings, modules, style
from figures.report import evidence
from simulations.verdicts import judged, suite
from simulations.verdicts.faults import caught
from theory import CLAIMS
from theory.record import record

REPLAYED = ("task-gradient-moment", "hessian-noise", "bias")
_UNREPLAYED = {"ok": True, "steps": 1, "instances": ["an instance"], "checks": ["a step"]}


def fill(folder: Path) -> Path:
    """Write the files of the evidence and of one figure."""
    evident(folder)
    _figure(folder)
    return folder


def evident(folder: Path) -> None:
    """The files of the evidence; the proofs of REPLAYED are replayed, the others stand as if they had been."""
    records = []
    for file, (account, claims) in CLAIMS.files().items():
        for claim in claims:
            entry = evidence.replayed(claim) if claim.id in REPLAYED else record(claim)
            for version in entry["versions"].values():
                version.setdefault("replay", _UNREPLAYED)
            records.append({**entry, "file": file, "account": account})
    cells = suite.cells([CLAIMS[name] for name in REPLAYED], suite.instances(["cosine"]))
    verdicts = [{"instance": name, **judged(cell).row()} for name, cell in cells]
    faults = [asdict(found) for found in caught("sign of the Hessian")]
    (folder / "claims.json").write_text(json.dumps(records))
    pd.DataFrame(verdicts).to_csv(folder / "verdicts.csv", index=False)
    pd.DataFrame(faults).to_csv(folder / "faults.csv", index=False)
    (folder / "provenance.json").write_text(json.dumps(evidence.provenance(Settings(seed=7), 0.0)))


def _figure(folder: Path) -> None:
    rows = [
        {"claim": claim, "which": which, "a": a, "D": D, "largest": 0.1 * a * D**0.1 * (1 + len(which) / 100)}
        for claim in ("first-moment", "second-moment")
        for which in ("published", "sharp")
        for a in (0.05, 0.1)
        for D in (1, 8, 64, 512)
    ]
    pd.DataFrame(rows).to_csv(folder / "moments-ratios.csv", index=False)
    settings = {"dim": 16, "tasks": 32, "points": 10, "coefficient": 2.0, "share": 0.5}
    pd.DataFrame([settings]).to_csv(folder / "moments-settings.csv", index=False)
    with style.style():
        drawn = modules()["moments"].draw({"ratios": pd.read_csv(folder / "moments-ratios.csv")})
        drawn.savefig(folder / "moments.svg", metadata={"Date": None})
        plt.close(drawn)
