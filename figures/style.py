"""How every figure looks: sizes, fonts, colours that survive print and colour blindness (Okabe and Ito)."""

from __future__ import annotations

from contextlib import AbstractContextManager

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY = "#808080"
PUBLISHED, REPAIRED, SHARP, MEASURED, FLOOR, LOWER = RED, ORANGE, GREEN, BLUE, GREY, BLACK
"""What a line stands for has the same colour in all figures, and a mark of its own beside it."""
MARKS = {"published": "s", "repaired": "D", "sharp": "^", "measured": "o", "lower": "v"}
COLOURS = {"published": PUBLISHED, "repaired": REPAIRED, "sharp": SHARP, "measured": MEASURED, "lower": LOWER}
WIDTH = 9.0
TEXT_WIDTH = 7.0

_STYLE = {
    "figure.dpi": 100,
    "savefig.dpi": 160,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
    "svg.hashsalt": "mamlbound",
}


def style() -> AbstractContextManager:
    """The rc settings under which all figures are drawn and saved."""
    return mpl.rc_context(_STYLE)


def honest_decades(axis: Axes) -> None:
    """Label a logarithmic horizontal axis at 1, 2 and 5 of each decade, in plain numbers."""
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axis.xaxis.set_minor_formatter(NullFormatter())
