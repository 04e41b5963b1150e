"""Copy this file to a name without the underscore, and the claim is registered: the folder is scanned.

One theorem or lemma family a file. What the contract tests ask of every claim (tests/test_claims.py):

* both sides carry the same scaling weight;
* the certificate replays exactly when the verdict is not "open", and fails when a constant is cut below what is true;
* outside the domain `evaluate` refuses and names the hypothesis;
* where both are defined, the sharp right side never exceeds the published one.

State here, in words: what is bounded, under which hypotheses, by which route, and who published it with which
constants.
"""

import sympy as sp

from theory import domains
from theory import symbols as s
from theory.certify import Replay
from theory.claim import Claim, Version, constant, filled

FORM = constant("c") * s.L * s.distance


def _proof(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    replay.given("A2", s.L * s.distance - s.grad_F_change, "smoothness")
    slack = filled(FORM, constants) - s.grad_F_change
    replay.derive("statement", slack, {"A2": 1}, plus=[(constants["c"] - 1) * s.L * s.distance])


CLAIMS = (
    Claim(
        id="template",
        title="A task gradient is L-Lipschitz",
        equation="",
        source="survey 4.1, assumption 2",
        kind="upper",
        lhs=s.grad_F_change,
        domain=(domains.INNER_STEP_SMOOTH,),
        versions={
            "published": Version(FORM, {"c": sp.Integer(2)}, "a loose form", _proof),
            "sharp": Version(FORM, {"c": sp.Integer(1)}, "ours: the assumption itself", _proof),
        },
    ),
)
