"""What the tests of the families look at: points at all scales, whole Hessians, and the variance over tasks."""

import numpy as np


def length_scale(family):
    """How far apart points are whose Hessians differ wholly; for quadratics, the distance of the start."""
    L, rho = float(family.constants.L), float(family.constants.rho)
    return L / rho if rho else float(np.linalg.norm(family.start))


def sample_points(family, count, seed=0):
    """Points at all distances from the start, from the origin and from stationary points, as far as a period."""
    generator = np.random.Generator(np.random.Philox(seed))
    length = length_scale(family)
    anchors = family.start * generator.choice([0.0, 0.5, 1.0], (count, 1))
    scales = length * 10.0 ** generator.uniform(-2.5, 0.7, (count, 1))
    return anchors + scales * generator.standard_normal((count, family.dim))


def hessians(family, w):
    """(tasks, d, d) by products with unit vectors."""
    columns = [family.hessian_vector_products(w, unit) for unit in np.eye(family.dim)]
    return np.stack(columns, axis=2)


def task_variance(family, w):
    gradients = family.gradients(w)
    mean = family.probabilities @ gradients
    return family.probabilities @ ((gradients - mean) ** 2).sum(axis=1)
