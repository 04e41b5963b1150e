"""The README's Python runs as it stands, and its verbs exist."""

import re
from pathlib import Path

import pytest
import sympy as sp

from theory import CLAIMS
from theory.record import at_edge

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def constants(claim: str, which: str) -> str:
    """The constants of a version where they are quoted, as the README prints them: short ones exact."""
    return ", ".join(map(_short, at_edge(CLAIMS[claim], which).values()))


def _short(value: sp.Expr) -> str:
    return str(value) if len(str(value)) < 10 and value.q < 1000 and value.p < 2000 else f"{float(value):.4g}"


# Statement, its claim, what the README must say of the published version, and of the verdict.
ROWS = {
    "iteration bound (14), survey": ("iteration-bound", f"K = {constants('iteration-bound', 'published')}", ()),
    "second moment (8), survey": ("second-moment", constants("second-moment", "published"), ()),
    "first moment (7), survey": ("first-moment", constants("first-moment", "published"), ()),
    "FMO (44), task gradients": ("task-gradient-moment", "exponent 2", ()),
    "FMO (94), in operator norms": ("hessian-noise", "equality", ()),
    "FMO (107), expected progress": ("expected-progress", "min of the means, 1/8", ("1/4",)),
    "FO-MAML's last step, FMO G.1": ("fo-maml-noise", "a^2/6", ()),
    "HF-MAML's theorem, FMO H.1": ("hf-maml-floor", f"floor {constants('hf-maml-floor', 'published')}", ()),
    "Ji Proposition 2, second moment": ("multi-step-deviation", "growth 1 + a + 2a^2", ()),
}


def table(text: str) -> dict[str, tuple[str, str]]:
    """The rows of the table of findings: statement to (published, verdict)."""
    lines = text.split("## What it finds")[1].split("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return {statement: (published, verdict) for statement, published, verdict in rows[1:]}


def findings(row: str) -> list[str]:
    """What the verdict of a row must say, from the claims alone."""
    claim = CLAIMS[ROWS[row][0]]
    said = ["proved" if claim.verdict == "proved" else "refuted", *ROWS[row][2]]
    match claim.id:
        case "iteration-bound":
            least = CLAIMS["iteration-bound-lower-random"].sharp["cL"]
            return [*said, f"{float(claim.sharp['K']):.4g} is enough", f"no K below {least} "]
        case "second-moment":
            return [*said, ", ".join(f"{float(value):.4g}" for value in at_edge(claim, "sharp").values())]
        case "first-moment":
            return [*said, f"{at_edge(claim, 'sharp')['ci']} is reached"]
        case "task-gradient-moment":
            return [*said, " and ".join(map(str, at_edge(claim, "sharp").values()))]
        case "fo-maml-noise":
            return [*said, *(f"({constants('fo-maml-floor', which)})" for which in ("published", "sharp"))]
    return said


def test_the_table_of_findings_is_complete():
    assert set(table(README.read_text())) == set(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_a_finding_says_what_the_claims_say(row):
    published, verdict = table(README.read_text())[row]
    assert published == ROWS[row][1]
    for said in findings(row):
        assert said in verdict, said


def test_every_claim_refuted_outright_is_in_the_table():
    """But for those of HF-MAML's lemmas, which its theorem stands for."""
    wrong = {claim.id for claim in CLAIMS.values() if claim.verdict in ("repaired", "refuted")}
    assert {claim for claim in wrong if not claim.startswith("hf-maml")} <= {claim for claim, _, _ in ROWS.values()}


def test_what_the_readme_points_to_is_there():
    for path in re.findall(r"[`(]((?:docs|figures|theory|simulations)/[\w/.]+\.\w+)[`)]", README.read_text()):
        assert (ROOT / path).is_file(), path


def test_the_python_of_the_readme_runs():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    names = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)
    assert not names["result"].mean_passage["censored"].any()
    assert names["claim"].certificate().ok
    assert names["report"].verdict.startswith("fo-maml; sum over the tasks")
