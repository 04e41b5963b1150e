"""Meta-gradients as people write them, right and wrong, on derivatives by complex steps: they see `loss` alone."""

import numpy as np

_H = 1e-30


def gradient(loss, w, x):
    """By complex steps, exact to rounding."""
    return np.array([loss(w + 1j * _H * e, x).imag / _H for e in np.eye(len(w))])


def product(loss, w, x, v, delta=2.0**-8):
    """Hessian times v: central differences of a cubic, extrapolated, are exact."""

    def central(h):
        return (gradient(loss, w + h * v, x) - gradient(loss, w - h * v, x)) / (2 * h)

    return (4 * central(delta / 2) - central(delta)) / 3


def hessian(loss, w, x):
    return np.array([product(loss, w, x, e) for e in np.eye(len(w))])


def path(loss, w, x, alpha, steps, pull=0.0):
    points = [w]
    for _ in range(steps):
        points.append(points[-1] - alpha * (gradient(loss, points[-1], x) + pull * (points[-1] - w)))
    return points


def maml(loss, w, tasks, alpha, steps, *, through=None, join=np.mean, outer=1):
    found = []
    for task in tasks:
        points = path(loss, w, task[0], alpha, steps)
        v = gradient(loss, points[-1], task[outer])
        for point in reversed(points[:-1][-through:] if through else points[:-1] if through is None else []):
            v = v - alpha * product(loss, point, task[0], v)
        found.append(v)
    return join(found, axis=0)


def fo_maml(loss, w, tasks, alpha, steps):
    return maml(loss, w, tasks, alpha, steps, through=0)


def summed(loss, w, tasks, alpha, steps):
    return maml(loss, w, tasks, alpha, steps, join=np.sum)


def one_step_always(loss, w, tasks, alpha, steps):
    return maml(loss, w, tasks, alpha, 1)


def wrong_iterate(loss, w, tasks, alpha, steps):
    return maml(loss, w, tasks, alpha, steps - 1) if steps > 1 else np.mean([gradient(loss, w, t[1]) for t in tasks], 0)


def support_outside(loss, w, tasks, alpha, steps):
    return maml(loss, w, tasks, alpha, steps, outer=0)


def uphill(loss, w, tasks, alpha, steps):
    return -maml(loss, w, tasks, alpha, steps)


def last_step_only(loss, w, tasks, alpha, steps):
    return maml(loss, w, tasks, alpha, steps, through=1)


def reptile(loss, w, tasks, alpha, steps):
    return np.mean([w - path(loss, w, task[0], alpha, steps)[-1] for task in tasks], axis=0)


def clipped(loss, w, tasks, alpha, steps):
    g = maml(loss, w, tasks, alpha, steps)
    return g * min(1.0, 25.0 / np.linalg.norm(g))


def imaml_system(loss, w, task, pull):
    """Matrix and right side of iMAML's linear system at the proximal point."""
    support, query = task
    point = w
    for _ in range(8):
        slope = gradient(loss, point, support) + pull * (point - w)
        point = point - np.linalg.solve(hessian(loss, point, support) + pull * np.eye(len(w)), slope)
    return np.eye(len(w)) + hessian(loss, point, support) / pull, gradient(loss, point, query)


def imaml(loss, w, tasks, alpha, steps, *, pull=2.0, solve=np.linalg.solve):
    return np.mean([solve(*imaml_system(loss, w, task, pull)) for task in tasks], axis=0)


def halved_lambda(loss, w, tasks, alpha, steps):
    return imaml(loss, w, tasks, alpha, steps, pull=1.0)


def no_proximal_term(loss, w, tasks, alpha, steps):
    found = []
    for support, query in tasks:
        point = path(loss, w, support, alpha, steps)[-1]
        matrix = np.eye(len(w)) + hessian(loss, point, support) / 2.0
        found.append(np.linalg.solve(matrix, gradient(loss, point, query)))
    return np.mean(found, axis=0)


def conjugate_gradients(most, enough=0.0):
    def solve(matrix, right):
        found, residual = np.zeros_like(right), right.copy()
        along = residual.copy()
        for _ in range(most):
            if np.linalg.norm(residual) <= enough * np.linalg.norm(right):
                break
            length = residual @ residual / (along @ matrix @ along)
            found += length * along
            new = residual - length * matrix @ along
            along = new + new @ new / (residual @ residual) * along
            residual = new
        return found

    return solve


def two_conjugate_gradients(loss, w, tasks, alpha, steps):
    return imaml(loss, w, tasks, alpha, steps, solve=conjugate_gradients(2))


def rough_conjugate_gradients(loss, w, tasks, alpha, steps):
    return imaml(loss, w, tasks, alpha, steps, solve=conjugate_gradients(9, 1e-2))


def _tensor_norms(v):
    return np.repeat([np.linalg.norm(v[:2]), np.linalg.norm(v[2:])], 2)


def hf_maml(loss, w, tasks, alpha, steps, *, delta=0.25, sizes=np.linalg.norm):
    found = []
    for support, query in tasks:
        points = path(loss, w, support, alpha, steps)
        v = gradient(loss, points[-1], query)
        for point in reversed(points[:-1]):
            reach = delta / sizes(v)
            ahead, behind = (gradient(loss, point + sign * reach * v, support) for sign in (1, -1))
            v = v - alpha * (ahead - behind) / (2 * reach)
        found.append(v)
    return np.mean(found, axis=0)


def delta_per_tensor(loss, w, tasks, alpha, steps):
    return hf_maml(loss, w, tasks, alpha, steps, sizes=_tensor_norms)


def another_alpha(loss, w, tasks, alpha, steps):
    return maml(loss, w, tasks, 0.03, steps)


def rows_summed(loss, w, tasks, alpha, steps):
    return maml(lambda w, x: len(x) * loss(w, x), w, tasks, alpha, steps)


def every_iterate(loss, w, tasks, alpha, steps):
    return np.mean([maml(loss, w, tasks, alpha, j) for j in range(1, steps + 1)], axis=0)


def anil(loss, w, tasks, alpha, steps):
    """Inner steps on w[2:], everything differentiated."""
    head, found = np.array([0.0, 0.0, 1.0, 1.0]), []
    for support, query in tasks:
        points = [w]
        for _ in range(steps):
            points.append(points[-1] - alpha * head * gradient(loss, points[-1], support))
        v = gradient(loss, points[-1], query)
        for point in reversed(points[:-1]):
            v = v - alpha * product(loss, point, support, head * v)
        found.append(v)
    return np.mean(found, axis=0)


def single_inside(loss, w, tasks, alpha, steps):
    """Rounded as single precision does, in one entry more than in another."""
    return maml(loss, w, tasks, alpha, steps) * (1 + 1e-7 * np.array([1, -1, 1, -1]))


def nan_in_single(loss, w, tasks, alpha, steps):
    return maml(loss, w, tasks, alpha, steps) + (np.nan if w.dtype == np.float32 else 0.0)


def normalised(loss, w, tasks, alpha, steps):
    g = maml(loss, w, tasks, alpha, steps)
    return g / np.linalg.norm(g)


def in_place(loss, w, tasks, alpha, steps):
    found = maml(loss, w, tasks, alpha, steps)
    w -= 0.1 * found
    return found


def stale(share=0.5):
    """Adds a share of its last answer: momentum that is never reset, or gradients that are not zeroed."""
    last = np.zeros(4)

    def meta_gradient(loss, w, tasks, alpha, steps):
        nonlocal last
        last = maml(loss, w, tasks, alpha, steps) + share * last
        return last

    return meta_gradient
