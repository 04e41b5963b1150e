"""One cell: a claim, an instance, a point and the parameters, everything a verdict depends on."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cached_property

import numpy as np
import sympy as sp
from flint import arb

from simulations.enumeration import ESTIMATES, Estimate
from simulations.family import Family, real
from simulations.guarded import ball
from theory import symbols as s
from theory.claim import Claim, Hypothesis
from theory.compiled import quick
from theory.rationals import Number, exact
from theory.record import edge

BATCHES = ("B", "D_in", "D_o", "D_h", "B_step", "D_step")
GIVEN = {"L", "rho", "sigma", "sigma_tilde", "sigma_H", "Delta", "alpha", "N", "zeta", "eps", *BATCHES}
STEP_FACTORS = {"maml": 12, "fo_maml": 18, "hf_maml": 25}
_METHODS = {"fo-maml": "fo_maml", "hf-maml": "hf_maml"}


@dataclass(frozen=True, eq=False)
class Cell:
    """What `check` was asked.

    Args:
        claim: the statement.
        family: the tasks.
        version: of the claim, "published", "sharp" or another.
        w, u: points (d,); w is the family's start by default, u a step of length 1/L down the meta-gradient from w.
        alpha: inner step; by default a/L for the a at which the claim's constants are quoted.
        B, D_in, D_o, D_h, B_step, D_step: batch sizes, None or math.inf for exact expectations.
        N: inner steps, 1 but for multi-step claims.
        zeta: of HF-MAML, at most 1/6.
        eps: target of the claims on trajectories.
        T: iterations of a trajectory, by default as many as the claim needs.
        estimate: what the claim is held against, a name of `enumeration.ESTIMATES` or a function of the same form; by
            default the claim's own method.
        by: from which source the quantities come: "balls" (Arb, cosine tasks), "moments" (closed forms and quadrature),
            "outcomes" (every outcome of two-point noise), "certificate" (not from the family at all). By default the
            first of these that knows the family and the estimate.
        dropped: a symbol, such as "B", whose hypotheses are not asked for: to see what breaks without them.
    """

    claim: Claim
    family: Family
    version: str = "published"
    w: np.ndarray | None = None
    u: np.ndarray | None = None
    alpha: Number | None = None
    B: float | None = None
    D_in: float | None = None
    D_o: float | None = None
    D_h: float | None = None
    B_step: float | None = None
    D_step: float | None = None
    N: int = 1
    zeta: Number = "1/6"
    eps: float | None = None
    T: int | None = None
    estimate: str | Estimate | None = None
    by: str | None = None
    dropped: str | None = None

    def __post_init__(self) -> None:
        if self.version not in self.claim.versions:
            known = ", ".join(self.claim.versions)
            raise ValueError(f"version of {self.claim.id} must be one of {known}, got {self.version!r}")
        if isinstance(self.estimate, str) and self.estimate not in ESTIMATES:
            raise ValueError(f"estimate must be one of {', '.join(ESTIMATES)}, got {self.estimate!r}")
        if self.by not in (None, "balls", "moments", "outcomes", "certificate"):
            raise ValueError(f"by must be balls, moments, outcomes or certificate, got {self.by!r}")
        if self.dropped is not None and len(self.hypotheses) == len(self.claim.domain):
            bounded = ", ".join(dict.fromkeys(str(each.relation.lhs) for each in self.claim.domain))
            raise ValueError(f"dropped must be one of {bounded}, which {self.claim.id} restricts, got {self.dropped!r}")
        if self.N != 1 and not any(h.relation.has(s.N) for h in self.claim.domain):
            raise ValueError(f"N must be 1 for {self.claim.id}, which speaks of one inner step, got {self.N}")
        for name in ("w", "u"):
            if getattr(self, name) is not None:
                self.family.point(getattr(self, name), name)

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """Those of the claim that are asked for."""
        return tuple(each for each in self.claim.domain if str(each.relation.lhs) != self.dropped)

    @property
    def method(self) -> str:
        """Whose claim it is."""
        return next((method for prefix, method in _METHODS.items() if self.claim.id.startswith(prefix)), "maml")

    @property
    def judged(self) -> str | Estimate:
        """The estimate the claim is held against, by name where it has one."""
        return self.estimate or self.method

    @property
    def estimator(self) -> Estimate:
        """The estimate the claim is held against, as a function."""
        return ESTIMATES[self.judged] if isinstance(self.judged, str) else self.judged

    @cached_property
    def inner_step(self) -> Number:
        """alpha, exact."""
        if self.alpha is not None:
            return self.alpha
        a = edge(self.claim)[s.a]
        within = a if a.is_Rational else exact(0.4)
        return within / exact(self.family.constants.L)

    @property
    def point(self) -> np.ndarray:
        """w, (d,)."""
        return self.family.start if self.w is None else self.family.point(self.w)

    def samples(self, name: str) -> float:
        """A batch size as a float, infinite for None."""
        size = getattr(self, name)
        return math.inf if size is None else float(size)

    @property
    def sampled(self) -> bool:
        """Whether any batch is finite."""
        return any(self.samples(name) != math.inf for name in BATCHES)

    @cached_property
    def given(self) -> dict[str, Number]:
        """All that is not measured, by the names of the theory: constants, step, batch sizes, options."""
        found = {name: value for name, value in self.family.constants.keywords().items() if name != "Delta"}
        found |= {"alpha": self.inner_step, **{name: self.samples(name) for name in BATCHES}}
        found |= {"N": self.N, "zeta": self.zeta}
        return found if self.eps is None else found | {"eps": self.eps}

    @cached_property
    def exactly(self) -> dict[sp.Symbol, sp.Expr]:
        """`given` as exact numbers by symbol, infinite batches as oo."""
        numbers = {name: sp.oo if value == math.inf else exact(value) for name, value in self.given.items()}
        return {s.QUANTITIES[name].symbol: value for name, value in numbers.items()}

    @cached_property
    def quickly(self) -> dict[sp.Symbol, Fraction | float | None]:
        """`exactly` for quick arithmetic: Fractions, floats for infinity, None for what is neither."""
        return {symbol: quick(value) for symbol, value in self.exactly.items()}

    @property
    def floor(self) -> float:
        """The least eps the claim allows, 0 where it has no noise floor."""
        least = [h.relation.rhs for h in self.claim.domain if isinstance(h.relation, sp.Ge) and h.relation.lhs == s.eps]
        return max((float(bound.subs(self.exactly)) for bound in least), default=0.0)

    @cached_property
    def balls(self) -> dict[str, arb]:
        """`given` as balls."""
        return {name: ball(value) for name, value in self.given.items()}

    @property
    def smoothness(self) -> tuple[float, float]:
        """(c, m) of the published L(w) = c + m E||grad f_i(w)||."""
        L, rho = real(self.family.constants.L), real(self.family.constants.rho)
        return 4 * L, 2 * rho * real(self.inner_step)

    def options(self) -> dict[str, object]:
        """Every field but claim and family that is not at its default."""
        skipped = ("claim", "family")
        return {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.name not in skipped and not _default(getattr(self, each.name), each.default)
        }


def _default(value: object, default: object) -> bool:
    return value is default or (not isinstance(value, np.ndarray) and value == default)
