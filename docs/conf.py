"""The documentation: Sphinx, MyST and furo. Pages on the theory and the command line are written from the code."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

project = "mamlbound"
author = "The mamlbound authors"
release = version = installed("mamlbound")
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "mamlbound"
html_show_copyright = False
myst_heading_anchors = 3


def setup(app) -> None:
    """Write the generated pages before the sources are read."""
    import generated

    app.connect("builder-inited", lambda _: generated.write(HERE / "_generated"))
