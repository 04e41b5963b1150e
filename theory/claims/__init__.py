"""The claims, one theorem or lemma family per file; a file of this folder is registered by being here."""

from __future__ import annotations

import importlib
import pkgutil

from theory.claim import Claim


def _scan() -> dict[str, Claim]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    claims = [claim for name in names for claim in importlib.import_module(f"{__name__}.{name}").CLAIMS]
    found = {claim.id: claim for claim in claims}
    if len(found) < len(claims):
        raise ValueError("two claims share one id: " + ", ".join(sorted(claim.id for claim in claims)))
    return found


CLAIMS = _scan()
