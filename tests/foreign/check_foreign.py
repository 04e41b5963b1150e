"""Other people's meta-gradients, named: TorchOpt, torch.func, torch modules, JAX. `make test-foreign` runs this.

The file is not called test_*, so `make test` needs neither torch nor JAX.
"""

import time
import warnings
from functools import lru_cache

import numpy as np
import pytest
import torch

from simulations import identify
from simulations.identification import adapters

warnings.simplefilter("ignore")
PRECISIONS = ("float64", "float32")
SECONDS = 20


def torchopt_maml(loss, w, tasks, alpha, steps):
    """TorchOpt's differentiable optimiser on a module with two parameter tensors."""
    import torchopt

    module = adapters.torch_module(w)
    optimiser = torchopt.MetaSGD(module, lr=alpha)
    start = torchopt.extract_state_dict(module, by="reference"), torchopt.extract_state_dict(optimiser)
    for support, query in tasks:
        for _ in range(steps):
            optimiser.step(module(torch.tensor(support)))
        (module(torch.tensor(query)) / len(tasks)).backward()
        torchopt.recover_state_dict(module, start[0])
        torchopt.recover_state_dict(optimiser, start[1])
    return adapters.gradient_of(module)


def torchopt_functional(loss, w, tasks, alpha, steps):
    """TorchOpt's functional interface, summed over the tasks."""
    import torchopt

    start = torch.tensor(w, requires_grad=True)
    total = 0.0
    for support, query in tasks:
        optimiser = torchopt.sgd(lr=alpha)
        weights, state = start, optimiser.init(start)
        for _ in range(steps):
            (slope,) = torch.autograd.grad(loss(weights, torch.tensor(support)), weights, create_graph=True)
            updates, state = optimiser.update(slope, state, inplace=False)
            weights = torchopt.apply_updates(weights, updates, inplace=False)
        total = total + loss(weights, torch.tensor(query))
    return torch.autograd.grad(total, start)[0]


def torchopt_imaml(loss, w, tasks, alpha, steps):
    """TorchOpt's implicit differentiation: proximal inner problem, conjugate gradients for the linear solve."""
    import torchopt

    def stationarity(weights, start, rows):
        return torch.func.grad(loss)(weights, rows) + 2.0 * (weights - start)

    solve = torchopt.linear_solve.solve_cg(rtol=0.0, atol=0.0, maxiter=8)

    @torchopt.diff.implicit.custom_root(stationarity, argnums=1, solve=solve)
    def inner(weights, start, rows):
        for _ in range(8):
            curved = torch.func.jacrev(stationarity)(weights, start, rows)
            weights = weights - torch.linalg.solve(curved, stationarity(weights, start, rows))
        return weights

    start = torch.tensor(w, requires_grad=True)
    total = 0.0
    for support, query in tasks:
        solution = inner(start.detach().clone(), start, torch.tensor(support))
        total = total + loss(solution, torch.tensor(query)) / len(tasks)
    return torch.autograd.grad(total, start)[0]


def torch_func_maml(loss, w, tasks, alpha, steps):
    """Plain torch.func, vmapped over the tasks."""

    def outer(start, support, query):
        weights = start
        for _ in range(steps):
            weights = weights - alpha * torch.func.grad(loss)(weights, support)
        return loss(weights, query)

    support, query = (torch.tensor(np.array(data)) for data in zip(*tasks, strict=True))
    return torch.func.vmap(torch.func.grad(outer), in_dims=(None, 0, 0))(torch.tensor(w), support, query).mean(dim=0)


def detached(loss, w, tasks, alpha, steps):
    """The commonest fault: create_graph=True forgotten."""
    module = adapters.torch_module(w)
    for support, query in tasks:
        weights = torch.cat(list(module.parameters()))
        for _ in range(steps):
            (slope,) = torch.autograd.grad(loss(weights, torch.tensor(support)), weights, retain_graph=True)
            weights = weights - alpha * slope
        (loss(weights, torch.tensor(query)) / len(tasks)).backward()
    return adapters.gradient_of(module)


def cross_entropy(loss, w, tasks, alpha, steps):
    """Code whose loss is a cross-entropy it will not part with."""
    start = torch.tensor(w, requires_grad=True)

    def hard_coded(weights, rows):
        classes = torch.zeros(len(rows), dtype=torch.long)
        return torch.nn.functional.cross_entropy(adapters.logits(weights, rows), classes)

    total = 0.0
    for support, query in tasks:
        weights = start
        for _ in range(steps):
            (slope,) = torch.autograd.grad(hard_coded(weights, torch.tensor(support)), weights, create_graph=True)
            weights = weights - alpha * slope
        total = total + hard_coded(weights, torch.tensor(query)) / len(tasks)
    return torch.autograd.grad(total, start)[0]


def outer_step(loss, w, tasks, alpha, steps):
    """Code that only steps: torch.optim.SGD outside."""
    module = adapters.torch_module(w)
    optimiser = torch.optim.SGD(module.parameters(), lr=0.5)
    for support, query in tasks:
        weights = torch.cat(list(module.parameters()))
        for _ in range(steps):
            (slope,) = torch.autograd.grad(loss(weights, torch.tensor(support)), weights, create_graph=True)
            weights = weights - alpha * slope
        (loss(weights, torch.tensor(query)) / len(tasks)).backward()
    optimiser.step()
    return torch.cat([parameter.detach() for parameter in module.parameters()])


@lru_cache
def _jitted(loss, steps):
    import jax

    jax.config.update("jax_enable_x64", True)

    def outer(start, support, query, alpha):
        weights = start
        for _ in range(steps):
            weights = weights - alpha * jax.grad(loss)(weights, support)
        return loss(weights, query)

    return jax.jit(jax.grad(outer))


def jax_maml(loss, w, tasks, alpha, steps):
    gradient = _jitted(loss, steps)
    return np.mean([gradient(w, *task, w.dtype.type(alpha)) for task in tasks], axis=0)


CODES = [
    (torchopt_maml, "maml", "1"),
    (torchopt_functional, "maml", "n"),
    (torchopt_imaml, "imaml(lambda = 2)", "1"),
    (torch_func_maml, "maml", "1"),
    (detached, "fo-maml", "1"),
    (cross_entropy, "maml", "1"),
    (adapters.from_step(outer_step, 0.5), "maml", "1"),
    (jax_maml, "maml", "1"),
]
NAMES = [getattr(code, "__name__", "") for code, *_ in CODES]
NAMES[-2] = "outer_step"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize(("code", "label", "law"), CODES, ids=NAMES)
def test_foreign_code_is_named(code, label, law, dtype):
    start = time.perf_counter()
    report = identify(code, dtype=dtype, timeout=60)
    seconds = time.perf_counter() - start
    print(f"\n{seconds:.1f} s: {report.verdict}")
    assert report.status == "named" and not report.faults, report
    assert str(report.best.law) == law
    same = {report.best.label, *report.alike}
    wrong = report.candidates[~report.candidates["candidate"].isin(same)]
    assert wrong["residual"].min() > 1e-3
    if dtype == "float64":
        assert report.best.label == label and report.best.residual < 1e-12
    else:
        assert report.best.label.split(",")[0].startswith(label.split("=")[0]) and report.best.residual < 2e-5
    assert seconds < SECONDS
