"""Bringing real code to `identify` in a few lines: optimiser steps, torch modules, hard-coded cross-entropies.

torch is imported only by the functions that need it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulations.identification.quartic import DIM, loss

SHIFT = 4096.0


def from_step(step: Callable, lr: float) -> Callable:
    """The meta-gradient of code that only has an outer step of plain gradient descent: (w - w_new)/lr.

    Args:
        step: (loss, w, tasks, alpha, steps) -> w_new, (DIM,).
        lr: its learning rate; a power of two loses no digits.

    Raises:
        ValueError: lr is not positive.
    """
    if not lr > 0:
        raise ValueError(f"lr must be positive, got {lr}")

    def meta_gradient(loss, w, tasks, alpha, steps):
        return (np.asarray(w) - np.asarray(step(loss, w.copy(), tasks, alpha, steps))) / lr

    return meta_gradient


def torch_module(w: np.ndarray, split: int = DIM // 2):
    """A torch module with two parameter tensors, w[:split] and w[split:], whose output on rows x is loss(w, x).

    Args:
        w: (DIM,), as `meta_gradient` is given it.
        split: length of the first parameter.

    Returns:
        An nn.Module; `module(x)` is a scalar for a tensor x of rows.
    """
    import torch

    class Quartic(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            start = torch.tensor(w)
            self.first = torch.nn.Parameter(start[:split].clone())
            self.second = torch.nn.Parameter(start[split:].clone())

        def forward(self, x):
            return loss(torch.cat([self.first, self.second]), x)

    return Quartic()


def gradient_of(module) -> np.ndarray | None:
    """What an optimiser would find in the gradients of a module's parameters, as one vector; None if one has none."""
    gradients = [parameter.grad for parameter in module.parameters()]
    if any(gradient is None for gradient in gradients):
        return None
    return np.concatenate([gradient.detach().cpu().numpy().ravel() for gradient in gradients])


def logits(module_or_w, x):
    """Logits (rows, 2) whose cross-entropy with class 0 is the loss of each row plus SHIFT: for hard-coded losses.

    log(1 + exp(v)) = v to the last digit where v = loss + SHIFT is large, and a constant has no gradient.

    Args:
        module_or_w: a module of `torch_module`, or w itself as a torch tensor (DIM,).
        x: tensor (rows, SIZE), SIZE the number of coefficients of a loss.
    """
    import torch

    w = torch.cat(list(module_or_w.parameters())) if hasattr(module_or_w, "parameters") else module_or_w
    raised = torch.stack([loss(w, row) for row in x]) + SHIFT
    return torch.stack([-raised, torch.zeros_like(raised)], dim=1)
