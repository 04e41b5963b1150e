"""`python -m figures.report.gallery DIR`: the pictures of figures/gallery/, from the tables of a run in DIR."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt

from figures import modules, style
from figures.report import tables_of

GALLERY = Path(__file__).parents[1] / "gallery"
_DPI = 90


def draw(folder: Path) -> list[Path]:
    """Draw every figure small.

    Args:
        folder: of `mamlbound reproduce`.

    Returns:
        The pictures written.

    Raises:
        ValueError: there are no data of a figure.
    """
    found = {name: tables_of(name, folder) for name in modules()}
    with style.style():
        for name, tables in found.items():
            drawn = modules()[name].draw(tables)
            drawn.savefig(GALLERY / f"{name}.png", dpi=_DPI)
            plt.close(drawn)
    return [GALLERY / f"{name}.png" for name in found]


if __name__ == "__main__":
    print(*draw(Path(sys.argv[1])), sep="\n")
