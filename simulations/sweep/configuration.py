"""The file of a sweep: read, checked whole, every fault named with its key and what would be right."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulations.sweep.axes import Group, Value, canonical, values
from simulations.sweep.names import KINDS, METHOD, RANGES, takes
from simulations.verdicts.suite import chosen_claims


class Faults(ValueError):
    """A configuration that cannot be used; the message has one line for every fault."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sampling(_Table):
    """How undecided cells are sampled. delta: chance of a wrong decision of one cell, ever. budget: draws of a cell."""

    delta: float = Field(0.01, gt=0, lt=1)
    budget: int = Field(100_000, ge=1, le=2**40)


class Workers(_Table):
    """time_limit: of one cell, in seconds. on_error: whether the first ERROR ends the sweep."""

    time_limit: float | None = Field(None, gt=0)
    on_error: Literal["continue", "stop"] = "continue"


class _File(_Table):
    name: str = ""
    kind: Literal["check", "run"] = "check"
    common_random_numbers: bool = False
    axes: dict[str, object] = Field(default_factory=dict)
    zip: list[dict[str, object]] = Field(default_factory=list)
    fixed: dict[str, object] = Field(default_factory=dict)
    sampling: Sampling = Sampling()
    workers: Workers = Workers()


@dataclass(frozen=True)
class Configuration:
    """A sweep as its file describes it.

    name: of the sweep. kind: of its cells, "check" or "run". common: whether all cells share their random numbers.
    groups: the axes; those of one group advance together. sampling, workers: as in the file. text: the file.
    """

    name: str
    kind: str
    common: bool
    groups: tuple[Group, ...]
    sampling: Sampling
    workers: Workers
    text: str

    @property
    def record(self) -> dict[str, object]:
        """All that decides what the results are, as plain data; `workers` does not."""
        axes = {name: [row[k] for row in group.rows] for group in self.groups for k, name in enumerate(group.names)}
        zipped = sorted(sorted(group.names) for group in self.groups if len(group.names) > 1)
        sampled = {"sampling.delta": self.sampling.delta}
        return {"kind": self.kind, "common_random_numbers": self.common, "zip": zipped, **sampled, **axes}

    @property
    def hash(self) -> str:
        """Of `record`."""
        return hashlib.sha256(json.dumps(self.record, sort_keys=True).encode()).hexdigest()


def read(text: str, where: str = "the configuration") -> Configuration:
    """The sweep that a TOML text describes; a decimal such as 0.05 is the number written, 1/20.

    Args:
        text: of the file.
        where: its name in errors.

    Raises:
        Faults: it has faults, all of which the message names.
    """
    try:
        file = _File(**tomllib.loads(text, parse_float=str))
    except tomllib.TOMLDecodeError as error:
        raise Faults(f"{where} is no TOML: {error}") from None
    except ValidationError as error:
        found = [f"{'.'.join(map(str, each['loc']))}: {_said(each)}" for each in error.errors()]
        raise Faults(_listed(where, found)) from None
    faults: list[str] = []
    groups = _groups(file, faults)
    _check(file.kind, groups, faults)
    if faults:
        raise Faults(_listed(where, faults))
    return Configuration(
        file.name or Path(where).stem, file.kind, file.common_random_numbers, groups, file.sampling, file.workers, text
    )


def _said(error: dict) -> str:
    if error["type"] == "extra_forbidden":
        return f"there is no such key; tables and keys are {', '.join(_File.model_fields)}"
    return f"{error['msg'][0].lower()}{error['msg'][1:]}, got {error['input']!r}"


def _listed(where: str, faults: list[str]) -> str:
    if len(faults) == 1:
        return f"{where}: {faults[0]}"
    return f"{where} has {len(faults)} faults:\n" + "\n".join(f"  {fault}" for fault in faults)


