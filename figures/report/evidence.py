"""What the page says of the claims, gathered by one run: claims with their replayed proofs, verdicts, planted faults.

Written beside the figures' data as claims.json, verdicts.csv, faults.csv and provenance.json; the page reads these.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from figures import Settings
from simulations.sweep.provenance import environment
from simulations.verdicts import faults, judged, suite
from theory import CLAIMS
from theory.certify import Certificate
from theory.claim import Claim
from theory.record import record

FILES = ("claims.json", "verdicts.csv", "faults.csv", "provenance.json")


def write(folder: Path, settings: Settings, progress: Callable[[float], None]) -> None:
    """Replay all proofs, decide the default cells, plant the faults, and write what was found.

    The proofs are replayed in processes beside this one, which decides the cells meanwhile.

    Args:
        folder: where the four files go.
        settings: of the run, for the provenance.
        progress: takes the share done.
    """
    started = time.time()
    told = {claim.id: (file, account) for file, (account, claims) in CLAIMS.files().items() for claim in claims}
    cells = suite.everything(suite.chosen_claims())
    steps, done = len(told) + len(cells), 0

    def each(items: Iterable) -> Iterator:
        nonlocal done
        for item in items:
            yield item
            done += 1
            progress(done / steps)

    beside = max(1, (os.cpu_count() or 1) - 1)
    with multiprocessing.get_context("spawn").Pool(beside, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        replays = pool.imap(_replayed, told)
        verdicts = [{"instance": name, **judged(cell).row()} for name, cell in each(cells)]
        caught = [asdict(one) for _, rows in faults.everything() for one in rows]
        records = [{**entry, "file": told[entry["id"]][0], "account": told[entry["id"]][1]} for entry in each(replays)]
    to_claims, to_verdicts, to_faults, to_provenance = (folder / name for name in FILES)
    to_claims.write_text(json.dumps(records, indent=1), encoding="utf-8")
    pd.DataFrame(verdicts).to_csv(to_verdicts, index=False)
    pd.DataFrame(caught).to_csv(to_faults, index=False)
    to_provenance.write_text(json.dumps(provenance(settings, started), indent=1), encoding="utf-8")


def _replayed(claim_id: str) -> dict:
    return replayed(CLAIMS[claim_id])


def replayed(claim: Claim) -> dict:
    """The record of a claim with the outcome of each version's replay; `replay` is None where there is no proof."""
    entry = record(claim)
    for which, version_of in claim.versions.items():
        certificate = claim.certificate(which) if version_of.status != "open" else None
        entry["versions"][which]["replay"] = certificate and _outcome(certificate)
    return entry


def _outcome(certificate: Certificate) -> dict:
    return {
        "ok": certificate.ok,
        "steps": len(certificate.steps),
        "instances": list(certificate.instances),
        "checks": [step.name for step in certificate.steps],
    }


def provenance(settings: Settings, started: float) -> dict:
    """Versions, machine, source and configuration of this run.

    Args:
        settings: of the run.
        started: when, in seconds since the epoch.
    """
    return {
        **environment(),
        "profile": settings.profile,
        "seed": settings.seed,
        "constants": dict(settings.constants),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(started)),
    }
