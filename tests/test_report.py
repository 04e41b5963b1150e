"""The page: it computes what Python computes, says what the run's files say, and needs no network."""

import html
import json
import math
import random
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import report_folder
import sympy as sp
from command import call

from figures.report import explorer
from figures.report.page import bind
from simulations.sweep import configuration
from simulations.sweep.content import key, written
from simulations.sweep.evaluate import evaluated
from simulations.sweep.ledger import Ledger
from simulations.sweep.plan import Plan
from simulations.verdicts.table import VerdictTable
from theory import CLAIMS, OutsideDomain
from theory import symbols as s
from theory.claim import plain
from theory.sharpening.closed_form import STEPS, closed_form

PAGE = Path(explorer.__file__).parent / "page.html"
TOLERANCE = 1e-12
JAVASCRIPT = {
    "Math": SimpleNamespace(max=max, min=min, sqrt=math.sqrt, pow=pow),
    "ceil": lambda x: math.ceil(x - abs(x) * 2**-50),
    "floor": lambda x: math.floor(x + abs(x) * 2**-50),
}
WORDS = {"Math", "max", "min", "sqrt", "pow", "ceil", "floor", "e"}


def settings(seed: int) -> dict[str, sp.Rational]:
    """Random values of all inputs, whole ones whole; for every second seed inside the hypotheses on alpha."""
    rng = random.Random(seed)
    found = {}
    for each in explorer.INPUTS:
        value = 10 ** rng.uniform(math.log10(each.low), math.log10(each.high))
        found[each.symbol.name] = sp.Integer(max(1, round(value))) if each.whole else sp.Rational(f"{value:.3g}")
    if seed % 2:
        found["alpha"] = 1 / (rng.choice([10, 11, 40]) * found["L"])
        found["B"] = max(found["B"], sp.Integer(20))
        found["eps"] = sp.Rational(str(10 ** rng.uniform(0, 1))) * max(found["sigma"], found["sigma_tilde"])
    return found


def completed(values: dict) -> dict[sp.Symbol, sp.Expr]:
    """What the page knows when it computes a formula: the inputs, what it derives from them, and the plan, exactly."""
    point = {s.QUANTITIES[name].symbol: value for name, value in values.items()}
    for symbol, expression in {**explorer.DERIVED, **STEPS}.items():
        if symbol not in point:
            point[symbol] = expression.subs(point)
    return point


def as_javascript(formula, point) -> float:
    """The value of the printed text; what the text means in JavaScript it means in Python."""
    given = {symbol.name: np.float64(value) for symbol, value in point.items()}
    with np.errstate(divide="ignore"):
        return float(eval(formula.text, {"__builtins__": {}}, {**JAVASCRIPT, **given}))


@pytest.mark.parametrize("seed", range(8))
def test_every_formula_of_the_page_is_the_claims_own(seed):
    """The printed JavaScript, evaluated as doubles, agrees with exact arithmetic to a relative 1e-12."""
    point = completed(settings(seed))
    for formula in explorer.formulas():
        exactly = formula.expression.subs(point)
        apart = abs(sp.Rational(as_javascript(formula, point)) - exactly)
        assert apart <= TOLERANCE * max(abs(exactly), _parts(formula.expression, point)), formula.key


def _parts(expression, point) -> sp.Expr:
    """The expression with sums for differences: where it cancels, that is what its rounding is measured by."""

    def added(total: sp.Add) -> sp.Expr:
        return sp.Add(*(-term if term.could_extract_minus_sign() else term for term in total.args))

    return expression.replace(lambda part: part.is_Add, added).subs(point)


def test_the_printed_formulas_use_nothing_but_names_numbers_and_known_functions():
    for formula in explorer.formulas():
        assert set(re.findall(r"[A-Za-z_]\w*", formula.text)) <= WORDS | set(formula.names), formula.key
        assert set(formula.names) <= set(s.QUANTITIES) | {symbol.name for symbol in STEPS}
        assert not re.search(r"[^\w\s.,()*/+-]", formula.text), formula.key