def _groups(file: _File, faults: list[str]) -> tuple[Group, ...]:
    """Every axis with its values; what is missing has one value, its default."""
    groups, given = [], {}
    tables = [({name: each}, f"axes.{name}") for name, each in file.axes.items()]
    tables += [({name: each}, f"fixed.{name}") for name, each in file.fixed.items()]
    tables += [(table, f"zip.{k}") for k, table in enumerate(file.zip)]
    for table, where in tables:
        found = {}
        for name, each in table.items():
            key = where if len(table) == 1 and not where.startswith("zip") else f"{where}.{name}"
            if name in given:
                faults.append(f"{key}: is given before, as {given[name]}")
                continue
            given[name] = key
            try:
                found[name] = _zipped(each) if where.startswith("zip") else values(each)
            except ValueError as error:
                faults.append(f"{key}: {error}, got {each!r}")
            else:
                faults.extend(_out_of_range(key, name, found[name]))
                if where.startswith("fixed") and len(found[name]) > 1:
                    faults.append(f"{key}: must have one value, got {len(found[name])}")
        if len({len(column) for column in found.values()}) > 1:
            sizes = ", ".join(f"{name} {len(column)}" for name, column in found.items())
            faults.append(f"{where}: axes that are zipped must have the same number of values, got {sizes}")
        elif found:
            columns = {name: _expanded(name, column) for name, column in found.items()}
            groups.append(Group(tuple(columns), tuple(zip(*columns.values(), strict=True))))
    for name, default in KINDS[file.kind].chosen.items():
        if name not in given and default is None:
            faults.append(f'axes.{name}: is missing; it must be some of {", ".join(_all_claims())}, or "all"')
        elif name not in given:
            groups.append(Group((name,), ((default,),)))
    return tuple(groups)


def _zipped(given: object) -> tuple[Value, ...]:
    """As `values`, but a value may come twice."""
    return tuple(canonical(each) for each in given) if isinstance(given, list) and given else values(given)


def _all_claims() -> list[str]:
    return [claim.id for claim in chosen_claims()]


def _expanded(name: str, column: tuple[Value, ...]) -> tuple[Value, ...]:
    """What "all" stands for: every claim, every version."""
    if column != ("all",) or name not in ("claim", "version"):
        return column
    versions = dict.fromkeys(version for claim in chosen_claims() for version in claim.versions)
    return tuple(_all_claims() if name == "claim" else versions)


def _out_of_range(key: str, name: str, column: tuple[Value, ...]) -> list[str]:
    """One line for an axis, with the first value that will not do."""
    plain = name if name in RANGES else name.removeprefix("family.")
    if plain not in RANGES or (column == ("all",) and name in ("claim", "version")):
        return []
    for value in column:
        allowed = RANGES[plain](value)
        if allowed:
            return [f"{key}: must be {allowed}, got {value!r}"]
    return []


def _check(kind: str, groups: tuple[Group, ...], faults: list[str]) -> None:
    """Every axis must be taken by somebody, and nobody takes two forms of one thing."""
    names = [name for group in groups for name in group.names]
    chosen = {name: _column(groups, name) for name in KINDS[kind].chosen}
    if any("family" in fault for fault in faults):
        return
    for name in names:
        if not any(takes(kind, str(family), name) for family in chosen["family"]):
            known = sorted({*KINDS[kind].chosen, *KINDS[kind].options})
            faults.append(
                f"{name}: nothing here takes it; axes of a {kind} are {', '.join(known)}, the arguments of the families"
                + (f" and {METHOD}OPTION" if kind == "run" else "")
            )
    if {"a", "alpha"} <= set(names):
        faults.append("a: is alpha L, so only one of a and alpha can be given")
    if kind == "run" and not {"a", "alpha"} & set(names):
        faults.append("axes.alpha: is missing; give alpha, a number from 0 on, or a = alpha L")
    versions = {name for claim in chosen_claims() if claim.id in chosen.get("claim", ()) for name in claim.versions}
    for version in chosen.get("version", ()):
        if kind == "check" and versions and version not in versions and len(chosen["version"]) < 5:
            faults.append(f"version: none of the claims has a version {version!r}; they have {', '.join(versions)}")


def _column(groups: tuple[Group, ...], name: str) -> list[Value]:
    return [row[group.names.index(name)] for group in groups if name in group.names for row in group.rows]
