"""What breaks without each hypothesis: claims held against instances that leave one hypothesis ever further behind.

A study is one hypothesis, one version of a claim, and cells in the order of `beyond`: how many times past the edge of
the hypothesis they lie (alpha over its largest value; the least batch size or eps over the one taken). All else the
claim asks for is kept. Where no cell is violated the study says how many were tried: that is no proof that none exists.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq

from simulations import exact, families
from simulations.family import Family, real
from simulations.verdicts import judged
from simulations.verdicts.cell import Cell
from simulations.verdicts.suite import HARD, flattest_task, instances
from simulations.verdicts.verdict import Verdict
from theory import CLAIMS
from theory.rationals import Number

if TYPE_CHECKING:
    import pandas as pd

Cells = Iterator[tuple[float, str, Cell]]
FAR = (1.0, 1.02, 1.04, 1.07, 1.15, 1.36, 1.5, 2.0, 2.5, 2.8)
FARTHER = (*FAR, 3.4, 4.0, 4.5, 5.0, 5.3, 5.6, 5.9)
DECADES = (1.0, *(float(f"{x:.3g}") for x in np.geomspace(1.05, 1e6, 40)))


@dataclass(frozen=True)
class Study:
    """One hypothesis left behind by one version of a claim.

    dropped: the symbol the hypothesis restricts. cells: (beyond, instance, cell), nearest to the edge first.
    """

    dropped: str
    claim: str
    version: str
    cells: Callable[[Study], Cells]

    def cell(self, family: Family, **options) -> Cell:
        """A cell without the hypothesis."""
        return Cell(CLAIMS[self.claim], family, self.version, dropped=self.dropped, **options)


def spiked(study: Study, reach: Sequence[float] = FAR) -> Cells:
    """The task that brings E G farthest from grad F, made for each alpha."""
    for beyond in reach:
        alpha = beyond / 6
        yield beyond, "spike", study.cell(families.named("spike")(alpha=alpha), alpha=alpha, D_in=1, by="outcomes")


def flattest(study: Study, reach: Sequence[float] = FARTHER) -> Cells:
    """One cosine task at its top, where (I - alpha H) is largest, with as much Hessian noise as is allowed."""
    for beyond in reach:
        alpha = beyond / 6
        yield beyond, "flat", study.cell(flattest_task(sigma_H=1 / alpha), alpha=alpha, D_o=1, D_h=2)


def topmost(study: Study) -> Cells:
    """Pairs of points at the top of a cosine, and at its foot after one inner step from beside the top."""
    family = flattest_task()
    for beyond in (1.0, 1.01, 1.1, 1.5, 2.0, 3.0, 4.0, 6.0):
        for w in (math.pi, math.pi / 2, 2.0, 2.5):
            for apart in (1e-3, 0.3, -1.0):
                place = np.array([w])
                yield beyond, "flat", study.cell(family.started_at(place), alpha=beyond, u=place + apart)


def everywhere(study: Study) -> Cells:
    """Every default instance, past sqrt(2) - 1."""
    for beyond in (1.0 - 1e-9, 1.001, 1.05, 1.2, 2.0):
        for instance in instances():
            alpha = beyond * (math.sqrt(2) - 1) / real(instance.family.constants.L)
            if instance.name not in HARD:
                yield beyond, instance.name, study.cell(instance.family, alpha=alpha)


def bowls(study: Study) -> Cells:
    """Parabolas seen with a large rho: the published step is far shorter than it need be, and grad F than grad f."""
    share = 0.5 if study.claim == "iteration-bound" else 0.99
    for beyond in FARTHER:
        alpha = beyond / 6
        for rho in (1.0, 1e3):
            family = families.named("bowl")(rho=rho)
            yield beyond, "bowl", study.cell(family, alpha=alpha, eps=share * (1 - alpha) ** 2)
    if study.claim == "iteration-bound":
        family = families.named("bowl")(rho=550.0)
        yield 5.7, "bowl", study.cell(family, alpha=0.95, eps=0.5 * 0.05**2, T=4_000_000)


def small_batches(study: Study) -> Cells:
    """Tasks that pull apart, at eps on the noise floor and just above it."""
    for B in (19, 10, 5, 2, 1):
        for name, family in _spread():
            for alpha in ("1/6", "1/60"):
                floor = study.cell(family, alpha=alpha, B=B).floor
                for reach in (1.001, 1.5, 4.0):
                    moved = _sloping(family, alpha, reach * floor)
                    yield 20 / B, name, study.cell(moved, alpha=alpha, B=B, eps=0.9999 * reach * floor)


def noisy_hessians(study: Study) -> Cells:
    """A cosine task at its top whose one Hessian sample is as noisy as it likes."""
    for beyond in (1.0, 1.2, 1.27, 1.28, 1.4, *DECADES[5:]):
        sigma_H = 6 * math.sqrt(beyond / 2)
        yield beyond, "flat", study.cell(flattest_task(sigma_H=sigma_H), alpha="1/6", D_o=1, D_h=1)


def noisy_curves(study: Study) -> Cells:
    """A parabola whose one Hessian sample is as noisy as it likes, in batches of 20."""
    for beyond in DECADES:
        family = families.named("bowl")(sigma_H=6 * math.sqrt(beyond / 2))
        yield beyond, "bowl", study.cell(family, alpha="1/6", B=20, D_h=1, eps=0.5)


def lone_steps(study: Study) -> Cells:
    """Two parabolas, a step size from one of them, at the foot of the other."""
    for beyond in DECADES:
        sigma = math.sqrt(2 * beyond) * 6
        family = _bowl(sigma, sigma=sigma)
        yield beyond, "bowl", study.cell(family, alpha="1/6", B_step=1)


def noisy_steps(study: Study) -> Cells:
    """A parabola, a step size from one sample of its gradient, at its foot and where the noise may cancel it."""
    decrease = {"B": 20, "eps": 1e-3} if study.claim == "expected-decrease" else {}
    for beyond in DECADES:
        noise = 3 * math.sqrt(beyond)
        for start in (2e-3, noise):
            family = _bowl(start, sigma_tilde=noise)
            yield beyond, "bowl", study.cell(family, alpha="1/6", B_step=1, D_step=1, **decrease)


def below_the_floor(study: Study) -> Cells:
    """A parabola where the gradient is as large as eps and the noise of a batch is not."""
    for beyond in DECADES[:24]:
        family = families.named("bowl")(sigma_tilde=1)
        eps = study.cell(family, alpha="1/6", B=20, D_o=1).floor / beyond
        yield beyond, "bowl", study.cell(_sloping(family, "1/6", eps), alpha="1/6", B=20, D_o=1, eps=0.9999 * eps)


def stalled(study: Study) -> Cells:
    """Two tasks at a point where FO-MAML stands still and grad F is not zero."""
    family, alpha = families.sinc_stall(), 1 / (6 * math.pi)
    floor = study.cell(family, alpha=alpha).floor
    for eps in (floor, floor / 10, 0.3, 0.25, 0.13, 0.06):
        yield floor / eps, "sinc_stall", study.cell(family, alpha=alpha, eps=eps)


def _bowl(start: float, **constants: float) -> Family:
    return families.named("bowl")(**constants).started_at(np.array([start]))


def _spread() -> Iterator[tuple[str, Family]]:
    """Pairs of tasks on a line: tilted alike but opposed, and with and without the same curvature."""
    for rho in (1e-3, 1.0, 1e2):
        yield "bowl", families.named("bowl")(rho=rho, sigma=1e-3)
    for build in (families.cosine, families.welsch):
        for shift_share in (0, 1):
            family = build(dim=1, tasks=2, sigma=1e-3, sigma_tilde=0, sigma_H=0, shift_share=shift_share)
            yield family.name, family


def _sloping(family: Family, alpha: Number, size: float) -> Family:
    """The family started where ||grad F|| is of this size, on the way up from 0, where F is lowest."""

    def excess(w: float) -> float:
        return float(np.linalg.norm(exact.meta_gradient(family, np.array([w]), alpha))) - size

    top = size / real(family.constants.L)
    while excess(top) < 0:
        top *= 1.25
    return family.started_at(np.array([brentq(excess, 0.0, top, xtol=1e-15, rtol=1e-12)]))


_BOTH = ("published", "sharp")
STUDIES = (
    *(Study("alpha", claim, version, spiked) for claim in ("bias", "first-moment") for version in _BOTH),
    *(Study("alpha", "second-moment", version, flattest) for version in _BOTH),
    *(Study("alpha", claim, version, topmost) for claim in ("smoothness", "descent-lemma") for version in _BOTH),
    *(Study("alpha", "gradient-relation", version, everywhere) for version in _BOTH),
    *(
        Study("alpha", claim, version, bowls)
        for claim in ("expected-decrease", "telescoped", "iteration-bound")
        for version in _BOTH
    ),
    *(Study("B", "expected-decrease", version, small_batches) for version in _BOTH),
    *(Study("D_h", "second-moment", version, noisy_hessians) for version in _BOTH),
    *(Study("D_h", "expected-decrease", version, noisy_curves) for version in _BOTH),
    *(
        Study("B_step", claim, version, lone_steps)
        for claim in ("step-size-mean", "step-size-moments")
        for version in _BOTH
    ),
    *(
        Study("D_step", claim, version, noisy_steps)
        for claim in ("step-size-mean", "step-size-moments", "expected-decrease")
        for version in _BOTH
    ),
    *(Study("eps", "expected-decrease", version, below_the_floor) for version in _BOTH),
    *(Study("eps", "fo-maml-rate", version, stalled) for version in _BOTH),
)


def table(studies: tuple[Study, ...] = STUDIES, progress: Callable[[int, int], None] | None = None) -> pd.DataFrame:
    """Every cell of the studies.

    Args:
        studies: which.
        progress: called with (studies done, studies in all).

    Returns:
        One row a cell: hypothesis (the symbol it restricts), claim, version, instance, beyond (times past its edge),
        alpha_L, status, ratio (left over right, of lower claims right over left: above 1 is a violation; infinite where
        the other side is not positive), key (of a replay).
    """
    import pandas as pd

    rows = []
    for done, study in enumerate(studies, start=1):
        for beyond, instance, cell in study.cells(study):
            rows.append(_row(study, beyond, instance, judged(cell)))
        if progress:
            progress(done, len(studies))
    return pd.DataFrame(rows)


def _row(study: Study, beyond: float, instance: str, found: Verdict) -> dict[str, object]:
    return {
        "hypothesis": study.dropped,
        "claim": study.claim,
        "version": study.version,
        "instance": instance,
        "beyond": beyond,
        "alpha_L": real(found.cell.inner_step) * real(found.cell.family.constants.L),
        "status": found.status,
        "ratio": found.ratio if found.status in ("HOLDS", "VIOLATED") else math.nan,
        "key": found.key,
    }


def summary(cells: pd.DataFrame) -> pd.DataFrame:
    """The nearest failure of each study, from a `table`.

    Returns:
        One row a study: hypothesis, claim, version, tried (cells decided beyond the edge), beyond, alpha_L, instance,
        ratio and key of the violated cell nearest to the edge; where there is none, the farthest `beyond` tried, its
        alpha_L, the largest ratio, and no key. `fails` says which.
    """
    import pandas as pd

    rows = []
    for (hypothesis, claim, version), study in cells.groupby(["hypothesis", "claim", "version"], sort=False):
        decided = study[study.status.isin(["HOLDS", "VIOLATED"]) & (study.beyond > 1)]
        broken = decided[decided.status == "VIOLATED"]
        least = broken.beyond.min() if len(broken) else decided.beyond.max()
        shown = decided[decided.beyond == least].sort_values("ratio").iloc[-1]
        rows.append(
            {
                **{"hypothesis": hypothesis, "claim": claim, "version": version},
                **{"fails": bool(len(broken)), "tried": len(decided), "beyond": least, "alpha_L": shown.alpha_L},
                **{"instance": shown.instance, "ratio": shown.ratio if len(broken) else decided.ratio.max()},
                "key": shown.key if len(broken) else None,
            }
        )
    return pd.DataFrame(rows)
