"""From a data frame to tasks of rows: what may be wrong with it is said in one sentence."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

LARGEST = 1e25
_SPREAD = 1e-9


def grouped(
    frame: pd.DataFrame,
    target: Hashable,
    task: Hashable,
    features: Sequence[Hashable] | None,
    standardise: bool,
    intercept: bool,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Rows X[i] (n_i, d) and y[i] (n_i,) of every task, tasks in the order in which they first appear.

    Raises:
        ValueError: the frame cannot be used as it stands; the message names the column or the task.
    """
    import pandas as pd  # here and below: whoever brings a frame has loaded it, nobody else needs it

    features = _named(frame, target, task, features)
    if not features and not intercept:
        raise ValueError("features must name at least one column where there is no intercept, got none")
    if frame.empty:
        raise ValueError("frame must have rows, at least two for a task; got none")
    numbers = {name: _numbers(frame, name) for name in (target, *features)}
    if standardise:
        numbers = {name: _standardised(column) for name, column in numbers.items()}
    _present(frame, task)
    codes, tasks = pd.factorize(frame[task])
    for name, count in zip(tasks, np.bincount(codes), strict=True):
        if count < 2:
            raise ValueError(f"every task must have at least 2 rows, got 1 for task {name!r} of column {task!r}")
    columns = [np.ones(len(frame))] * intercept + [numbers[name] for name in features]
    order, edges = np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1]
    return np.split(np.column_stack(columns)[order], edges), np.split(numbers[target][order], edges)


def _named(frame: pd.DataFrame, target: Hashable, task: Hashable, features: Sequence[Hashable] | None) -> list:
    """The feature columns, all others where features is None."""
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise ValueError(f"frame must be a pandas DataFrame, got {type(frame).__name__}")
    for name in frame.columns[frame.columns.duplicated()][:1]:
        raise ValueError(f"column names must be unique, got {name!r} more than once")
    if isinstance(features, str):
        raise ValueError(f"features must be a list of column names, got the text {features!r}")
    features = [name for name in frame.columns if name not in (target, task)] if features is None else list(features)
    named = [target, task, *features]
    for name in named:
        if name not in frame.columns:
            raise ValueError(f"frame has no column {name!r}; it has {', '.join(map(repr, frame.columns))}")
        if named.count(name) > 1:
            raise ValueError(f"target, task and features must be different columns, got {name!r} twice")
    return features


def _present(frame: pd.DataFrame, name: Hashable) -> None:
    for row in frame.index[frame[name].isna()][:1]:
        raise ValueError(f"column {name!r} must have no missing values, got one in row {row!r}: drop or fill it")


def _numbers(frame: pd.DataFrame, name: Hashable) -> np.ndarray:
    """A column that varies, as floats."""
    from pandas.api.types import is_complex_dtype, is_numeric_dtype

    _present(frame, name)
    column = frame[name]
    if not is_numeric_dtype(column) or is_complex_dtype(column):
        for row, entry in zip(frame.index, column, strict=True):
            if not isinstance(entry, Real):
                raise ValueError(f"column {name!r} must hold numbers, got {entry!r} in row {row!r}: encode or drop it")
    numbers = column.to_numpy(dtype=float)
    for k in np.flatnonzero(np.abs(numbers) > LARGEST)[:1]:
        raise ValueError(
            f"column {name!r} must hold values of at most {LARGEST:g}, got {numbers[k]:g} in row {frame.index[k]!r}"
        )
    if np.ptp(numbers) <= max(_SPREAD * np.abs(numbers).max(), 1 / LARGEST):
        raise ValueError(f"column {name!r} must vary over the rows, got {numbers[0]:g} in all of them")
    return numbers


def _standardised(column: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1 over all rows."""
    centred = column / np.abs(column).max()
    centred -= centred.mean()
    return centred / centred.std()
