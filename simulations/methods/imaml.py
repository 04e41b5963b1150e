"""Implicit MAML (Rajeswaran, Finn, Kakade and Levine 2019), judged by its own objective F(w) = E_i f_i(phi_i(w)).

phi_i(w) = argmin f_i(phi) + (lambda/2)||phi - w||^2 and grad F = E_i (I + Hess f_i(phi_i)/lambda)^{-1} grad f_i(phi_i).
Options: `lambda`, above L, 1/alpha by default, so that the first inner iteration is MAML's inner step; `tolerance`, the
accuracy that the number of iterations is chosen for. The numbers follow from the worst case of the constants, so every
task and replicate does the same work: the inner fixed-point iteration contracts by q = L/lambda, and conjugate
gradients by (sqrt(c) - 1)/(sqrt(c) + 1) with c = (1 + q)/(1 - q). No step rule is published for it, so the step is a
number or a function.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from simulations.blocks import copy, divide, fill, means, products, shift_rows, step_back, tile, weighted_sum
from simulations.family import real
from simulations.kernels import DIRECTION, OBJECTIVE, callback
from simulations.method import Case, Method, Options, known, positive
from simulations.philox import HESSIAN, INNER, OUTER, at

_ROUNDING = 1e-16


@callback(DIRECTION)
def direction(oracle, setting, w, picks, parameters, weights, address, work, out, squares):
    """out += sum_r weights[r] (I + H_i/lambda)^{-1} grad f_i(phi_i), i = picks[r].

    D_in samples make one loss, whose gradient the whole inner iteration phi <- w - grad f_i(phi)/lambda uses; D_o
    samples the outer gradient; D_h samples the one Hessian of all conjugate-gradient iterations.
    work: (6, rows, d); options: (1/lambda, inner iterations, conjugate-gradient iterations).
    """
    here, phi, found, residual, search, solution = work[0], work[1], work[2], work[3], work[4], work[5]
    tasks, spread, pull = oracle.tasks, oracle.spread, setting.options[0]
    tile(w, here)
    tile(w, phi)
    for _ in range(int(setting.options[1])):
        oracle.gradients(tasks, spread, phi, picks, parameters, setting.D_in, at(address, INNER), found)
        step_back(here, pull, found)
        copy(found, phi)
    oracle.gradients(tasks, spread, phi, picks, parameters, setting.D_o, at(address, OUTER), residual)
    copy(residual, search)
    fill(0.0, solution)
    square, other, ratio = np.empty(here.shape[:-1]), np.empty(here.shape[:-1]), np.empty(here.shape[:-1])
    products(residual, residual, square)
    for _ in range(int(setting.options[2])):
        oracle.products(tasks, spread, phi, search, picks, parameters, setting.D_h, at(address, HESSIAN), found)
        step_back(search, -pull, found)
        products(search, found, other)
        divide(square, other, ratio)
        shift_rows(solution, 1.0, ratio, search, solution)
        shift_rows(residual, -1.0, ratio, found, residual)
        products(residual, residual, other)
        divide(other, square, ratio)
        copy(other, square)
        shift_rows(residual, 1.0, ratio, search, search)
    weighted_sum(weights, solution, out)


@callback(OBJECTIVE)
def objective(tasks, law, setting, w, picks, parameters, work, out):
    """out = F(w) = E_i f_i(phi_i(w))."""
    here, phi, found = work[0], work[1], work[2]
    tile(w, here)
    tile(w, phi)
    for _ in range(int(setting.options[1])):
        tasks.gradients(phi, picks, parameters, tasks.shared, found)
        step_back(here, setting.options[0], found)
        copy(found, phi)
    values = np.empty(phi.shape[:-1])
    tasks.values(phi, picks, parameters, tasks.shared, values)
    means(law.probabilities, values, out)


def options(asked: Mapping, case: Case) -> Options:
    """Understand lambda and tolerance; what is shown besides: the iterations, and the accuracy they are sure to reach.

    inner_error is ||phi - phi_i||/||grad f_i(w)|| times lambda, cg_error the solve's error in units of the first one.

    Raises:
        ValueError: another option, lambda not above L, a tolerance outside (0, 1), or Hessian noise that is drawn anew
            for every vector.
    """
    known(asked, "lambda", "tolerance")
    noise = case.family.noise.hessian
    if not noise.one_matrix:
        raise ValueError(f"imaml meets one sampled Hessian many times, and {noise.name} Hessian noise cannot give it")
    alpha, L = real(case.alpha), real(case.family.constants.L)
    if alpha == 0 and "lambda" not in asked:
        raise ValueError("imaml with alpha = 0 needs a lambda in method_options: its default is 1/alpha")
    strength = positive(asked, "lambda", 1 / alpha if alpha else 0.0)
    tolerance = positive(asked, "tolerance", 1e-12)
    if tolerance >= 1:
        raise ValueError(f"method_options: tolerance must be below 1, got {tolerance}")
    if strength <= L:
        raise ValueError(
            f"method_options: lambda must be above L = {L:g}, where the inner problem is convex, got {strength:g}"
        )
    q = L / strength
    root = math.sqrt((1 + q) / (1 - q))
    rate = (root - 1) / (root + 1)
    inner, conjugate = _iterations(q, (1 - q), tolerance), _iterations(rate, 1 / (2 * root), tolerance)
    shown = {
        "lambda": strength,
        "tolerance": tolerance,
        "inner_iterations": inner,
        "cg_iterations": conjugate,
        "inner_error": q**inner / (1 - q),
        "cg_error": 2 * root * rate**conjugate,
    }
    sharp = _iterations(q, (1 - q), _ROUNDING), _iterations(rate, 1 / (2 * root), _ROUNDING)
    return Options(shown, slots=6, direction=(1 / strength, inner, conjugate), objective=(1 / strength, *sharp))


def _iterations(rate: float, share: float, tolerance: float) -> int:
    """The least n with rate^n <= share tolerance."""
    return max(1, math.ceil(math.log(share * tolerance) / math.log(rate)))


METHOD = Method(
    direction=direction,
    gradient=direction,
    objective=objective,
    options=options,
    source="Rajeswaran, Finn, Kakade and Levine (2019)",
)
