"""Figures draw from their CSV alone, and what they say comes from it."""

import io

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from figures import Settings, hypotheses, style, tightness


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
