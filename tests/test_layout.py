"""The house: imports run one way, Numba has one door, no global random state, and the README's commands exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("theory", "simulations", "figures", "mamlbound")
FILES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
HEAVY = {"numba", "matplotlib", "pandas"}


def _imports(tree):
    """Top names of every import, also those inside functions and those with a name given as text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            name = re.match(r"f?['\"](\w+)", ast.unparse(node.args[0]))
            yield from name.groups() if name else ()


def _faults(floor, name, source):
    """What a file of a floor does that the house forbids."""
    tree = ast.parse(source)
    imports = set(_imports(tree))
    above = FLOORS[FLOORS.index(floor) + 1 :]
    yield from (f"{floor} imports {other}, which stands above it" for other in imports & set(above))
    if floor == "theory":
        yield from (f"theory imports {heavy}" for heavy in imports & HEAVY)
    if "numba" in imports and name != "simulations/kernels.py":
        yield "numba is imported outside simulations/kernels.py"
    if "random" in imports:
        yield "the standard library's random has a global state"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("np.random", "numpy.random"):
            if node.attr not in ("Generator", "Philox"):
                yield f"line {node.lineno}: {ast.unparse(node)} is no Generator over Philox"
        elif isinstance(node, ast.ImportFrom) and node.module in ("numpy", "numpy.random"):
            names = {alias.name for alias in node.names}
            if node.module == "numpy.random" or "random" in names:
                yield f"line {node.lineno}: numpy.random is used by its full name"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_keeps_the_rules_of_the_house(path):
    """mamlbound -> figures -> simulations -> theory and never back; one door to Numba; no global random state."""
    name = path.relative_to(ROOT).as_posix()
    assert list(_faults(name.split("/")[0], name, path.read_text())) == []


@pytest.mark.parametrize(
    ("floor", "source"),
    [
        ("theory", "import simulations"),
        ("theory", "def f():\n    from simulations.exact import gap"),
        ("theory", "import matplotlib.pyplot as plt"),
        ("theory", "import pandas"),
        ("theory", "from numba import njit"),
        ("simulations", "from figures import style"),
        ("simulations", "import importlib\nimportlib.import_module(f'figures.{1}')"),
        ("simulations", "import numba"),
        ("figures", "import mamlbound.cli"),
        ("simulations", "import numpy as np\nnp.random.seed(0)"),
        ("simulations", "import numpy as np\nx = np.random.normal()"),
        ("simulations", "import numpy as np\nx = np.random.default_rng()"),
        ("simulations", "from numpy import random"),
        ("simulations", "import random"),
    ],
)
def test_the_rules_can_be_broken(floor, source):
    """Each rule finds its fault in a line that breaks it."""
    assert list(_faults(floor, f"{floor}/example.py", source))


def test_every_floor_has_files():
    """The walk sees the whole house."""
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(FLOORS)
    assert ROOT / "simulations" / "kernels.py" in FILES


def test_the_commands_of_the_readme_exist():
    """Every `make TARGET` of the README is a target of the Makefile, `reproduce` and `test` among them."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = set(re.findall(r"(?:^    |`)make ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert {"reproduce", "test"} <= asked <= targets