def test_the_page_has_a_formula_for_everything_it_shows():
    keys = {formula.key for formula in explorer.formulas()}
    asked = {f"{claim.id}/{which}" for claim in explorer.claims() for which in claim.versions}
    sides = {f"{side}/{i}" for side in ("left", "right") for i in range(len(explorer.hypotheses()))}
    assert asked | sides | {f"given/{symbol.name}" for symbol in explorer.DERIVED} <= keys
    inputs = {each.symbol.name for each in explorer.INPUTS} | {symbol.name for symbol in explorer.DERIVED}
    for claim in explorer.claims():
        for which in claim.versions:
            assert set(claim._needs(which)) <= inputs, claim.id
    assert {"L", "rho", "alpha", "sigma", "sigma_tilde", "sigma_H", "eps", "Delta", "B", "D_in", "D_o", "D_h"} == {
        each.symbol.name for each in explorer.INPUTS
    }


def test_the_defaults_lie_inside_every_domain():
    point = completed({each.symbol.name: sp.Rational(each.default) for each in explorer.INPUTS})
    for claim in explorer.claims():
        assert claim.evaluate(**{symbol.name: value for symbol, value in point.items() if symbol.name in s.QUANTITIES})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return report_folder.fill(tmp_path_factory.mktemp("report"))


class _Text(HTMLParser):
    """All text of a page but scripts and styles, and every address it mentions."""

    def __init__(self):
        super().__init__()
        self.parts, self.addresses, self._hidden = [], [], 0

    def handle_starttag(self, tag, attributes):
        self._hidden += tag in ("script", "style")
        self.addresses += [value for name, value in attributes if name in ("href", "src", "data", "action")]

    def handle_endtag(self, tag):
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data):
        if not self._hidden:
            self.parts.append(data)


def read(page: str) -> _Text:
    text = _Text()
    text.feed(page)
    return text


def test_the_page_needs_nothing_from_outside(folder):
    page = bind(folder)
    addresses = read(page).addresses
    assert addresses and all(address.startswith(("#", "data:")) for address in addresses)
    for outside in ("http://", "https://", "@import", "<script src", "fetch(", "XMLHttpRequest"):
        assert outside not in page.replace("http://www.w3.org", ""), outside


def test_the_frame_of_the_page_states_no_number_of_its_own():
    """Beside the examples of how to write one, and equation numbers."""
    text = " ".join(read(PAGE.read_text()).parts)
    assert re.findall(r"\d[\d./]*", re.sub(r"\(\d+\)", "", text)) == ["0.05", "1/20"]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("claims.json", '"K": "1600"', '"K": "7654"'),
        ("claims.json", '"cL": "60"', '"cL": "7654"'),
        ("claims.json", "A omega^2 = L, A omega^3 = rho", "A omega^2 = 76543 L"),
        ("provenance.json", '"seed": 7', '"seed": 76543'),
        ("moments-ratios.csv", "second-moment,sharp,0.1,512,", "second-moment,sharp,0.1,512,76543"),
        ("faults.csv", "sign of the Hessian", "76543 faults"),
    ],
)
def test_what_the_page_says_is_read_from_the_files_of_the_run(folder, tmp_path, file, old, new):
    """A file that says something else makes a page that says something else."""
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    text = (folder / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new))
    seen = [" ".join(read(bind(each)).parts) for each in (folder, tmp_path)]
    assert "7654" in seen[1] and "7654" not in seen[0]


def test_verdicts_and_data_are_in_the_page(folder):
    page = bind(folder)
    table = VerdictTable(pd.read_csv(folder / "verdicts.csv"))
    assert "refuted as the theory says" in table.summary and table.summary in html.unescape(page)
    for claim, row in table.texts.iterrows():
        assert f"<th scope=row>{claim}</th>" in page and all(html.escape(text) in page for text in row)
    for path in ("verdicts.csv", "moments-ratios.csv", "claims.json", "moments.svg"):
        assert f'download="{path}" href="data:' in page


