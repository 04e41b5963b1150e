"""First-order MAML (Finn, Abbeel and Levine 2017): MAML without its Hessian, judged by MAML's objective (1)."""

from __future__ import annotations

from simulations.blocks import fill, step_back, tile, weighted_products, weighted_sum
from simulations.kernels import DIRECTION, callback
from simulations.method import Method, no_options, one_step_smoothness
from simulations.methods import maml
from simulations.philox import INNER, OUTER, at


@callback(DIRECTION)
def direction(oracle, setting, w, picks, parameters, weights, address, work, out, squares):
    """out += sum_r weights[r] h_i, i = picks[r]: FMO G.1. It draws nothing with D_h. work: (3 or more, rows, d)."""
    here, inner, outer = work[0], work[1], work[2]
    tasks, spread = oracle.tasks, oracle.spread
    tile(w, here)
    oracle.gradients(tasks, spread, here, picks, parameters, setting.D_in, at(address, INNER), inner)
    step_back(here, setting.alpha, inner)
    oracle.gradients(tasks, spread, inner, picks, parameters, setting.D_o, at(address, OUTER), outer)
    weighted_sum(weights, outer, out)


@callback(DIRECTION)
def merged(oracle, setting, w, picks, parameters, weights, address, work, out, squares):
    """`direction` but for the outer noise, which enters linearly, and the squared weights of that noise."""
    here, inner, outer = work[0], work[1], work[2]
    tasks = oracle.tasks
    tile(w, here)
    oracle.gradients(tasks, oracle.spread, here, picks, parameters, setting.D_in, at(address, INNER), inner)
    step_back(here, setting.alpha, inner)
    tasks.gradients(inner, picks, parameters, tasks.shared, outer)
    fill(1.0, inner)
    weighted_products(weights, inner, outer, out, squares)


METHOD = Method(
    direction=direction,
    merged=merged,
    gradient=maml.direction,
    objective=maml.objective,
    options=no_options(slots=4),
    source="FMO Theorem G.1",
    step_factor=18,
    smoothness=one_step_smoothness,
)
