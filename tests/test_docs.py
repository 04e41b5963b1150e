"""The pages of docs/ show real files, and their Python runs as it stands."""

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import simulations
import theory
from simulations import exact, families
from theory import CLAIMS

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(DOCS.glob("*.md"))
TALKING = [page for page in PAGES if "```python" in page.read_text()]
ROOT = DOCS.parent


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_includes_is_there(page):
    """Every literalinclude names a file, and every path and test in backticks exists."""
    text = page.read_text()
    for name in re.findall(r"\{literalinclude\} (\S+)", text):
        assert (page.parent / name).is_file(), name
    for name in re.findall(r"`((?:tests|simulations|theory|figures)/[\w/.]+)`", text):
        assert (DOCS.parent / name).exists(), name


@pytest.mark.parametrize("page", TALKING, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page, capsys):
    """Every block, in order, in one namespace; a page says what it prints."""
    names, text = {}, page.read_text()
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(compile(block, str(page), "exec"), names)
    printed = capsys.readouterr().out
    assert printed.strip() and ("certificate()" in text) == ("every step holds" in printed)


EXAMPLES = sorted((DOCS / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs_and_is_shown(example):
    """Every file of docs/examples/ runs as it stands, and the page on them shows it."""
    ran = subprocess.run([sys.executable, "-W", "error", str(example)], capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0 and ran.stdout.strip(), ran.stderr
    assert f"{{literalinclude}} examples/{example.name}" in (DOCS / "examples.md").read_text()


@pytest.mark.parametrize(
    ("page", "source"),
    [
        ("adding_a_family.md", "simulations/families/_template.py"),
        ("adding_a_claim.md", "theory/claims/_template.py"),
        ("adding_a_method.md", "simulations/methods/fo_maml.py"),
        ("adding_a_figure.md", "figures/_template.py"),
    ],
)
def test_a_page_on_adding_something_shows_the_real_file(page, source):
    """What it tells a newcomer to copy is what is tested."""
    assert f"{{literalinclude}} ../{source}" in (DOCS / page).read_text()


def test_the_documentation_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", str(DOCS), str(tmp_path)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert (built.returncode, built.stderr) == (0, "")
    theory, commands = ((tmp_path / "_generated" / f"{name}.html").read_text() for name in ("theory", "commands"))
    assert all(f'id="{claim_id}"' in theory for claim_id in CLAIMS)
    assert all(f"mamlbound {name}" in commands for name in ("reproduce", "check", "claims", "plan", "identify"))


def faults(tree: ast.Module, command: bool = False) -> Iterator[str]:
    """What a public function, class or method of a module lacks in its docstring; commands end alike on bad input."""
    for owner, node in _public(tree.body):
        text = ast.get_docstring(node)
        if not text:
            yield f"{owner}{node.name} has no docstring"
        elif isinstance(node, ast.FunctionDef) and not command and _raises(node) and "raise" not in text.lower():
            yield f"{owner}{node.name} raises, and does not say when"


def _public(body, owner="") -> Iterator[tuple[str, ast.AST]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield owner, node
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body, f"{node.name}.")


def _raises(node: ast.FunctionDef) -> bool:
    """Whether it ends in an error a caller may meet."""
    return any(isinstance(each, ast.Raise) and each.exc is not None for each in ast.walk(node))


FILES = [
    path
    for floor in ("theory", "simulations", "figures", "mamlbound")
    for path in sorted((ROOT / floor).rglob("*.py"))
    if not any(part.startswith("_") and part != "__init__.py" for part in path.relative_to(ROOT).parts)
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_public_name_is_documented(path):
    assert list(faults(ast.parse(path.read_text()), command=path.is_relative_to(ROOT / "mamlbound"))) == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def f(): pass", "f has no docstring"),
        ("class A:\n    'A thing.'\n    def g(self): pass", "A.g has no docstring"),
        ("def f(x):\n    'Does it.'\n    raise ValueError(x)", "f raises, and does not say when"),
    ],
)
def test_a_missing_docstring_is_seen(source, said):
    assert list(faults(ast.parse(source))) == [said]


def _of(each: object, module: ModuleType) -> bool:
    return inspect.isfunction(each) and each.__module__ == module.__name__


def _face() -> dict[str, object]:
    """The public face by name: what README and DESIGN tell people to call, with the methods of its classes."""
    found = {f"theory.{name}": getattr(theory, name) for name in theory.__all__}
    found |= {f"simulations.{name}": getattr(simulations, name) for name in simulations.__all__}
    found |= {f"families.{name}": getattr(families, name) for name in families.__all__}
    found |= {f"exact.{name}": each for name, each in vars(exact).items() if _of(each, exact)}
    classes = {name: each for name, each in found.items() if inspect.isclass(each) and each.__module__ != "builtins"}
    for name, each in classes.items():
        found |= {f"{name}.{method}": body for method, body in vars(each).items() if inspect.isfunction(body)}
    return {
        name: each
        for name, each in found.items()
        if (inspect.isfunction(each) or name in classes) and not name.rpartition(".")[2].startswith("_")
    }


@pytest.mark.parametrize(("name", "each"), _face().items(), ids=_face())
def test_the_public_face_says_what_every_argument_is(name, each):
    """Every parameter is named in the docstring; an exception takes what exceptions take."""
    if isinstance(each, type) and issubclass(each, Exception):
        assert each.__doc__
        return
    text = inspect.getdoc(each) or ""
    own = {"self", "kwargs"} | ({"noise", "hessian_noise"} if name.startswith("families.") else set())
    missing = [p for p in inspect.signature(each).parameters if p not in own and not re.search(rf"\b{p}\b", text)]
    assert missing == []
