"""From data to tasks: what is refused and how, restatements of the same data, and the Grunfeld panel to the bound."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from simulations import exact, families

NAMES = ("L", "rho", "sigma", "sigma_tilde", "sigma_H")
PAGE = Path(__file__).parent.parent / "docs" / "regression.md"


def _frame():
    generator = np.random.Generator(np.random.Philox(1))
    frame = pd.DataFrame(generator.standard_normal((9, 3)), columns=["x", "z", "y"])
    return frame.assign(city=["Bonn"] * 4 + ["Ulm"] * 3 + ["Jena"] * 2)


def _build(frame, **options):
    return families.regression(frame, **{"target": "y", "task": "city", **options})


def _with(column, row, entry):
    frame = _frame()
    frame[column] = frame[column].astype(object)
    frame.loc[row, column] = entry
    return frame


REFUSED = {
    "missing": (
        lambda: _with("x", 5, np.nan).astype({"x": float}),
        {},
        "column 'x' must have no missing values, got one in row 5",
    ),
    "missing target": (lambda: _with("y", 0, None), {}, "column 'y' must have no missing values, got one in row 0"),
    "missing task": (lambda: _with("city", 8, None), {}, "column 'city' must have no missing values, got one in row 8"),
    "nullable": (
        lambda: _frame().assign(x=pd.array([1, 2, None, 4, 5, 6, 7, 8, 9], dtype="Int64")),
        {},
        "column 'x' must have no missing values, got one in row 2",
    ),
    "infinite": (
        lambda: _frame().assign(z=[np.inf, *range(8)]),
        {},
        "column 'z' must hold values of at most 1e\\+25, got inf in row 0",
    ),
    "huge": (
        lambda: _frame().assign(z=[*range(8), -1e30]),
        {},
        "column 'z' must hold values of at most 1e\\+25, got -1e\\+30 in row 8",
    ),
    "text": (lambda: _with("x", 3, "three"), {}, "column 'x' must hold numbers, got 'three' in row 3"),
    "digits as text": (
        lambda: _frame().assign(x=list("123456789")),
        {},
        "column 'x' must hold numbers, got '1' in row 0",
    ),
    "dates": (
        lambda: _frame().assign(x=pd.date_range("2020", periods=9)),
        {},
        "column 'x' must hold numbers, got Timestamp",
    ),
    "complex": (lambda: _frame().assign(x=np.arange(9) * 1j), {}, "column 'x' must hold numbers, got 0j"),
    "constant": (lambda: _frame().assign(z=0.1), {}, "column 'z' must vary over the rows, got 0.1 in all of them"),
    "constant but for rounding": (lambda: _frame().assign(z=1e9 + np.arange(9) / 1e6), {}, "column 'z' must vary"),
    "constant, raw": (lambda: _frame().assign(z=0.0), {"standardise": False}, "column 'z' must vary"),
    "constant target": (lambda: _frame().assign(y=3), {}, "column 'y' must vary over the rows, got 3 in all of them"),
    "one row": (
        lambda: _frame().iloc[:8],
        {},
        "every task must have at least 2 rows, got 1 for task 'Jena' of column 'city'",
    ),
    "no rows": (lambda: _frame().iloc[:0], {}, "frame must have rows, at least two for a task; got none"),
    "no such target": (_frame, {"target": "Y"}, "frame has no column 'Y'; it has 'x', 'z', 'y', 'city'"),
    "no such task": (_frame, {"task": "town"}, "frame has no column 'town'"),
    "no such feature": (_frame, {"features": ["x", "q"]}, "frame has no column 'q'"),
    "target as feature": (_frame, {"features": ["x", "y"]}, "must be different columns, got 'y' twice"),
    "target as task": (_frame, {"task": "y"}, "must be different columns, got 'y' twice"),
    "duplicate names": (
        lambda: _frame().set_axis(["x", "x", "y", "city"], axis=1),
        {},
        "column names must be unique, got 'x' more than once",
    ),
    "feature as text": (_frame, {"features": "x"}, "features must be a list of column names, got the text 'x'"),
    "nothing to fit": (_frame, {"features": [], "intercept": False}, "features must name at least one column"),
    "no frame": (lambda: {"x": [1]}, {}, "frame must be a pandas DataFrame, got dict"),
    "scale": (_frame, {"scale": 0.0}, r"scale must lie in \[1e-25, 1e\+25\], got 0.0"),
    "infinite scale": (_frame, {"scale": np.inf}, "scale must lie in"),
    "scale in words": (_frame, {"scale": "one"}, "value must be a number, got 'one'"),
    "loss": (_frame, {"loss": "huber"}, "loss must be one of welsch, geman-mcclure, got 'huber'"),
    "probabilities": (_frame, {"probabilities": "equal"}, "probabilities must be one of uniform, rows, got 'equal'"),
}


@pytest.mark.parametrize(("frame", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_used_is_refused_in_a_sentence(frame, options, message):
    """The message names the column, the row or the task, and is one line; nothing warns."""
    with pytest.raises(ValueError, match=message) as refusal:
        _build(frame(), **options)
    assert "\n" not in str(refusal.value)


def test_what_is_not_asked_for_may_be_anything():
    """Columns that are not used may hold text, gaps and constants; counts, booleans and other numbers are numbers."""
    frame = _frame().assign(
        text="a", gaps=np.nan, count=range(9), flag=[True, False, True] * 3, small=np.float32(2) ** np.arange(9)
    )
    frame["whole"] = pd.array(range(9), dtype="Int64")
    frame["mixed"] = pd.Series([1, 2.5, *range(7)], dtype=object)
    assert _build(frame, features=["x", "count", "flag", "small", "whole", "mixed"]).dim == 7
    with pytest.raises(ValueError, match="column 'text' must hold numbers, got 'a' in row 0"):
        _build(frame.drop(columns="gaps"))


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    sizes=st.lists(st.integers(2, 5), min_size=1, max_size=4),
    features=st.integers(0, 5),
    alike=st.booleans(),
    units=st.floats(-20, 20).map(lambda power: 10.0**power),
    scale=st.floats(-20, 20).map(lambda power: 10.0**power),
    options=st.fixed_dictionaries(
        {"loss": st.sampled_from(["welsch", "geman-mcclure"]), "standardise": st.booleans(), "intercept": st.booleans()}
    ),
    seed=st.integers(0, 1000),
)
def test_any_data_give_constants_or_a_reason(sizes, features, alike, units, scale, options, seed):
    """Few rows for many features, features that are one and the same in a task, any units: never a NaN or a warning."""
    generator = np.random.Generator(np.random.Philox(seed))
    groups = np.repeat(np.arange(len(sizes)), sizes)
    x = generator.standard_normal((groups.size, features)) * units
    frame = pd.DataFrame(x[np.searchsorted(groups, groups)] if alike else x)
    frame = frame.assign(y=units * generator.standard_normal(groups.size), city=groups)
    try:
        family = _build(frame, scale=scale, **options)
    except ValueError as refusal:
        assert not features or (alike and len(sizes) == 1), refusal
        return
    w = generator.standard_normal(family.dim)
    found = [*_numbers(family), *_values(family, w, 0.1 / float(family.constants.L)), *family.values(w)]
    assert np.isfinite(found).all() and min(_numbers(family)[:2]) > 0
    assert family.noise.hessian.strong(family.dim, 1.0).value >= 1 - 1e-7


def _numbers(family):
    return [float(getattr(family.constants, name)) for name in NAMES]


def _values(family, w, alpha=0.05):
    moments = exact.moments(family, w, alpha, 2, 3, 4)
    return [exact.objective(family, w, alpha), moments.second, *moments.mean, *moments.bias]


def test_order_names_and_units_of_the_data_do_not_matter():
    """Rows shuffled within and across tasks, tasks renamed, features and target in other units, another index."""
    frame, w = _frame(), np.array([0.2, -0.5, 0.7])
    plain = _build(frame)
    shuffled = frame.sample(frac=1, random_state=np.random.Generator(np.random.Philox(2)))
    for other in (
        shuffled,
        frame.assign(city=frame["city"].map({"Bonn": 7, "Ulm": 3, "Jena": 5})),
        frame.assign(x=1e6 * frame["x"] - 3, y=1e-15 * frame["y"]),
        frame.set_axis([0] * 9, axis=0),
    ):
        found = _build(other)
        assert_allclose(_numbers(found), _numbers(plain), rtol=1e-11)
        assert_allclose(_values(found, w), _values(plain, w), rtol=1e-9, atol=1e-15)


def test_every_task_twice_changes_nothing_but_the_bound_of_sigma():
    """Two copies of each task under half the probability are the same problem; more tasks may only loosen sigma."""
    frame, w = _frame(), np.array([0.2, -0.5, 0.7])
    plain, twice = _build(frame), _build(pd.concat([frame, frame.assign(city=frame["city"] + "2")]))
    assert twice.size == 2 * plain.size
    assert_allclose(_values(twice, w), _values(plain, w), rtol=1e-11, atol=1e-15)
    one, two = _numbers(plain), _numbers(twice)
    assert two[2] >= one[2] * (1 - 1e-12)
    assert_allclose(np.delete(two, 2), np.delete(one, 2), rtol=1e-11)


def test_every_row_twice_changes_nothing():
    """The law of one row is the same, so are all minibatches."""
    frame, w = _frame(), np.array([0.2, -0.5, 0.7])
    plain, twice = _build(frame), _build(pd.concat([frame, frame]))
    assert_allclose(_numbers(twice), _numbers(plain), rtol=1e-11)
    assert_allclose(_values(twice, w), _values(plain, w), rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("c", [1e-3, 40.0])
def test_everything_scales_as_its_weight_says(c):
    """Under y -> c y, scale -> c scale and raw numbers f becomes c^2 f(w/c): weights 0, -1, 1, 1, 0 of c."""
    frame, w = _frame(), np.array([0.2, -0.5, 0.7])
    plain = _build(frame, standardise=False, scale=0.5)
    scaled = _build(frame.assign(y=c * frame["y"]), standardise=False, scale=0.5 * c)
    assert_allclose(_numbers(scaled), np.array(_numbers(plain)) * c ** np.array([0.0, -1, 1, 1, 0]), rtol=1e-11)
    here, there = _values(plain, w), _values(scaled, c * w)
    assert_allclose(there, np.array(here) * c ** np.array([2.0, 2, 1, 1, 1, 1, 1, 1]), rtol=1e-9, atol=1e-15 * c)


@pytest.fixture(scope="module")
def page():
    """What the page's Python leaves behind, run as it stands."""
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)
    return names


