"""Any separable family with its coordinates turned, so that they couple: tasks w -> f_i(Q w), Q orthogonal.

Gradients are Q^T grad f_i(Q w) and Hessians Q^T Hess f_i(Q w) Q, whose norms are those without Q: L, rho, sigma, Delta
and, for noise that is the same in all directions, sigma_tilde and sigma_H stand as they did, and stay attained.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping

import numpy as np

from simulations.family import Family
from theory.rationals import Number


def rotated(
    dim: int = 16,
    tasks: int = 32,
    L: Number = 1.0,
    rho: Number = 1.0,
    sigma: Number = 0.5,
    sigma_tilde: Number = 0.3,
    sigma_H: Number = 0.2,
    of: str | Callable[..., Family] = "cosine",
    options: Mapping[str, object] | None = None,
    seed: int = 0,
) -> Family:
    """A separable family, turned by a rotation or reflection drawn from Haar's law.

    Args:
        dim, tasks, L, rho, sigma, sigma_tilde, sigma_H: as the family itself takes them.
        of: the family: the name of a file of this folder, or a function that builds one.
        options: further arguments of the family, by name.
        seed: of the family and of Q.

    Raises:
        ValueError: there is no such family, it has no such member, or it is not separable.
    """
    if isinstance(of, str):
        from simulations import families

        if of not in families.NAMES or of == "rotated":
            known = ", ".join(name for name in families.NAMES if name != "rotated")
            raise ValueError(f"of must be one of {known}, or a function, got {of!r}")
        of = getattr(importlib.import_module(f"simulations.families.{of}"), of)
    constants = {"L": L, "rho": rho, "sigma": sigma, "sigma_tilde": sigma_tilde, "sigma_H": sigma_H}
    family = of(dim=dim, tasks=tasks, **constants, seed=seed, **(options or {}))
    generator = np.random.Generator(np.random.Philox([seed, family.dim]))
    Q, R = np.linalg.qr(generator.standard_normal((family.dim, family.dim)))
    return family.turned_by(Q * np.sign(np.diag(R)))
