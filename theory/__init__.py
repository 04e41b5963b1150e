"""The convergence theory of MAML as executable claims: symbols, constants, statements, proofs. Exact arithmetic."""

import importlib

from theory.assumptions import ASSUMPTIONS, Assumption, Constants
from theory.certify import Certificate
from theory.claim import Claim, OutsideDomain
from theory.claims import CLAIMS
from theory.stated import stated

__all__ = [
    "ASSUMPTIONS",
    "CLAIMS",
    "Assumption",
    "Certificate",
    "Claim",
    "Constants",
    "OutsideDomain",
    "plan",
    "sharpen",
    "stated",
]


def __getattr__(name: str):
    """`plan` and `sharpen` read the claims' files, so they come when they are first asked for."""
    if name not in ("plan", "sharpen"):
        raise AttributeError(f"module 'theory' has no attribute {name!r}")
    return getattr(importlib.import_module("theory.sharpening"), name)
