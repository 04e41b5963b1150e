"""The pages of docs/ show real files, and their Python runs as it stands."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(DOCS.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_includes_is_there(page):
    """Every literalinclude names a file, and every path and test in backticks exists."""
    text = page.read_text()
    for name in re.findall(r"\{literalinclude\} (\S+)", text):
        assert (page.parent / name).is_file(), name
    for name in re.findall(r"`((?:tests|simulations|theory|figures)/[\w/.]+)`", text):
        assert (DOCS.parent / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page, capsys):
    """Every block, in order, in one namespace; a page says what it prints."""
    names, text = {}, page.read_text()
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(compile(block, str(page), "exec"), names)
    printed = capsys.readouterr().out
    assert printed.strip() and ("certificate()" in text) == ("every step holds" in printed)


def test_the_page_on_families_shows_the_template():
    """The template it tells a newcomer to copy is the one that is tested."""
    page = (DOCS / "adding_a_family.md").read_text()
    assert "{literalinclude} ../simulations/families/_template.py" in page
