"""Formulas in a page: LaTeX to MathML, which browsers draw without a script or a network."""

from __future__ import annotations

from functools import cache

import sympy as sp
from latex2mathml.converter import convert

from theory import symbols as s


@cache
def mathml(latex: str, display: str = "inline") -> str:
    """A LaTeX formula as a MathML element, safe to put into HTML; "block" is large, and stands where it is put."""
    large = ' displaystyle="true"' if display == "block" else ""
    return convert(latex).replace(' display="inline"', large, 1)


def formula(expression: sp.Basic, display: str = "inline") -> str:
    """A SymPy expression or relational in the symbols of the theory, as MathML."""
    return mathml(sp.latex(expression, symbol_names=s.LATEX_NAMES), display)
