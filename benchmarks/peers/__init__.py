"""Whom the engine is timed against, one file each: a file of this folder is a peer by being here.

A peer's VARIANTS maps names to (draws, build): draws is "all" or "merged", and build(case) prepares everything and
returns run(), which takes the case to its end and returns the points (replicates, d) and the squared norms of grad F
at iterations 0, 50, ..., the last, (records, replicates). A peer that is not installed fails to import.
"""

from __future__ import annotations

import pkgutil

NAMES = tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))
