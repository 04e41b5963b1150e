"""Do the peers compute the same thing? Without noise to rounding; with noise in the moments of ||grad F(w_k)||^2."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.cases import Case
from benchmarks.worker import Peer

QUIET = Case(d=5, B=20, tasks=7, iterations=100, replicates=2, record_every=10, noisy=False)
LOUD = Case(d=4, B=2, tasks=5, iterations=4, replicates=2**14, record_every=1, sigma_tilde=4.0, sigma_H=4.0)
TOLERANCE = 1e-10
ERRORS = 6.5


def quiet_difference(peer: Peer, variant: str, engine: np.ndarray) -> float:
    """The largest relative difference of a norm at any record of full-batch runs without noise."""
    return float(np.abs(peer.norms(variant, QUIET) / engine - 1).max())


def loud_difference(peer: Peer, variant: str, engine: np.ndarray) -> float:
    """How many standard errors the means of ||grad F(w_k)||^2 and of its square lie apart, the most over k and both."""
    apart = 0.0
    for mine, theirs in zip(engine[1:], peer.norms(variant, LOUD)[1:], strict=True):
        for power in (1, 2):
            x, y = mine**power, theirs**power
            error = math.sqrt(x.var(ddof=1) / x.size + y.var(ddof=1) / y.size)
            apart = max(apart, abs(x.mean() - y.mean()) / error)
    return apart
