"""Figures draw from their CSV alone, and what they say comes from it."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from figures import Settings, constants, hypotheses, sandwich, sensitivity, style, tightness
from theory import CLAIMS


def kept(tables):
    """The tables as they are read back from their files."""
    return {name: pd.read_csv(io.StringIO(table.to_csv(index=False))) for name, table in tables.items()}


@pytest.fixture(scope="module")
def without():
    studies = [s for s in hypotheses.instances(Settings()) if s.claim in ("bias", "second-moment", "step-size-mean")]
    return kept(hypotheses.data(studies, lambda done: None))


@pytest.fixture(scope="module")
def tight():
    steps, cases = tightness.instances(Settings())
    few = [case for case in cases if case.claim in ("second-moment", "bias")]
    return kept(tightness.data((steps, few), lambda done: None))


def test_hypotheses_has_a_line_for_every_claim_of_a_panel(without):
    with style.style():
        figure = hypotheses.draw(without)
    panels = {axis.get_title("left"): axis for axis in figure.axes if axis.get_title("left")}
    assert len(panels) == len(hypotheses._PANELS)
    labels = [line.get_label() for line in panels[hypotheses._PANELS["D_h"]].lines]
    assert labels == ["(8)"]
    assert figure.axes[0].get_ylim()[1] > 1
    plt.close(figure)


def test_what_hypotheses_says_is_what_its_table_says(without):
    said = dict(hypotheses.findings(without))
    assert said["bias without the bound on alpha"].startswith("fails at 1.04 times the edge")
    assert "not seen to fail" in said["step-size-mean without the bound on B_step"]
    nearest = without["nearest"].assign(beyond=7.77)
    assert "7.77" in dict(hypotheses.findings({**without, "nearest": nearest}))["bias without the bound on alpha"]


def test_tightness_marks_every_share_and_reaches_the_sharp_inequalities(tight):
    with style.style():
        figure = tightness.draw(tight)
    squares, triangles = figure.axes[1].lines
    assert sorted(squares.get_xdata()) == sorted(tight["shares"]["published"]) and len(triangles.get_xdata()) == 5
    sharp = tight["ratios"].query("version == 'sharp'")
    assert (abs(sharp["ratio"] - 1) < 0.02).all()
    assert (tight["ratios"].query("version == 'published'")["ratio"] < 1).all()
    plt.close(figure)


def test_what_tightness_says_is_what_its_table_says(tight):
    said = dict(tightness.findings(tight))
    assert said["second-moment, co: share used up"] == "0.9306"
    changed = tight["shares"].assign(published=0.1234)
    assert set(dict(tightness.findings({**tight, "shares": changed})).values()) == {"0.1234"}


@pytest.fixture(scope="module")
def sensitive():
    points = [point for point in sensitivity.instances(Settings()) if point.parameter in ("L", "B")]
    return kept(sensitivity.data(points, lambda done: None))


def test_sensitivity_stays_below_its_bounds_and_leaves_out_what_has_none(sensitive):
    points = sensitive["points"]
    assert (points["T"] < points["sharp"].fillna(float("inf"))).all() and (points["T"] > 10).all()
    assert points.query("parameter == 'B' and value < 20")["published"].isna().all()
    assert (points["sharp"].dropna() < points["published"].dropna() / 26).all()
    with style.style():
        figure = sensitivity.draw(sensitive)
    assert [len(axis.lines) for axis in figure.axes] == [4] * 10
    plt.close(figure)


def test_what_sensitivity_says_is_what_its_table_says(sensitive):
    changed = sensitive["points"].assign(T=77.0)
    said = dict(sensitivity.findings({"points": changed}))
    assert said["T over the range of B, smallest to largest value"] == "77 to 77"


def test_the_lines_of_constants_end_where_the_claims_do():
    tables = kept(constants.data(constants.instances(Settings()), lambda done: None))
    with style.style():
        figure = constants.draw(tables)
    ends = [[line.get_ydata()[-1] for line in axis.lines] for axis in figure.axes]
    versions = ("published", "sharp")
    assert ends[5] == [float(CLAIMS["first-moment"].constants(which, a="1/6")["ci"]) for which in versions]
    plt.close(figure)
    said = dict(constants.findings({"constants": tables["constants"].assign(value=5.0)}))
    assert set(said.values()) == {"5, 5"}


def test_the_sandwich_has_its_bounds_in_order_and_says_what_its_table_says():
    """What runs need lies below the proved lower bound, and that below the proved upper one, for each step."""
    asked = sandwich.instances(Settings())
    asked = sandwich.Instances(asked.rungs, {key: one for key, one in asked.runs.items() if key[1] == 0.1})
    tables = kept(sandwich.data(asked, lambda done: None))
    bounds = tables["bounds"]
    for step in ("exact", "random"):
        mine = bounds[bounds["step"] == step].groupby("kind")["K"]
        assert mine.max()["measured"] < mine.max()["lower"] < mine.min()["sharp"]
        assert mine.max()["measured"] > 0.85 * mine.max()["lower"]
    assert dict(sandwich.findings(tables))["Published K over sharp K, random step"] == "26.29"
    halved = bounds.assign(K=bounds["K"] * np.where(bounds["kind"] == "published", 0.5, 1))
    assert dict(sandwich.findings({"bounds": halved}))["Published K over sharp K, random step"] == "13.15"
    with style.style():
        plt.close(sandwich.draw(tables))