def test_a_table_of_verdicts_never_hides_what_speaks_against_the_theory():
    rows = [
        ("cosine", "bias", "published", "HOLDS", 2.0, True),
        ("cosine", "bias", "sharp", "VIOLATED", 0.5, False),
        ("<b>", "bias", "sharp", "VIOLATED", 0.5, True),
    ]
    table = VerdictTable(pd.DataFrame(rows, columns=["instance", "claim", "version", "status", "slack", "expected"]))
    assert table.texts.loc["bias"].to_dict() == {"cosine": "VIOLATED", "<b>": "refuted"}
    assert table.summary == "1 hold, 1 refuted as the theory says, 1 against it"
    assert "&lt;b&gt;" in table._repr_html_() and "<b>" not in table._repr_html_()


def test_the_audit_lists_every_claim_that_was_published_wrong(folder):
    page = bind(folder)
    wrong = [claim for claim in CLAIMS.values() if claim.verdict in ("repaired", "refuted")]
    assert len(wrong) >= 9
    for claim in wrong:
        assert f'id="audit-{claim.id}"' in page
    instances = [text for claim in ("task-gradient-moment", "hessian-noise") for text in _instances(folder, claim)]
    assert instances and all(html.escape(text) in page for text in instances)


def _instances(folder, claim_id):
    records = {record["id"]: record for record in json.loads((folder / "claims.json").read_text())}
    return records[claim_id]["versions"]["published"]["replay"]["instances"]


@pytest.mark.parametrize("seed", range(40))
def test_the_closed_form_plan_keeps_the_noise_below_the_floor(seed):
    values = settings(2 * seed + 1)
    names = ("L", "rho", "alpha", "sigma", "sigma_tilde", "sigma_H", "eps")
    if seed % 5 == 0:
        values["sigma" if seed % 2 else "sigma_tilde"] = sp.Integer(0)
    found = closed_form(**{name: values[name] for name in names})
    batches = {name: found[name] for name in ("B", "D_in", "D_o", "D_h", "B_step", "D_step")}
    assert all(value.is_Integer and value >= 1 for value in batches.values())
    CLAIMS["iteration-bound"].evaluate(**values | batches)
    with pytest.raises(OutsideDomain, match=re.escape(plain(CLAIMS["iteration-bound"].domain[2].relation))):
        CLAIMS["iteration-bound"].evaluate(**values | batches | {"B": 19})


def test_a_sweep_has_a_page_of_its_own_with_its_cells_in_it(tmp_path, monkeypatch, capsys):
    text = 'name = "<b>two</b>"\n[axes]\nclaim = ["smoothness"]\nrho = [1, 2]\n[fixed]\ndim = 2\ntasks = 4\n'
    with Ledger(tmp_path / "ledger", write=True) as ledger:
        ledger.configure(("a hash", "1/1", 2, text, "{}"))
        run, plan = ledger.begin({"python": "3.11"}), Plan(configuration.read(text))
        cell = plan.content(0)
        ledger.commit([(key(cell), written(cell), evaluated(cell), run, 0.1)])
    file = tmp_path / "page.html"
    code, out, _ = call(monkeypatch, capsys, "report", tmp_path / "ledger", "--html", file)
    page = file.read_text()
    assert code == 3 and "1 of 2 cells (50.0 %): 1 HOLDS" in page and "1 of 2 cells" in out
    assert "&lt;b&gt;two" in page and "<b>two" not in page and "3.11" in page
    assert 'download="cells.csv"' in page and "no proved claim was violated" in page and "http" not in page
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["ledger", "page.html"]
    code, _, err = call(monkeypatch, capsys, "report", tmp_path / "ledger", "--html", tmp_path / "no" / "page.html")
    assert code == 2 and err.count("\n") == 1 and "cannot write" in err
