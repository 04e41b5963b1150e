"""Values of the axes of a sweep: numbers in one canonical form, lists, linspace and logspace tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

Value = int | float | str
_WHOLE_FLOATS = 2.0**53
_MOST_VALUES = 10_000_000


def canonical(value: object) -> Value:
    """One form for every number, so that equal cells are written alike: 1.0 and "1" are 1, "0.05" is "1/20".

    A float that is no whole number stays the binary fraction it is; infinity is "inf". Other text is left alone.

    Raises:
        ValueError: it is neither a number nor text, or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a number or text")
    if isinstance(value, float):
        if math.isnan(value):
            raise ValueError("must not be NaN")
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        return int(value) if value.is_integer() and abs(value) < _WHOLE_FLOATS else value
    if isinstance(value, str):
        try:
            number = Fraction(value)
        except (ValueError, ZeroDivisionError):
            return value.strip()
        return int(number) if number.denominator == 1 else str(number)
    return value


def number(value: Value) -> Fraction | float | None:
    """The number a canonical value stands for, exact where it is no float; None for text."""
    if isinstance(value, str):
        try:
            return math.inf if value == "inf" else Fraction(value)
        except (ValueError, ZeroDivisionError):
            return None
    return Fraction(value) if isinstance(value, int) else value


def values(given: object) -> tuple[Value, ...]:
    """The values of an axis: of a list, a single value, or a table with linspace, logspace or range.

    linspace = [first, last, count] keeps exact numbers exact, logspace = [first, last, count] gives floats between the
    same ends, range = [first, last] the whole numbers with both ends.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(given, dict):
        if len(given) != 1 or next(iter(given)) not in _TABLES:
            raise ValueError(f"must be a table with one of {', '.join(_TABLES)}")
        ((name, arguments),) = given.items()
        return _TABLES[name](arguments)
    found = tuple(canonical(each) for each in (given if isinstance(given, list) else [given]))
    if not found:
        raise ValueError("must have at least one value")
    twice = sorted({str(each) for each in found if found.count(each) > 1}) if len(found) < 10_000 else []
    if twice or len(set(found)) < len(found):
        raise ValueError(f"must list every value once, got {', '.join(twice) or 'some'} twice")
    return found


def _ends(name: str, arguments: object) -> tuple[Value, Value, int]:
    form = f"{name} must be [first, last, count] with first < last and a whole count from 2"
    if not (isinstance(arguments, list) and len(arguments) == 3):
        raise ValueError(form)
    first, last = canonical(arguments[0]), canonical(arguments[1])
    low, high, count = number(first), number(last), arguments[2]
    whole = isinstance(count, int) and not isinstance(count, bool) and 2 <= count <= _MOST_VALUES
    if low is None or high is None or not whole or not low < high or math.isinf(high):
        raise ValueError(form)
    return first, last, count


def _linspace(arguments: object) -> tuple[Value, ...]:
    first, last, count = _ends("linspace", arguments)
    if isinstance(first, float) or isinstance(last, float):
        return tuple(canonical(float(x)) for x in np.linspace(float(number(first)), float(number(last)), count))
    step = (number(last) - number(first)) / (count - 1)
    return tuple(canonical(str(number(first) + k * step)) for k in range(count))


def _logspace(arguments: object) -> tuple[Value, ...]:
    first, last, count = _ends("logspace", arguments)
    if not number(first) > 0:
        raise ValueError("logspace must be [first, last, count] with first positive")
    return tuple(canonical(float(x)) for x in np.geomspace(float(number(first)), float(number(last)), count))


def _range(arguments: object) -> tuple[Value, ...]:
    whole = isinstance(arguments, list) and len(arguments) == 2 and all(type(each) is int for each in arguments)
    if not whole or not 0 <= arguments[1] - arguments[0] < _MOST_VALUES:
        raise ValueError("range must be [first, last] of whole numbers with first <= last")
    return tuple(range(arguments[0], arguments[1] + 1))


_TABLES: dict[str, Callable[[object], tuple[Value, ...]]] = {
    "linspace": _linspace,
    "logspace": _logspace,
    "range": _range,
}


@dataclass(frozen=True)
class Group:
    """Axes that advance together.

    names: of the axes. rows: one value of each.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]

    def projected(self, names: frozenset[str], where: dict[str, Value]) -> list[dict[str, Value]]:
        """The different rows of the axes named, of the rows that agree with `where` on its axes."""
        kept = [k for k, name in enumerate(self.names) if name in names]
        fixed = [(k, where[name]) for k, name in enumerate(self.names) if name in where]
        rows = (row for row in self.rows if all(row[k] == value for k, value in fixed))
        different = dict.fromkeys(tuple(row[k] for k in kept) for row in rows)
        return [{self.names[k]: value for k, value in zip(kept, row, strict=True)} for row in different]
