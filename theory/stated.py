"""A claim of one's own in one call: a relation between symbols of the theory, its domain, its constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp

from theory import symbols as s
from theory.certify import Interval
from theory.claim import Claim, Hypothesis, Kind, Proof, Version, plain
from theory.rationals import Number, exact

_KINDS: dict[type, Kind] = {sp.LessThan: "upper", sp.GreaterThan: "lower", sp.Equality: "identity"}


def stated(
    claim_id: str,
    relation: sp.Rel,
    domain: Sequence[sp.Rel | Hypothesis] = (),
    constants: Mapping[str, Number] | None = None,
    proof: Proof | None = None,
    box: Mapping[sp.Symbol, Interval] | None = None,
    title: str = "",
    source: str = "own",
) -> Claim:
    """A claim to be audited.

    Args:
        claim_id: its name, kebab-case.
        relation: left side <=, >= or sympy.Eq right side, in symbols of `theory.symbols` and, on the right, in
            constants `theory.claim.constant("c")`.
        domain: the hypotheses under which it is stated, as relations or those of `theory.domains`.
        constants: their values by name: numbers, of which strings such as "1/6" are exact, or expressions in
            `symbols.a` and `symbols.lam`. They are what an audit cuts.
        proof: replays a derivation, as in `theory/claims/_template.py`; `box` are the intervals it runs on.
        title, source: for readers.

    Returns:
        The Claim, with one version, "published".

    Raises:
        ValueError: the relation is none, a letter is not one of the theory, a constant has no value or is not used, or
            the sides of the relation or of a hypothesis do not scale alike.
    """
    kind = _KINDS.get(type(relation))
    if kind is None:
        raise ValueError(f"{claim_id} must state left <= right, left >= right or Eq(left, right), got {relation}")
    values = {name: _value(value, name) for name, value in (constants or {}).items()}
    form = sp.nsimplify(relation.rhs, rational=True)
    _known(claim_id, relation.lhs.free_symbols, set())
    _known(claim_id, form.free_symbols, set(values))
    for name in values:
        if name not in map(str, form.free_symbols):
            raise ValueError(f"constant {name} of {claim_id} is not on its right side, {form}")
    hypotheses = tuple(each if isinstance(each, Hypothesis) else Hypothesis(each, source) for each in domain)
    for each in hypotheses:
        _known(claim_id, each.relation.free_symbols, set())
    versions = {"published": Version(form, values, source, proof)}
    claim = Claim(claim_id, title or claim_id, "", source, kind, relation.lhs, hypotheses, versions, box or {})
    for each in (claim.relation("published"), *(hypothesis.relation for hypothesis in hypotheses)):
        _homogeneous(claim_id, each)
    return claim


def _value(value: Number, name: str) -> sp.Expr:
    """Exact; an expression in a = alpha L and lam is kept."""
    return value if isinstance(value, sp.Expr) else exact(value, name)


def _known(claim_id: str, found: set[sp.Symbol], constants: set[str]) -> None:
    for symbol in sorted(found, key=str):
        name = symbol.name
        born = s.QUANTITIES.get(name)
        if name not in constants and name not in ("a", "lam") and (born is None or born.symbol != symbol):
            raise ValueError(
                f"{claim_id} speaks of {name}, which is no symbol of theory.symbols and is given no value by constants="
            )


def _homogeneous(claim_id: str, relation: sp.Rel) -> None:
    """Both sides change alike when lengths and losses are rescaled; 0 goes with everything."""
    sides = [side for side in (relation.lhs, relation.rhs) if side != 0]
    try:
        weights = {s.weight(side) for side in sides}
    except ValueError as reason:
        raise ValueError(f"{claim_id}: {plain(relation)} adds what does not scale alike: {reason}") from None
    if len(weights) > 1:
        raise ValueError(
            f"{claim_id}: the sides of {plain(relation)} do not scale alike, so it cannot hold in all units"
        )
