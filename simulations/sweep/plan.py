"""The cells of a sweep by number: nothing is listed, so ten million cells take no memory, and no cell comes twice."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, product

from simulations.sweep.axes import Value
from simulations.sweep.configuration import Configuration
from simulations.sweep.content import Content, content
from simulations.sweep.names import KINDS, takes
from simulations.verdicts.suite import chosen_claims


@dataclass(frozen=True)
class _Block:
    """The cells that ask one claim of one family, or one method: a product of the different rows of every group."""

    rows: tuple[list[dict[str, Value]], ...]

    @cached_property
    def size(self) -> int:
        return math.prod(map(len, self.rows))

    def cell(self, number: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for rows in reversed(self.rows):
            number, k = divmod(number, len(rows))
            found |= rows[k]
        return found


class Plan:
    """All cells of a configuration, each once.

    An axis that a family does not take is left out of its cells, which are then fewer.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        chosen = frozenset(KINDS[configuration.kind].chosen)
        projected = [group.projected(chosen, {}) for group in configuration.groups]
        asked = [{name: value for row in rows for name, value in row.items()} for rows in product(*projected)]
        self._blocks = [self._block(who) for who in asked if _exists(who)]
        self._starts = [0, *accumulate(block.size for block in self._blocks)]

    def _block(self, who: dict[str, Value]) -> _Block:
        kind, groups = self.configuration.kind, self.configuration.groups
        names = frozenset(n for group in groups for n in group.names if takes(kind, str(who["family"]), n))
        return _Block(tuple(group.projected(names, who) for group in groups))

    def __len__(self) -> int:
        return self._starts[-1]

    def content(self, number: int) -> Content:
        """The cell of a number from 0 to len(self) - 1."""
        low, high = 0, len(self._blocks) - 1
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._starts[middle] <= number else (low, middle - 1)
        return content(self.configuration, self._blocks[low].cell(number - self._starts[low]))

    def cells(self, numbers: range | None = None, shuffle: int | None = None) -> Iterator[Content]:
        """The cells of some numbers, all by default, in an order that depends on `shuffle`."""
        numbers = range(len(self)) if numbers is None else numbers
        total, step = len(numbers), 1
        if shuffle is not None and total > 1:
            step = next(k for k in range(int(0.618 * total) + 2 * shuffle + 1, 10**12) if math.gcd(k, total) == 1)
        return (self.content(numbers[(step * k + (shuffle or 0)) % total]) for k in range(total))


def _exists(who: dict[str, Value]) -> bool:
    """Whether the claim has the version."""
    if "claim" not in who:
        return True
    (claim,) = chosen_claims([str(who["claim"])])
    return who["version"] in claim.versions
