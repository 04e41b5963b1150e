"""What the page says of the claims, gathered by one run: claims with their replayed proofs, verdicts, planted faults.

Written beside the figures' data as claims.json, verdicts.csv, faults.csv and provenance.json; the page reads these.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from figures import Settings
from simulations.verdicts import judged, suite
from simulations.verdicts.faults import FAULTS, caught
from theory import CLAIMS
from theory.certify import Certificate
from theory.claim import Claim
from theory.record import record

_LIBRARIES = ("numpy", "scipy", "sympy", "numba", "pandas", "matplotlib", "python-flint")
_ROOT = Path(__file__).parents[2]


def write(folder: Path, settings: Settings, progress: Callable[[float], None]) -> None:
    """Replay all proofs, decide the default cells, plant the faults, and write what was found.

    Args:
        folder: where the four files go.
        settings: of the run, for the provenance.
        progress: takes the share done.
    """
    started = time.time()
    told = [(file, account, claim) for file, (account, claims) in CLAIMS.files().items() for claim in claims]
    cells = list(suite.cells(suite.chosen_claims(), suite.instances()))
    steps = len(told) + len(cells) + len(FAULTS)
    done = 0

    def each(items):
        nonlocal done
        for item in items:
            yield item
            done += 1
            progress(done / steps)

    records = [{**replayed(claim), "file": file, "account": account} for file, account, claim in each(told)]
    verdicts = [{"instance": name, **judged(cell).row()} for name, cell in each(cells)]
    faults = [asdict(found) for name in each(FAULTS) for found in caught(name)]
    (folder / "claims.json").write_text(json.dumps(records, indent=1), encoding="utf-8")
    pd.DataFrame(verdicts).to_csv(folder / "verdicts.csv", index=False)
    pd.DataFrame(faults).to_csv(folder / "faults.csv", index=False)
    (folder / "provenance.json").write_text(json.dumps(provenance(settings, started), indent=1), encoding="utf-8")


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
    """Versions, machine, source and configuration of this run."""
    return {
        "mamlbound": version("mamlbound"),
        "python": platform.python_version(),
        **{name: version(name) for name in _LIBRARIES},
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "commit": _commit(),
        "profile": settings.profile,
        "seed": settings.seed,
        "constants": dict(settings.constants),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(started)),
    }


def _commit() -> str:
    """The commit of the source, with "+ changes" if the tree differs from it; "" outside a checkout."""
    try:
        asked = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty= + changes", "--exclude=*"]
        return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
