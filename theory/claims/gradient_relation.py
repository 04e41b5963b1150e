"""The gradient of the mean task against the meta-gradient.

grad F_i = M_i g_i with M_i = (I - alpha H_i)(I - alpha Hbar_i), Hbar_i the average Hessian on the segment from w to the
adapted point (an integral: there is no mean value theorem for vector maps), so ||I - M_i|| <= 2a + a^2.
"""

import sympy as sp

from theory import domains
from theory import symbols as s
from theory.certify import Replay
from theory.claim import Claim, Version, constant, filled

FORM = constant("cF") * s.grad_F + constant("cs") * s.sigma
PUBLISHED = {"cF": 1 / (1 - 2 * s.a - s.a**2), "cs": (2 * s.a + s.a**2) / (1 - 2 * s.a - s.a**2)}

_mean_norm = s.mean_grad


def centred_at_one(replay: Replay) -> None:
    """Adds the step "gradient relation": ||grad f|| <= C1 ||grad F|| + C2 sigma."""
    off = 2 * s.a + s.a**2
    distance = sp.Symbol("||grad F-grad f||", nonnegative=True)
    spread = sp.Symbol("E||g_i-grad f||", nonnegative=True)
    replay.given("both gradients", s.grad_F + distance - s.grad_f, "triangle")
    replay.given("factors near I", off * _mean_norm - distance, "smoothness", "E||(I - M_i) g_i||, M_i = A_i Abar_i")
    replay.given("mean norm", s.grad_f + spread - _mean_norm, "triangle")
    replay.given("spread", s.sigma - spread, "task variance", "with Jensen: E||X|| <= sqrt(E||X||^2)")
    C1 = PUBLISHED["cF"]
    replay.derive(
        "gradient relation",
        C1 * s.grad_F + off * C1 * s.sigma - s.grad_f,
        {"both gradients": C1, "factors near I": C1, "mean norm": off * C1, "spread": off * C1},
    )


def _published(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    centred_at_one(replay)
    replay.derive(
        "statement",
        filled(FORM, constants) - s.grad_f,
        {"gradient relation": 1},
        plus=[
            (constants["cF"] - PUBLISHED["cF"]) * s.grad_F,
            (constants["cs"] - PUBLISHED["cs"]) * s.sigma,
        ],
    )


CLAIMS = (
    Claim(
        id="gradient-relation",
        title="The gradient of the mean task, bounded by the meta-gradient and the spread of the tasks",
        equation="",
        source="FMO Lemma A.2",
        kind="upper",
        lhs=s.grad_f,
        domain=(domains.INNER_STEP_RELATION,),
        versions={
            "published": Version(FORM, PUBLISHED, "FMO Lemma A.2", _published),
            "sharp": Version(FORM, PUBLISHED, "FMO Lemma A.2", _published),
        },
        box={s.a: domains.RELATION_RANGE},
    ),
)
