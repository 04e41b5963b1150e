"""Hessian-free MAML (FMO H.1): the Hessian-vector product of MAML from two gradients, judged by MAML's objective (1).

Option zeta of delta_i = zeta/(rho alpha ||h~_i||): "published" is 1/6; "repaired" min{1/6, eps/(8 (sigma +
sigma~/sqrt(D_in) + sigma~/sqrt(D_o)))} for the smallest eps of the experiment, the repair of THEORY.md section 4; or a
number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from simulations.blocks import add, divide, fill, norms, shift_rows, step_back, tile, weighted_sum
from simulations.family import real
from simulations.kernels import DIRECTION, callback
from simulations.method import Case, Method, Options, known, one_step_smoothness, positive
from simulations.methods import maml
from simulations.philox import HESSIAN, INNER, OUTER, at

PUBLISHED_ZETA = 1 / 6


@callback(DIRECTION)
def direction(oracle, setting, w, picks, parameters, weights, address, work, out, squares):
    """out += sum_r weights[r] (h_i - alpha d_i), d_i = (grad f_i(w + delta h_i) - grad f_i(w - delta h_i))/(2 delta).

    The two gradients of d_i share their D_h samples, so noise that does not depend on the point cancels. Where h_i = 0
    so is d_i. work: (6, rows, d); options: (zeta/(rho alpha),), the length of delta_i h_i.
    """
    here, inner, outer, point, ahead, behind = work[0], work[1], work[2], work[3], work[4], work[5]
    tasks, spread, alpha, reach = oracle.tasks, oracle.spread, setting.alpha, setting.options[0]
    tile(w, here)
    oracle.gradients(tasks, spread, here, picks, parameters, setting.D_in, at(address, INNER), inner)
    step_back(here, alpha, inner)
    oracle.gradients(tasks, spread, inner, picks, parameters, setting.D_o, at(address, OUTER), outer)
    delta, length = np.empty(outer.shape[:-1]), np.empty(outer.shape[:-1])
    norms(outer, length)
    fill(reach, delta)
    divide(delta, length, delta)
    shift_rows(here, 1.0, delta, outer, point)
    oracle.gradients(tasks, spread, point, picks, parameters, setting.D_h, at(address, HESSIAN), ahead)
    shift_rows(here, -1.0, delta, outer, point)
    oracle.gradients(tasks, spread, point, picks, parameters, setting.D_h, at(address, HESSIAN), behind)
    add(-1.0, behind, ahead)
    fill(0.5 * alpha, length)
    divide(length, delta, delta)
    shift_rows(outer, -1.0, delta, ahead, outer)
    weighted_sum(weights, outer, out)


def options(asked: Mapping, case: Case) -> Options:
    """Understand zeta.

    Raises:
        ValueError: no such zeta, "repaired" without an eps, or rho alpha = 0, where delta_i is not defined.
    """
    known(asked, "zeta")
    zeta, constants, scale = asked.get("zeta", "published"), case.family.constants, real(case.alpha)
    scale *= real(constants.rho)
    if scale == 0:
        raise ValueError("hf_maml needs positive rho and alpha: its delta is zeta/(rho alpha ||h||)")
    if zeta == "repaired":
        if not case.eps:
            raise ValueError("zeta = 'repaired' needs an eps, on which it depends")
        noise = real(constants.sigma_tilde) * (1 / math.sqrt(case.D_in) + 1 / math.sqrt(case.D_o))
        spread = real(constants.sigma) + noise
        zeta = min(PUBLISHED_ZETA, min(case.eps) / (8 * spread)) if spread else PUBLISHED_ZETA
    elif zeta == "published":
        zeta = PUBLISHED_ZETA
    elif isinstance(zeta, str):
        raise ValueError(f"method_options: zeta must be 'published', 'repaired' or a positive number, got {zeta!r}")
    zeta = positive({"zeta": zeta}, "zeta", 0.0)
    return Options({"zeta": zeta}, slots=6, direction=(zeta / scale,))


METHOD = Method(
    direction=direction,
    gradient=maml.direction,
    objective=maml.objective,
    options=options,
    source="FMO Theorem H.1",
    step_factor=25,
    smoothness=one_step_smoothness,
)
