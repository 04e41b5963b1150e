"""JAX at its strongest: gradients by hand and angle addition, one key an iteration, replicates sharded over the cores,
either with JAX's own normals and sines or with this engine's formulas put in their place."""

from __future__ import annotations

import os
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.cases import Case, Problem
from benchmarks.peers._arrays import Noise, Tables, iteration, shapes, squared_norm
from simulations import elementary, philox
from simulations.kernels import on_arrays

CORES = os.cpu_count() or 1
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_num_cpu_devices", CORES)


_HELPERS = (elementary.log, elementary.turn, elementary.sin, elementary.cos, philox.uniform)
_log, _turn, _sin, _cos, _uniform = (on_arrays(helper, jnp) for helper in _HELPERS)


def _library_sincos(x):
    return jnp.sin(x), jnp.cos(x)


def _polynomial_sincos(x):
    return _sin(x), _cos(x)


def _box_muller(key, shape):
    count = int(np.prod(shape))
    words = jax.random.bits(key, (2, (count + 1) // 2), jnp.uint64)
    radius = jnp.sqrt(-2.0 * _log(_uniform(words[0])))
    sine, cosine = _turn(_uniform(words[1]))
    return jnp.concatenate([radius * cosine, radius * sine])[:count].reshape(shape)


def _noise(p: Problem, merged: bool, replicates: int, normal, key) -> Noise:
    def picks(key, count: int):
        everyone = jnp.broadcast_to(jnp.arange(len(p.shift)), (replicates, len(p.shift)))
        return jax.random.randint(key, (replicates, count), 0, len(p.shift)) if count else everyone

    keys = iter(jax.random.split(key, 6))
    drawn = picks(next(keys), p.B), picks(next(keys), p.B_step)
    return Noise(*drawn, **{name: normal(next(keys), s) for name, s in shapes(p, merged, replicates).items()})


def _build(merged: bool, generator: str, normal, sincos, case: Case):
    p = case.problem()
    shards = CORES if p.replicates % CORES == 0 else 1
    tables = Tables.of(p, jnp.asarray)
    everyone = jnp.broadcast_to(jnp.arange(len(p.shift)), (p.replicates // shards, len(p.shift)))
    quiet = Noise(everyone, everyone, 0.0, 0.0, 0.0, 0.0)

    def update(key, w, k):
        noise = quiet
        if case.noisy:
            noise = _noise(p, merged, p.replicates // shards, normal, jax.random.fold_in(key, k))
        return iteration(jnp, sincos, tables, p, merged, w, noise)

    def stretch(key, w, first):
        norm = squared_norm(sincos, tables, p, w)
        return lax.fori_loop(0, p.record_every, lambda k, w: update(key, w, first + k), w), norm

    @jax.pmap
    def everything(key):
        w = jnp.tile(jnp.asarray(p.start), (p.replicates // shards, 1))
        w, norms = lax.scan(partial(stretch, key), w, jnp.arange(0, p.iterations, p.record_every))
        return w, jnp.concatenate([norms, squared_norm(sincos, tables, p, w)[None]])

    keys = jax.random.split(jax.random.key(p.seed, impl=generator), shards)

    def run():
        w, norms = jax.block_until_ready(everything(keys))
        return w.reshape(p.replicates, -1), jnp.concatenate(norms, axis=1)

    return run


_WAYS = {
    "threefry": ("threefry2x32", jax.random.normal, _library_sincos),
    "threefry, polynomial sine": ("threefry2x32", jax.random.normal, _polynomial_sincos),
    "threefry, engine's formulas": ("threefry2x32", _box_muller, _polynomial_sincos),
    "rbg, engine's formulas": ("rbg", _box_muller, _polynomial_sincos),
}
VARIANTS = {
    f"JAX {way} {draws}": (draws, partial(_build, draws == "merged", *parts))
    for way, parts in _WAYS.items()
    for draws in ("all", "merged")
}
