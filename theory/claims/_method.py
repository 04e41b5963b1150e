"""What a step needs to know of a method: its noise sources, second moment and bias; and the route a proof takes.

A route chooses which version of each lemma enters and two Young weights; kappa and nu come out of it. Units: L = 1,
r = rho alpha, y = r E||g_i||, b = 1/B.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

import sympy as sp

from theory import symbols as s
from theory.certify import Replay
from theory.claim import Claim
from theory.claims import bias, descent, gradient_relation, smoothness, step_size

r, y, b = sp.symbols("rho*alpha y 1/B", nonnegative=True)
EVEN: Mapping[str, sp.Expr] = {}
TASK_RANGE = (sp.Integer(0), sp.Rational(1, 20))
LEMMAS = {c.id: c for file in (smoothness, gradient_relation, step_size, descent) for c in file.CLAIMS}


@dataclass(frozen=True)
class Source:
    """A norm in which noise is measured; a batch of B tasks divides its square by B, unless the bias carries it.

    `constant` is its name among the constants of the second moment, "" if it is not there.
    """

    norm: sp.Expr
    constant: str = ""
    batched: bool = False

    @property
    def square(self) -> sp.Expr:
        """Its square."""
        return self.norm**2

    @property
    def weight(self) -> sp.Expr:
        """1/B or 1."""
        return b if self.batched else sp.Integer(1)


SIGMA = Source(s.sigma, "cs", batched=True)
OUTER = Source(s.sigma_tilde * bias.ROOT_OUT, "co", batched=True)
INNER = Source(s.sigma_tilde * bias.ROOT, "ci")


@dataclass(frozen=True, eq=False)
class Method:
    """What a step needs to know of a method.

    Args:
        factor: the step is 1/(factor L~).
        edge: a, and lam where it enters, at the edge of the domain, where all constants are largest.
        second: the claim that bounds E||G||^2, with the constants cF and those of the sources.
        sources: the noise sources by name; those the bias carries are not batched.
    """

    factor: int
    edge: Mapping[sp.Symbol, sp.Expr]
    second: Claim
    sources: Mapping[str, Source]

    @property
    def box(self) -> dict[sp.Symbol, tuple[sp.Expr, sp.Expr]]:
        """The domain: a, lam and 1/B."""
        return {**{symbol: (sp.Integer(0), end) for symbol, end in self.edge.items()}, b: TASK_RANGE}

    @property
    def relation(self) -> sp.Expr:
        """C1 at the edge: E||g_i|| <= C1 (||grad F|| + sigma)."""
        return self.at_edge(gradient_relation.PUBLISHED["cF"])

    def at_edge(self, value: sp.Expr) -> sp.Expr:
        """A constant at the edge of the domain."""
        return sp.sympify(value).subs(self.edge)


@dataclass(frozen=True, eq=False)
class Bias:
    """||r||^2 <= squares["F"] ||grad F||^2 + sum over sources; `prove` adds it as the step "bias squared"."""

    squares: Mapping[str, sp.Expr]
    prove: Callable[[Replay], None]


@dataclass(frozen=True, eq=False)
class Route:
    """Which version of each lemma a proof uses, and its Young weights: eta for the bias, tau for the first moment.

    With tau None the first moment is not bounded: 2<grad F, E G> = ||grad F||^2 + ||E G||^2 - ||r||^2 takes part in the
    inner product, as far as its ||E G||^2 is needed to absorb that of the curvature. It pays where the bias is large.

    `shares` says how many times each source counts in the noise N of a floor: once where it says nothing.
    """

    method: Method
    bias: Bias
    smoothness: str
    second: str
    step: str
    eta: sp.Rational
    tau: sp.Rational | None

    @property
    def lipschitz(self) -> tuple[sp.Expr, sp.Expr]:
        """The two constants of L_k, at the edge."""
        constants = LEMMAS["smoothness"].versions[self.smoothness].constants
        return tuple(self.method.at_edge(value) for value in constants.values())

    @property
    def smooth(self) -> sp.Expr:
        """L_k in terms of y."""
        cL, cg = self.lipschitz
        return cL + cg * y

    @property
    def moment(self) -> dict[str, sp.Expr]:
        """What bounds E||G||^2 at the edge: the factor of ||grad F||^2 and of each source."""
        constants = self.method.second.versions[self.second].constants
        names = {"F": "cF"} | {name: source.constant for name, source in self.method.sources.items()}
        return {name: self.method.at_edge(constants[c]) if c else sp.Integer(0) for name, c in names.items()}

    @property
    def first(self) -> dict[str, sp.Expr]:
        """What bounds ||E G||^2 likewise, where it is not absorbed."""
        if self.tau is None:
            return dict.fromkeys(self.moment, sp.Integer(0))
        own = {name: (1 + 1 / self.tau) * self._bias(name) for name in self.moment}
        return own | {"F": own["F"] + 1 + self.tau}

    def _bias(self, name: str) -> sp.Expr:
        return self.bias.squares.get(name, sp.Integer(0))

    @property
    def step_second(self) -> sp.Expr:
        """The constant of the second moment of the step."""
        return LEMMAS["step-size-moments"].versions[self.step].constants["c"]

    @property
    def absorbing(self) -> sp.Expr:
        """How much of ||E G||^2 the inner product keeps."""
        cL, cg = self.lipschitz
        needed = self.quadratic * max(cL / 4, cg / 2) * self.method.factor / step_size.MEAN_CONSTANT
        return needed if self.tau is None else sp.Integer(0)

    @property
    def on_bias(self) -> sp.Expr:
        """<grad F, E G> >= (1 - eta - absorbing) ||grad F||^2 + absorbing ||E G||^2 - on_bias ||r||^2."""
        return self.absorbing + (1 - 2 * self.absorbing) ** 2 / (4 * self.eta)

    @property
    def kept(self) -> sp.Expr:
        """<grad F, E G> >= kept ||grad F||^2 + absorbing ||E G||^2 - noise."""
        return 1 - self.eta - self.absorbing - self.on_bias * self._bias("F")

    @property
    def forward(self) -> sp.Expr:
        """kept 0.8/factor."""
        return self.kept * step_size.MEAN_CONSTANT / self.method.factor

    @property
    def quadratic(self) -> sp.Expr:
        """z2/(2 factor^2)."""
        return self.step_second / (2 * self.method.factor**2)

    def batch_mean(self, name: str, at_b: sp.Expr) -> sp.Expr:
        """What multiplies ||grad F||^2, or a source, in E||mean of G over the batch||^2."""
        return (1 - at_b) * self.first[name] + at_b * self.moment[name]

    @property
    def kappa(self) -> sp.Expr:
        """Decrease per ||grad F||^2/(1 + r(sigma + ||grad F||)): at y = 0 or as y grows, for the worst b."""
        cL, cg = self.lipschitz
        curved = max(self.quadratic * self.batch_mean("F", end) for end in TASK_RANGE)
        return min(self.forward / 4 - curved * cL / 16, (self.forward / 2 - curved * cg / 4) / self.method.relation)

    @property
    def noise(self) -> dict[str, sp.Expr]:
        """Four times what multiplies each source (over B if batched), for the worst y and b."""
        cL, cg = self.lipschitz
        curvature = 4 * self.quadratic * max(cL / 16, cg / 8)
        found = {}
        for name, source in self.method.sources.items():
            if source.batched:
                found[name] = curvature * self.moment[name]
            else:
                worst = max(self.batch_mean(name, end) for end in TASK_RANGE)
                found[name] = self._bias(name) * self.on_bias / self.method.factor + curvature * worst
        return found

    @property
    def step_noise(self) -> sp.Expr:
        """What noise adds to F in a step."""
        return sum(self.noise[name] / 4 * source.weight * source.square for name, source in self.method.sources.items())

    def nu(self, shares: Mapping[str, sp.Expr] = EVEN) -> sp.Expr:
        """The largest noise per share."""
        return max(value / shares.get(name, sp.Integer(1)) for name, value in self.noise.items())

    def N(self, shares: Mapping[str, sp.Expr] = EVEN) -> sp.Expr:
        """The noise that a floor measures."""
        return sum(shares.get(name, 1) * source.weight * source.square for name, source in self.method.sources.items())

    def K(self, floor: sp.Expr, shares: Mapping[str, sp.Expr] = EVEN) -> sp.Expr:
        """The constant of (14) if eps is above the floor with this constant."""
        return 1 / (self.kappa - self.nu(shares) / (2 * floor))


def linear(
    method: Method, constants: Mapping[str, sp.Expr], weights: Mapping[str, sp.Expr], prove: Callable[[Replay], None]
) -> Bias:
    """The square of a bound ||r|| <= sum of constant * norm, by Cauchy and Schwarz with weights of sum 1.

    Args:
        method: whose bias it is.
        constants: of ||grad F|| ("F") and of the norm of each source the bias carries, functions of a.
        weights: the larger a weight, the smaller what its term becomes: (constant * norm)^2/weight.
        prove: adds the linear bound as the step "bias".
    """
    edge = {name: method.at_edge(value) for name, value in constants.items()}
    norms = {"F": s.grad_F} | {name: source.norm for name, source in method.sources.items()}

    def squared(replay: Replay) -> None:
        prove(replay)
        parts = {name: value * norms[name] for name, value in edge.items()}
        more = [(edge[name] - value) * norms[name] for name, value in constants.items()]
        replay.derive("bias at the edge", sum(parts.values()) - s.bias_norm, {"bias": 1}, plus=more)
        replay.derive(
            "bias squared",
            sum(part**2 / weights[name] for name, part in parts.items()) - s.bias_norm**2,
            {"bias at the edge": sum(parts.values()) + s.bias_norm},
            plus=[
                weights[i] * weights[j] * (parts[i] / weights[i] - parts[j] / weights[j]) ** 2
                for i, j in combinations(parts, 2)
            ],
        )

    return Bias({name: value**2 / weights[name] for name, value in edge.items()}, squared)
