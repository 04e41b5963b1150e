"""Audit a bound of one's own: certificate, exact checks, the worst instance, planted faults, constants used up."""

from simulations.auditing.audit import audit
from simulations.auditing.report import Audit

__all__ = ["Audit", "audit"]
