"""Reptile (Nichol, Achiam and Schulman 2018): the sum of the gradients along k plain steps on each task.

Its direction (w - w_k)/alpha is the gradient of no function in general. It is judged by the objective of MAML with
k - 1 inner steps, as MAML takes k gradients too, its last one outside: Nichol's comparison. Option steps: k. No random
step rule is published for it, so the step is a number or a function.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulations.blocks import add, fill, tile, weighted_sum
from simulations.kernels import DIRECTION, callback
from simulations.method import Case, Method, Options, known, stages
from simulations.methods import multi_step
from simulations.philox import INNER, at, stage


@callback(DIRECTION)
def direction(oracle, setting, w, picks, parameters, weights, address, work, out, squares):
    """out += sum_r weights[r] sum_{j<k} grad f_i(w_j), i = picks[r], w_{j+1} = w_j - alpha grad f_i(w_j), w_0 = w.

    Each gradient has D_in fresh samples; D_o and D_h play no part. work: (3, rows, d); options: (k,).
    """
    here, found, total = work[0], work[1], work[2]
    tile(w, here)
    fill(0.0, total)
    for j in range(int(setting.options[0])):
        place = at(address, stage(INNER, j))
        oracle.gradients(oracle.tasks, oracle.spread, here, picks, parameters, setting.D_in, place, found)
        add(1.0, found, total)
        add(-setting.alpha, found, here)
    weighted_sum(weights, total, out)


def options(asked: Mapping, case: Case) -> Options:
    """Understand steps, 2 by default.

    Raises:
        ValueError: another option, or no whole number from 1 to 255.
    """
    known(asked, "steps")
    steps = stages(asked, "steps", 2)
    return Options({"steps": steps}, slots=steps + 2, direction=(steps,), objective=(steps - 1,))


METHOD = Method(
    direction=direction,
    gradient=multi_step.direction,
    objective=multi_step.objective,
    options=options,
    source="Nichol, Achiam and Schulman (2018)",
)
