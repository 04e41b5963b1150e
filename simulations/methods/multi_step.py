"""Multi-step MAML, N inner steps (Ji, Yang and Liang 2022), with fresh samples at every inner step and every Hessian.

Judged by its own objective F_N(w) = E_i f_i(w_N). With N = 1 it is MAML, number for number. Option inner_steps: N.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simulations.blocks import add, fill, means, step_back, tile, weighted_products, weighted_sum
from simulations.kernels import DIRECTION, OBJECTIVE, callback
from simulations.method import Case, Method, Options, known, stages
from simulations.philox import HESSIAN, INNER, OUTER, at, stage
from theory import CLAIMS
from theory.rationals import exact


@callback(DIRECTION)
def direction(oracle, setting, w, picks, parameters, weights, address, work, out, squares):
    """out += sum_r weights[r] (I - alpha H_i(w_0)) ... (I - alpha H_i(w_{N-1})) grad f_i(w_N), i = picks[r].

    w_0 = w and w_{j+1} = w_j - alpha grad f_i(w_j): Ji's estimator in the resampling case.
    work: (N + 3, rows, d); options: (N,), where N = 0 gives the gradient of f.
    """
    steps, alpha = int(setting.options[0]), setting.alpha
    tasks, spread, outer, product = oracle.tasks, oracle.spread, work[steps + 1], work[steps + 2]
    tile(w, work[0])
    for j in range(steps):
        place = at(address, stage(INNER, j))
        oracle.gradients(tasks, spread, work[j], picks, parameters, setting.D_in, place, work[j + 1])
        step_back(work[j], alpha, work[j + 1])
    oracle.gradients(tasks, spread, work[steps], picks, parameters, setting.D_o, at(address, OUTER), outer)
    for j in range(steps - 1, -1, -1):
        place = at(address, stage(HESSIAN, j))
        oracle.products(tasks, spread, work[j], outer, picks, parameters, setting.D_h, place, product)
        add(-alpha, product, outer)
    weighted_sum(weights, outer, out)


@callback(DIRECTION)
def merged(oracle, setting, w, picks, parameters, weights, address, work, out, squares):
    """`direction` but for the outer noise, and its squared weights: as in MAML, A_r a product of N diagonal factors."""
    steps, alpha = int(setting.options[0]), setting.alpha
    tasks, spread, factor, product = oracle.tasks, oracle.spread, work[steps + 1], work[steps + 2]
    tile(w, work[0])
    for j in range(steps):
        place = at(address, stage(INNER, j))
        oracle.gradients(tasks, spread, work[j], picks, parameters, setting.D_in, place, work[j + 1])
        step_back(work[j], alpha, work[j + 1])
    fill(1.0, factor)
    for j in range(steps - 1, -1, -1):
        place = at(address, stage(HESSIAN, j))
        oracle.products(tasks, spread, work[j], factor, picks, parameters, setting.D_h, place, product)
        add(-alpha, product, factor)
    tasks.gradients(work[steps], picks, parameters, tasks.shared, product)
    weighted_products(weights, factor, product, out, squares)


@callback(OBJECTIVE)
def objective(tasks, law, setting, w, picks, parameters, work, out):
    """out = F_N(w) = E_i f_i(w_N)."""
    steps = int(setting.options[0])
    tile(w, work[0])
    for j in range(steps):
        tasks.gradients(work[j], picks, parameters, tasks.shared, work[j + 1])
        step_back(work[j], setting.alpha, work[j + 1])
    values = np.empty(work[0].shape[:-1])
    tasks.values(work[steps], picks, parameters, tasks.shared, values)
    means(law.probabilities, values, out)


def options(asked: Mapping, case: Case) -> Options:
    """Understand inner_steps, 2 by default.

    Raises:
        ValueError: another option, or no whole number from 1 to 255.
    """
    known(asked, "inner_steps")
    steps = stages(asked, "inner_steps", 2)
    return Options({"inner_steps": steps}, slots=steps + 3, direction=(steps,), objective=(steps,))


def smoothness(which: str, case: Case, options: Options) -> tuple[float, float]:
    """L_w = (1 + a)^{2N} L + C_L E||g_i||, Ji Proposition 1."""
    L, steps = exact(case.family.constants.L), options.shown["inner_steps"]
    found = CLAIMS["multi-step-smoothness"].constants(which, a=exact(case.alpha) * L, N=steps)
    return float(found["cL"] * L), float(found["cg"] * exact(case.family.constants.rho) / L)


METHOD = Method(
    direction=direction,
    merged=merged,
    gradient=direction,
    objective=objective,
    options=options,
    source="Ji, Yang and Liang (2022), Corollary 6",
    step_factor=100,
    smoothness=smoothness,
)
