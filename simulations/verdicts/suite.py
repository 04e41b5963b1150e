"""The default cells of `mamlbound check`: every claim on every family, and on instances made to be hard for it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from simulations import exact, families
from simulations.family import Family, real
from simulations.verdicts import trajectory
from simulations.verdicts.assumptions import ASSUMED
from simulations.verdicts.cell import Cell
from simulations.verdicts.key import KNOWN
from simulations.verdicts.verdict import symbols_of, unseen
from simulations.verdicts.worst import worst_cases
from theory import CLAIMS, Claim
from theory import symbols as s

_SMALL = {"dim": 2, "tasks": 4, "eps": 0.1}
BY_PROOF, WORST = "by proof", "worst"
ESTIMATED = ("objective-gradient", "bias", "first-moment", "second-moment")
"""The claims on MAML's estimate of the meta-gradient at one point."""
_NOISY = {"sigma": 0.5, "sigma_tilde": 0.3, "sigma_H": 0.2}


@dataclass(frozen=True)
class Instance:
    """A family with the points and options it is judged at.

    name: of the column. family: the tasks. points: of w, besides the start. options: fields of `Cell`.
    claims, versions: those it is meant for; empty for all. visited: whether what the claims on MAML's estimate say is
    also held against (6) as it stands, every outcome of two-point noise visited.
    """

    name: str
    family: Family
    points: tuple[np.ndarray, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    claims: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    visited: bool = False


def plain(name: str) -> Instance:
    """A small member of a family, at its start and at two places a step of 0.3 L/rho or so beside it."""
    build = families.named(name)
    takes = inspect.signature(build).parameters
    asked = {key: takes[key].default for key in _NOISY if key in takes}
    noise = {key: _NOISY[key] for key, default in asked.items() if default == 0}
    family = build(**{key: value for key, value in _SMALL.items() if key in takes}, **noise)
    L, rho = real(family.constants.L), real(family.constants.rho)
    beside = 0.3 * (L / rho if rho else 1.0) * np.linspace(1.0, 1.5, family.dim)
    return Instance(Path(name).stem, family, points=(family.start + beside, family.start - beside))


def flattest_task(sigma_H: float = 0) -> Family:
    """One cosine task with sigma_tilde = 1, at its flattest point."""
    return families.cosine(dim=1, tasks=1, sigma=0, sigma_tilde=1, sigma_H=sigma_H).started_at(np.array([math.pi]))


def opposed_tasks() -> Family:
    """Two cosine tasks pulling apart a little, at a flattest point."""
    family = families.cosine(dim=1, tasks=2, sigma=0.001, sigma_tilde=0, sigma_H=0, shift_share=0)
    return family.started_at(np.array([math.pi]))


def flat() -> Instance:
    """One task at its flattest point, where all of E||G||^2 is noise: (8) is nearly reached in co."""
    claims = ("first-moment", "second-moment", "fo-maml-second-moment", "hf-maml-second-moment")
    return Instance("flat", flattest_task(), claims=claims, visited=True)


def steep() -> Instance:
    """Tasks that differ far more than their gradients are noisy."""
    return Instance("steep", families.cosine(dim=2, tasks=4, sigma=12, sigma_tilde=0.05), visited=True)


def unequal() -> Instance:
    """Two tasks, one likelier than the other."""
    family = families.sinc_stall(sigma="3/10", sigma_tilde="1/10", sigma_H="1/10")
    return Instance("unequal", family, claims=ESTIMATED, visited=True)


def opposed() -> Instance:
    """Two tasks pulling apart at a flattest point: FMO (44) fails there, and the sharp form is reached."""
    options = {"alpha": "0.06984"}
    return Instance("opposed", opposed_tasks(), (), options, ("task-gradient-moment",), ("published", "repaired"))


def stalled() -> Instance:
    """Where the published difference step of HF-MAML spans a whole period: its bias does not vanish."""
    family, claims = families.sinc_stall(), ("hf-maml-bias", "hf-maml-first-moment", "hf-maml-decrease")
    options = {"alpha": 1 / (6 * math.pi)}
    return Instance("stalled", family, (), options, claims, ("published",))


HARD: dict[str, Callable[[], Instance]] = {made.__name__: made for made in (flat, steep, unequal, opposed, stalled)}


def instances(names: Iterable[str] = ()) -> list[Instance]:
    """The default instances, or those of the families named.

    Args:
        names: of families, files FILE.py, or of the hard instances.

    Raises:
        ValueError: there is none of this name.
    """
    asked = list(names) or [*families.BY_CONSTANTS, *HARD]
    return [HARD[name]() if name in HARD else plain(name) for name in asked]


def cells(claims: Iterable[Claim], chosen: Iterable[Instance]) -> Iterator[tuple[str, Cell]]:
    """Every version of every claim with the name of its column: on every instance that is meant for it, and by its
    certificate where no instance can show it or a refutation is to be replayed."""
    claims, chosen = list(claims), list(chosen)
    for claim in claims:
        for version, record in claim.versions.items():
            if claim.id not in ASSUMED and (unseen(claim, version) or record.status == "refuted"):
                yield BY_PROOF, Cell(claim, chosen[0].family, version, by="certificate")
    for instance in chosen:
        for claim in claims:
            for version in claim.versions:
                if _meant(instance, claim, version) and (claim.id in ASSUMED or not unseen(claim, version)):
                    yield from ((instance.name, cell) for cell in _judged_at(claim, version, instance))


def everything(claims: Iterable[Claim], families: Iterable[str] = ()) -> list[tuple[str, Cell]]:
    """What `mamlbound check` decides: `cells` on these families, or on all instances and the worst ones on file."""
    claims, names = list(claims), list(families)
    return [*cells(claims, instances(names)), *([] if names else worst(claims))]


def worst(claims: Iterable[Claim]) -> Iterator[tuple[str, Cell]]:
    """The worst instances on file for these claims, with the name of their column."""
    asked = {claim.id for claim in claims}
    yield from ((WORST, case.cell) for case in worst_cases() if case.claim in asked)


def _meant(instance: Instance, claim: Claim, version: str) -> bool:
    if instance.name == "quadratic" and (claim.id, version) == ("bias", "sharp"):
        return False  # both sides are 0, which floats cannot decide
    return claim.id in (instance.claims or [claim.id]) and version in (instance.versions or [version])


def _judged_at(claim: Claim, version: str, instance: Instance) -> Iterator[Cell]:
    found = list(_of(claim, version, instance))
    yield from found
    if instance.visited and claim.id in ESTIMATED:
        yield from (replace(cell, by="outcomes") for cell in found)


def _of(claim: Claim, version: str, instance: Instance) -> Iterator[Cell]:
    names, family = symbols_of(claim, version), instance.family
    if claim.id in ASSUMED:
        yield Cell(claim, family, version)
        return
    if names & set(trajectory.QUANTITIES):
        yield Cell(claim, family, version, eps=_target(claim, family), **instance.options)
        return
    dear = "F_step" in names or "exact_G" in names
    points = (None,) if dear else (None, *instance.points)
    for w in points:
        yield Cell(claim, family, version, w=w, **_sizes(Cell(claim, family), names), **instance.options)
    if {"D_in", "D_o"} <= names and "F_step" not in names and not claim.id.startswith("multi-step"):
        yield Cell(claim, family, version, D_in=1, **instance.options)


def _sizes(cell: Cell, names: set[str]) -> dict[str, object]:
    """Batch sizes at which exact moments say most: one sample of everything; two inner steps, without noise."""
    if cell.claim.id.startswith("multi-step"):
        return {"N": 2}
    if "F_step" in names:
        return {"B": 20} if "B_step" in names else {"B": 2}
    sizes = {name: 1 for name in ("D_in", "D_o", "D_h") if name in names}
    if "B_step" in names:
        needed = [h.relation.rhs for h in cell.claim.domain if h.relation.lhs == s.B_step]
        sizes["B_step"] = math.ceil(max(float(least.subs(cell.exactly)) for least in needed))
    return sizes


def _target(claim: Claim, family: Family) -> float:
    """eps for a run with exact gradients: half of where it starts, or the noise floor where that is above it."""
    cell = Cell(claim, family)
    start = np.linalg.norm(exact.meta_gradient(family, cell.point, real(cell.inner_step)))
    return max(start / 2, 1.01 * cell.floor)


def chosen_claims(ids: Iterable[str] = ()) -> list[Claim]:
    """The claims of these ids, A1-A5 among them; all by default.

    Raises:
        ValueError: there is no such claim.
    """
    for claim_id in ids:
        if claim_id not in KNOWN:
            raise ValueError(f"there is no claim {claim_id!r}; there are {', '.join(KNOWN)}")
    return [KNOWN[claim_id] for claim_id in ids] or [*ASSUMED.values(), *CLAIMS.values()]
