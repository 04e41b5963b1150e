"""A test of means at 1e-9 that assumes nothing of a law but its variance.

A statistic of known variance v is averaged over BLOCKS blocks of n draws. By Cantelli's inequality a block's mean is
FAR sqrt(v/n) or more off, to a given side, with probability at most q = 1/(1 + FAR^2); the median of the blocks is so
only if more than half of them are: probability at most P(Bin(BLOCKS, q) > BLOCKS/2) < 4e-11 a side.
"""

import numpy as np

BLOCKS, SIZE, FAR, DELTA = 41, 8_000, 3.0, 1e-9
COUNT = BLOCKS * SIZE


def excess(draws, means, variances):
    """How far the medians of block means lie off the exact means, in units of what the test allows.

    draws: (COUNT, k). means, variances: (k,).
    """
    middle = np.median(draws.reshape(BLOCKS, SIZE, -1).mean(axis=1), axis=0)
    allowed = FAR * np.sqrt(np.maximum(variances, 0) / SIZE) + 1e-11
    return (np.abs(middle - means) / allowed).max()
