"""The convergence theory of MAML as executable claims: symbols, constants, statements, proofs. Exact arithmetic."""

from theory.assumptions import ASSUMPTIONS, Assumption, Constants
from theory.certify import Certificate
from theory.claim import Claim, OutsideDomain
from theory.claims import CLAIMS
from theory.sharpening import plan, sharpen

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
]
