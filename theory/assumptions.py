"""The assumptions A1-A5 of the survey's section 4.1, and the record of constants in which the two halves meet."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from theory.rationals import Number, exact


@dataclass(frozen=True)
class Assumption:
    """One hypothesis on the tasks.

    id: A1 to A5. text: what it says. constants: names of those it fixes. source: where it is stated.
    """

    id: str
    text: str
    constants: tuple[str, ...]
    source: str


ASSUMPTIONS = {
    assumption.id: assumption
    for assumption in (
        Assumption("A1", "F is bounded below and Delta = F(w_0) - inf F is finite", ("Delta",), "survey 4.1 (1)"),
        Assumption("A2", "every task gradient is L-Lipschitz", ("L",), "survey 4.1 (2)"),
        Assumption("A3", "every task Hessian is rho-Lipschitz in the operator norm", ("rho",), "survey 4.1 (3)"),
        Assumption("A4", "E_i ||grad f - grad f_i||^2 <= sigma^2 at every w", ("sigma",), "survey 4.1 (4)"),
        Assumption(
            "A5",
            "one sample's gradient has variance at most sigma_tilde^2, and one sample's Hessian noise N satisfies "
            "E||N v||^2 <= sigma_H^2 for every unit v (the weak reading, which is all the proofs use)",
            ("sigma_tilde", "sigma_H"),
            "survey 4.1 (5)",
        ),
    )
}


@dataclass(frozen=True)
class Constants:
    """The constants of A1-A5. Under f -> s f(./c) they scale as their symbols do (`theory.symbols`).

    Args:
        L: smoothness of every task, positive.
        rho: Lipschitz constant of every task's Hessian.
        sigma: root of the variance of the task gradients over tasks.
        sigma_tilde: root of the variance of one sample's gradient.
        sigma_H: root of the variance of one sample's Hessian applied to a unit vector.
        Delta: F(w_0) - inf F where known, else None.

    Raises:
        ValueError: a constant is negative, not finite or not a number, or L is zero.
    """

    L: Number
    rho: Number
    sigma: Number = 0
    sigma_tilde: Number = 0
    sigma_H: Number = 0
    Delta: Number | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.name == "Delta":
                continue
            number = exact(value, field.name)
            if not (number.is_finite and number >= 0):
                raise ValueError(f"{field.name} must be finite and not negative, got {value}")
            if field.name == "L" and number == 0:
                raise ValueError("L must be positive, got 0")

    def keywords(self) -> dict[str, Number]:
        """The known constants by name, ready for `Claim.evaluate`."""
        return {name: value for name, value in asdict(self).items() if value is not None}
