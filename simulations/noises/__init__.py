"""Oracle noise, one kind per file: a file of this folder is registered by being here, under its own name.

gaussian.py is the pattern for noise of gradients, isotropic.py for noise of Hessians; tests/test_oracles.py holds every
kind to its law. SciPy's large modules are imported where they are used, to keep the start of a run short.
"""

from __future__ import annotations

import importlib
import pkgutil

from simulations.noise import GradientNoise, HessianNoise, Noise

NAMES = tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))

for _name in NAMES:
    globals()[_name] = getattr(importlib.import_module(f"{__name__}.{_name}"), _name)

_BUILT = {name: globals()[name]() for name in NAMES}
GRADIENT = {name: noise for name, noise in _BUILT.items() if isinstance(noise, GradientNoise)}
HESSIAN = {name: noise for name, noise in _BUILT.items() if isinstance(noise, HessianNoise)}
PLAIN = Noise(GRADIENT["gaussian"], HESSIAN["isotropic"])

__all__ = ["GRADIENT", "HESSIAN", "NAMES", "PLAIN", "chosen", *NAMES]


def chosen(noise: Noise, gradient: str | GradientNoise | None, hessian: str | HessianNoise | None) -> Noise:
    """`noise` with another gradient or Hessian noise, by name or as a record; None keeps what there is.

    Raises:
        ValueError: a name is not known, or the Hessian noise does not go with the gradient noise.
    """
    asked = _named("noise", gradient, GRADIENT, GradientNoise) or noise.gradient
    kept = noise.hessian if noise.gradient.partner is None else PLAIN.hessian
    product = _named("hessian_noise", hessian, HESSIAN, HessianNoise) or asked.partner or kept
    if asked.partner not in (None, product):
        raise ValueError(
            f"hessian_noise must be left out with {asked.name} gradients, whose samples bring their own Hessians; "
            f"got {product.name}"
        )
    return Noise(asked, product)


def _named(keyword: str, asked: object, known: dict, record: type):
    if asked is None or isinstance(asked, record):
        return asked
    if asked not in known:
        raise ValueError(f"{keyword} must be one of {', '.join(known)}, or a record of one, got {asked!r}")
    return known[asked]
