"""What a sharpened constant is asked for (`Setting`) and the analysis that shows one (`Analysis`): exact numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property

import sympy as sp

from theory import symbols as s
from theory.certify import Certificate
from theory.claims import CLAIMS, bias, moments

STEPS = ("published", "exact", "sharp")
CHOICES = {
    "step": STEPS,
    "law": ("distribution", "moments"),
    "smoothness": ("sharp", "published"),
    "relation": ("moment", "published", "rounded"),
    "first": ("split", "published"),
    "second": ("sharper", "sharp", "published"),
}


@cache
def certificate(claim: str, which: str) -> Certificate:
    """A claim's own replay; kept, since claims do not change while a program runs."""
    return CLAIMS[claim].certificate(which)


@dataclass(frozen=True)
class Setting:
    """One method with its batches, and the lemmas its analysis may use. L = 1; all numbers are exact.

    What is shown holds for every smaller alpha, every larger B and every smaller lam.

    Args:
        a: alpha L, in (0, 1/6].
        B: tasks in a batch, or oo for all of them.
        inner, outer: 1 if the inner (outer) gradients are sampled, 0 for exact oracles.
        lam: alpha^2 sigma_H^2/D_h, in [0, 1/2].
        step: "published" beta = c/L~(w), "exact" c/(4 L + 2 rho alpha E||g_i||), "sharp" c/S(w) with the sharp S at a.
        factor: c.
        law: of the random step, "distribution" or only its "moments".
        smoothness: version of the claim smoothness that enters the descent lemma.
        relation: E||g_i|| against ||grad F|| + sigma: "moment" by E||g_i||^2, "published" C1, "rounded" FMO (105).
        first: "split" keeps (1 - 1/B)||E G||^2 + E||G||^2/B; "published" uses (7) and drops the -1/B.
        second: version of (8).
    """

    a: sp.Rational
    B: sp.Expr
    inner: int
    outer: int
    lam: sp.Rational
    step: str
    factor: sp.Rational
    law: str = "distribution"
    smoothness: str = "sharp"
    relation: str = "moment"
    first: str = "split"
    second: str = "sharper"

    @cached_property
    def curvature(self) -> tuple[sp.Rational, sp.Rational]:
        """(p, r) of S(w) = p L + r rho alpha E||g_i(w)||, the constant of the descent lemma (9)."""
        return tuple(CLAIMS["smoothness"].constants(self.smoothness, a=self.a).values())

    @cached_property
    def reach(self) -> sp.Rational:
        """The A of E||g_i|| <= A (||grad F|| + sigma)."""
        if self.relation == "moment":
            return 1 / (1 - self.a) ** 2
        published = CLAIMS["gradient-relation"].constants("published", a=self.a)
        return sp.Integer(2) if self.relation == "rounded" else published["cF"]

    @cached_property
    def bias_factors(self) -> tuple[sp.Rational, sp.Rational]:
        """(c, c') of ||r|| <= min{c sigma_tilde/sqrt(D_in), c' (rho alpha/L) sigma_tilde^2/D_in}."""
        values = {name: value.subs(s.a, self.a) for name, value in bias.SHARP.items()}
        return values["c"], self.a * values["c_rho"]

    @cached_property
    def share(self) -> sp.Rational:
        """The largest 1/B, which is 0 for the full batch."""
        return 1 / self.B

    @cached_property
    def second_base(self) -> dict[str, sp.Expr]:
        """The constants of (8): those published or direct, or those of the sharper route without its Young weight."""
        at = {s.a: self.a, s.lam: self.lam}
        if self.second != "sharper":
            return dict(CLAIMS["second-moment"].constants(self.second, **{str(x): v for x, v in at.items()}))
        halves = {"cF": 2, "cs": 2, "co": 1, "ci": 2}
        return {name: value.subs(at) / halves[name] for name, value in moments.second_sharper(sp.Integer(1)).items()}

    def second_moment(self, phi):
        """The constants of (8) with the Young weight phi; it is 0 for exact inner gradients, where ci has no use."""
        base = self.second_base
        if self.second != "sharper":
            return base
        inner = (1 + 1 / phi) * base["ci"] if self.inner else base["ci"]
        return {"cF": (1 + phi) * base["cF"], "cs": (1 + phi) * base["cs"], "co": base["co"], "ci": inner}

    def square_weight(self, cF):
        """What multiplies (S/2) E[beta^2] ||grad F||^2: the mean's part and the batch's."""
        return self.mean_weight(self.share) + cF * self.share

    def mean_weight(self, share):
        """What multiplies ||grad F||^2, or ||r||^2, in what is used of ||E G||^2 beside E||G_i||^2/B."""
        return 2 if self.first == "published" else 1 - share

    def noise_weights(self, constants):
        """What (S/2) E[beta^2] meets: for N's first two terms, and for sigma_tilde^2/D_in (bias apart)."""
        tasks = 0 * self.share
        if self.share:
            tasks = max(constants["cs"], constants["co"]) if self.outer else constants["cs"]
        mean = self.mean_weight(self.share) * self.bias_factors[0] ** 2
        return tasks, (mean + constants["ci"] * self.share) * self.inner

    def near(self) -> Setting:
        """The same setting in floats, for the search."""
        numbers = {name: float(getattr(self, name)) for name in ("a", "B", "lam", "factor")}
        near = replace(self, **numbers)
        for name in ("curvature", "bias_factors"):
            vars(near)[name] = tuple(map(float, getattr(self, name)))
        vars(near)["reach"] = float(self.reach)
        vars(near)["second_base"] = {name: float(value) for name, value in self.second_base.items()}
        return near


@dataclass(frozen=True)
class Analysis:
    """The parameters of one proof, exact: those of the search, and the constants that follow from them. L = 1.

    Args:
        eta: Young weight of ||grad F|| ||r|| <= eta ||grad F||^2/2 + ||r||^2/(2 eta); 0 where there is no bias.
        phi: Young weight of (8); 0 where the inner gradient is exact.
        turn: the law of the random step needs its variance where rho alpha E||g_i|| is above this.
        k_L, k_rho: one step gains ||grad F||^2/(k_L + k_rho rho alpha (sigma + ||grad F||)).
        mean: at least E[beta] everywhere.
        square: at least (S/2) E[beta^2] everywhere.
        cut: the second branch of the bias is used where rho alpha sigma is below this.
        K, floor: the constants shown.
    """

    eta: sp.Rational
    phi: sp.Rational
    turn: sp.Rational
    k_L: sp.Rational
    k_rho: sp.Rational
    mean: sp.Rational
    square: sp.Rational
    cut: sp.Rational = sp.S.Zero
    K: sp.Expr = sp.oo
    floor: sp.Expr = sp.oo

    def near(self) -> Analysis:
        """The same analysis in floats, for the search."""
        names = ("eta", "phi", "k_L", "k_rho", "mean", "square")
        return replace(self, **{name: float(getattr(self, name)) for name in names})
