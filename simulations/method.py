"""The record of a method: its kernels, and the factor of its published step rule."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """One meta-learning algorithm.

    direction: kernel of the sampled update direction (DIRECTION in `simulations.kernels`).
    gradient: kernel of the objective's exact gradient, of the same signature.
    objective: kernel of the objective (OBJECTIVE).
    step_factor: the published outer step is 1/(step_factor L~(w)).
    source: where that step is published.
    """

    direction: object
    gradient: object
    objective: object
    step_factor: int
    source: str
