"""What a notebook shows: claims as formulas, verdicts, tables and families as HTML in which everything is escaped."""

from dataclasses import replace

import pytest

from simulations import families, identify
from simulations.markup import table
from simulations.verdicts import check, judged, suite
from simulations.verdicts.table import VerdictTable
from theory import CLAIMS

EVIL = "<script>alert('&')</script>"


@pytest.fixture(scope="module")
def family():
    return families.cosine(dim=2, tasks=4, sigma=0.5, sigma_tilde=0.3)


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
def test_a_claim_is_a_formula(claim):
    latex = claim._repr_latex_()
    assert latex.startswith("$") and latex.endswith("$") and latex.count("{") == latex.count("}")
    assert "\\leq" in latex or "\\geq" in latex or "=" in latex


def test_a_family_shows_its_constants_and_how_they_stand(family):
    shown = family._repr_html_()
    for name, value in family.constants.keywords().items():
        assert f"<th scope=row>{name}</th><td>{value}</td><td>{family.standing.get(name, '')}</td>" in shown
    assert EVIL not in replace(family, name=EVIL)._repr_html_()


def test_a_verdict_shows_both_sides(family):
    verdict = check("first-moment", family)
    shown = verdict._repr_html_()
    assert verdict.status in shown and f"{verdict.slack:.6g}" in shown and f"{verdict.rhs:.6g}" in shown
    assert EVIL not in replace(verdict, reason=EVIL)._repr_html_()


def test_a_table_of_verdicts_shows_claims_by_instances(family):
    instance = suite.Instance(EVIL, family)
    cells = suite.cells(suite.chosen_claims(["bias", "first-moment"]), [instance])
    found = VerdictTable.of((name, judged(cell)) for name, cell in cells)
    shown = found._repr_html_()
    assert list(found.texts.index) == ["bias", "first-moment"] and EVIL not in shown
    assert all(f">{text}</td>" in shown for text in found.texts[EVIL])


def test_a_report_on_code_escapes_what_the_code_said():
    def speaks(loss, w, tasks, alpha, steps):
        raise ValueError(EVIL)

    report = identify(speaks)
    assert EVIL in report.verdict and EVIL not in report._repr_html_()


def test_a_table_escapes_every_cell():
    assert table([EVIL], [[EVIL, EVIL]]).count("&lt;script&gt;") == 3
