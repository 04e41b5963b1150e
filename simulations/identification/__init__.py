"""Which algorithm is this meta-gradient, really? Probes with exact derivatives tell the candidates apart."""

from simulations.identification.identification import identify
from simulations.identification.quartic import DIM, loss
from simulations.identification.report import Report

__all__ = ["DIM", "Report", "identify", "loss"]