def test_the_grunfeld_panel_runs_from_frame_to_bound(page):
    """Eleven firms: constants between what is seen and what holds, exact moments, first passage within (14)."""
    family = page["fam"]
    assert (family.size, family.dim) == (11, 3) and set(family.standing.values()) == {"safe"}
    for name in NAMES:
        assert 0.7 <= family.seen[name] / float(getattr(family.constants, name)) <= 1
    moments = page["moments"]
    assert np.linalg.norm(moments.mean) ** 2 < moments.second and 0 < np.linalg.norm(moments.bias) < 1e-3
    passage = page["result"].mean_passage
    assert not passage["censored"].any() and 500 < passage["T"][0] < page["bound"] / 100
    assert not page["result"].first_passage["censored"].any()


def test_the_table_of_the_page_is_what_its_code_finds(page):
    """The constants to the digits printed; what a search has seen to two digits."""
    rows = re.findall(r"^\| (?:holds everywhere|seen) \|(.*)\|$", PAGE.read_text(), flags=re.MULTILINE)
    found = page["fam"].constants.keywords(), page["fam"].seen
    for row, constants, digits in zip(rows, found, (3e-4, 3e-2), strict=True):
        assert_allclose(list(map(float, row.split("|"))), [constants[name] for name in NAMES], rtol=digits)
