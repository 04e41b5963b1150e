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
myst_enable_extensions = ["dollarmath"]
html_math_renderer = "mathml"
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "mamlbound"
html_show_copyright = False
myst_heading_anchors = 3


def setup(app) -> None:
    """Write the generated pages before the sources are read; draw formulas as MathML, which needs no network."""
    import generated
    from docutils import nodes

    from figures.report.formula import mathml

    def inline(translator, node) -> None:
        translator.body.append(mathml(node.astext()))
        raise nodes.SkipNode

    def block(translator, node) -> None:
        translator.body.append(f'<div style="overflow-x: auto">{mathml(node.astext(), "block")}</div>')
        raise nodes.SkipNode

    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    app.connect("builder-inited", lambda _: generated.write(HERE / "_generated"))
