"""The iteration bound (14): how many steps until E||grad F(w_k)|| <= eps.

The survey's summary prints (14) without the hypotheses under which FMO Theorem F.1 shows it; all are in the domain
here, among them that eps is above the noise floor FMO (86). The proof is not written yet: the verdict is open.
"""

import sympy as sp

from theory import domains
from theory import symbols as s
from theory.claim import Claim, Version, constant

FORM = constant("K") * s.Delta * (s.L + s.rho * s.alpha * (s.sigma + s.eps)) / s.eps**2

CLAIMS = (
    Claim(
        id="iteration-bound",
        title="Iterations until the meta-gradient is small in the mean",
        equation="(14)",
        source="survey (14); FMO Theorem F.1",
        kind="upper",
        lhs=s.T,
        domain=(
            domains.INNER_STEP,
            domains.HESSIAN_BATCH,
            domains.TASK_BATCH,
            *domains.STEP_TASKS,
            *domains.STEP_SAMPLES,
            domains.NOISE_FLOOR,
        ),
        versions={
            "published": Version(FORM, {"K": sp.Integer(1600)}, "survey (14)"),
            "sharp": Version(FORM, {"K": sp.Integer(1600)}, "survey (14); nothing better shown yet"),
        },
        box=domains.MOMENT_BOX,
    ),
)
