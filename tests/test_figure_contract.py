"""What every figure keeps to: tables from `data` alone, captions and findings whose numbers come from them."""

import importlib
import io
import re
from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from figures import Settings, caption, descent, floors, methods, modules, rate, style

TEMPLATE = importlib.import_module("figures._template")
ALL = {**modules(), "_template": TEMPLATE}
FORMULAS = (
    r"\{[^}]*\}",  # numbers of the tables
    r"\(\d+\)|Algorithm 1",  # equations, and the algorithm
    r"\w+_\w+",  # symbols
    r"\^-?\d",  # powers
    r"1/L\(w\)|\(1\+q\)/q",
    r"(above|below|At) 1\b",  # what a share of a bound is held against
    r"(is|are) 0\b",
)


@pytest.mark.parametrize("name", ALL)
def test_a_figure_has_what_the_contract_says(name):
    figure = ALL[name]
    assert figure.TITLE and figure.CAPTION.endswith(".")
    for function in ("instances", "data", "draw", "findings"):
        assert getattr(figure, function).__doc__, function
    assert figure.instances(Settings()) is not None


@pytest.mark.parametrize("name", ALL)
def test_no_number_is_typed_into_a_caption(name):
    left = re.sub("|".join(FORMULAS), "", ALL[name].CAPTION)
    assert not re.search(r"\d", left), left
    assert bool(re.search(r"\{", ALL[name].CAPTION)) == hasattr(ALL[name], "numbers")


def test_a_number_typed_into_a_caption_is_seen():
    assert re.search(r"\d", re.sub("|".join(FORMULAS), "", "cosine tasks (d = 16, 32 tasks), K = 48"))


def kept(tables):
    """The tables as they are read back from their files."""
    return {name: pd.read_csv(io.StringIO(table.to_csv(index=False))) for name, table in tables.items()}


@pytest.fixture(scope="module")
def template():
    return kept(TEMPLATE.data(TEMPLATE.instances(Settings()), lambda done: None))


def drawn(figure, tables):
    with style.style():
        made = figure.draw(tables)
    made.canvas.draw()
    panels = [axis for axis in made.axes if axis.axison]
    assert panels and all(axis.lines or axis.collections for axis in panels)
    plt.close(made)


def test_the_template_runs_and_its_numbers_follow_its_tables(template):
    drawn(TEMPLATE, template)
    assert "d = 2, 4 tasks" in caption(TEMPLATE, template) and "4 replicates" in caption(TEMPLATE, template)
    changed = {**template, "settings": template["settings"].assign(tasks=77)}
    assert "77 tasks" in caption(TEMPLATE, changed)


@pytest.fixture(scope="module")
def standing():
    """The floors of the two smallest batches and of exact expectations."""
    points = [point for point in floors.instances(Settings()) if point.n not in (320, 1280)]
    return kept(floors.data(points, lambda done: None))


def test_floors_of_maml_fall_and_those_that_stand_do_not(standing):
    drawn(floors, standing)
    table = standing["floors"].set_index(["who", "n"])
    for who, stands in (("MAML", False), ("FO-MAML", True), ("HF-MAML, published", True), ("HF-MAML, repaired", False)):
        exact, few = table.loc[(who, float("inf"))], table.loc[(who, 20.0)]
        assert (exact["measured"] > 0.25) == stands and few["measured"] < few["sharp"] < few["published"]
    claimed = table.loc[("HF-MAML, published", float("inf"))]
    assert claimed["published"] == 0 and claimed["sharp"] > claimed["measured"]
    assert table.loc[("FO-MAML", 20.0)]["term"] == "spread" and table.loc[("MAML", 20.0)]["term"] == "batch"
    changed = {**standing, "floors": standing["floors"].assign(measured=0.5)}
    assert dict(floors.findings(changed))["MAML: ||grad F|| at n = 20, 80, exact"] == "0.5, 0.5, 0.5"


def test_descent_is_never_less_than_is_promised():
    tables = kept(descent.data(descent.instances(Settings()), lambda done: None))
    drawn(descent, tables)
    steps, runs = tables["steps"], tables["runs"]
    assert len(steps) > 15
    assert (steps["decrease"] - 3 * steps["standard_error"] > steps["sharp"]).all()
    assert (steps["sharp"] > 20 * steps["published"]).all()
    assert (runs["F"][1:] < runs["allowed_sharp"][1:]).all()
    said = dict(descent.findings({**tables, "steps": steps.assign(decrease=2 * steps["sharp"])}))
    assert said["Decrease of one step over (11), sharp: least"] == "2"


def test_methods_end_where_their_bias_leaves_them():
    few = [one for one in methods.instances(Settings()) if one.how == methods._EXACT or one.who in ("MAML", "Reptile")]
    tables = kept(methods.data(few, lambda done: None))
    drawn(methods, tables)
    norms = tables["norms"]
    end = norms[norms["iteration"] == norms["iteration"].max()].set_index(["how", "who"])["grad_norm"][methods._EXACT]
    assert end["MAML"] < 1e-9 and end["multi-step MAML"] < 1e-9 and end["iMAML"] < 1e-9
    assert end["HF-MAML, repaired"] < 1e-6 < end["FO-MAML"] < end["HF-MAML, published"]
    said = dict(methods.findings({**tables, "norms": norms.assign(grad_norm=0.25)}))
    assert set(said.values()) == {"0.25, 0.25", "0.25, nan"}


def test_rate_has_its_bounds_in_order_and_says_what_its_tables_say():
    every = rate.instances(Settings())
    noisy = [replace(one, experiment=replace(one.experiment, replicates=3)) for one in every if one.label == "welsch"]
    ramps = [one for one in every if one.label == "ramp"][:2]
    tables = kept(rate.data([*noisy, *ramps], lambda done: None))
    means = tables["means"]
    assert (means["published"] > means["repaired"]).all() and (means["repaired"] > means["sharp"]).all()
    assert (means["sharp"] > means["T"]).all()
    assert (means["T"][means["label"] == "ramp"] > 0.7 * means["lower"][means["label"] == "ramp"]).all()
    tails = pd.DataFrame({"label": "tail", "eps": [1.0, 0.5], "T": [10, 30], "predicted": -1.5, "censored": False})
    tables["means"] = pd.concat([means, tails], ignore_index=True)
    drawn(rate, tables)
    assert "K = 1600, with" in caption(rate, tables) and "48 L Delta" in caption(rate, tables)
    tables["means"] = pd.concat([tables["means"], means[means["label"] == "welsch"].assign(label="cosine")])
    found = dict(rate.findings(tables))
    assert found["welsch: targets at which the guarded mean passes within the published (14)"] == "8 of 8"
