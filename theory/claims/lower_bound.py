"""Lower bounds on T: how many iterations the rules of the step need on the worst instance of A1-A5.

The ramp of slope s, in one dimension: f' = -s up to 0, then f'' rises at slope rho to sqrt(s rho) and falls again,
which brings f' to 0 at 2q, q = sqrt(s/rho), and f is constant from there on. While w <= -alpha s also
w - alpha f'(w) <= 0, so grad F = -s, every step is the same, and the iterates walk down a straight hillside of height
Delta - s q.
The gradient there is s > eps; the bound is the limit s -> eps. Where noise and sigma are zero nothing is random.

The random rule reads L~ from sampled gradients. Noise orthogonal to the ramp, of constant norm sigma_tilde, with
D_step = (2 rho alpha sigma_tilde/L)^2 = 1 its minimum, makes L~ at least 5L at every point of the hillside.
"""

import sympy as sp

from theory import domains
from theory import symbols as s
from theory.certify import Replay
from theory.claim import Claim, Hypothesis, Proof, Version, constant, filled

LONG = constant("cL") * s.L + constant("cg") * s.rho * s.alpha * s.eps
FORM = LONG * (s.Delta / s.eps**2 - 1 / sp.sqrt(s.rho * s.eps))

_q, _e, _x, _z = sp.symbols("sqrt(s/rho) sqrt(eps/rho) x z", nonnegative=True)
_long, _count = sp.symbols("12*L~ T_ramp", nonnegative=True)
_UNITS = {s.eps: s.rho * _e**2}


def _ramp(replay: Replay) -> sp.Expr:
    """Adds that the ramp satisfies A1-A3, and "hillside"; returns its slope s = rho q^2."""
    rho = sp.Symbol("rho", positive=True)
    slope = s.rho * _q**2
    replay.given("shape", s.L - s.rho * _q, "instance", "the ramp of slope s: f'' rises to sqrt(s rho) <= L")
    up, down = rho * _x, rho * (2 * _q - _x)
    rise = sp.integrate(up, (_x, 0, _q)) + sp.integrate(down, (_x, _q, 2 * _q))
    replay.check("f' reaches 0 from -s: from below", sp.expand(rise.subs(rho, s.rho) - slope))
    replay.check("f' reaches 0 from -s: from above", sp.expand(slope - rise.subs(rho, s.rho)))
    left = rho * _q**2 / 2 - sp.integrate(down.subs(_x, _z), (_z, _q, _x))
    foot = sp.integrate(rho * _q**2 - rho * _x**2 / 2, (_x, 0, _q)) + sp.integrate(left, (_x, _q, 2 * _q))
    foot = sp.expand(foot.subs(rho, s.rho))
    replay.check("the foot is s q high at most", sp.expand(slope * _q - foot))
    replay.given(
        "hillside",
        _count * slope / _long - (s.Delta - foot) / slope,
        "instance",
        "every step moves w by s/(12 L~) along a hillside of length (Delta - foot)/s, where ||grad F|| = s > eps",
    )
    return slope


def _needs(step: str) -> Proof:
    def proof(replay: Replay, constants: dict[str, sp.Expr]) -> None:
        slope = _ramp(replay)
        if step == "random":
            noisy = "L~ = 4L + 2 rho alpha ||(s, sigma_tilde)|| with 2 rho alpha sigma_tilde = L and D_step = 1"
            replay.given("step", _long - 60 * s.L, "instance", noisy)
            shown = {"cL": sp.Integer(60), "cg": sp.Integer(0)}
        else:
            smooth = 4 * s.L + 2 * s.rho * s.alpha * slope
            replay.given("step", _long - 12 * smooth, "instance", "L(w) on the hillside, where ||grad f|| = s")
            shown = {"cL": sp.Integer(48), "cg": sp.Integer(24)}
        length = (s.Delta - slope * _q) / slope**2
        replay.given("a hillside is there", length, "domain", "eps^3 < rho Delta^2, and s near eps")
        long = filled(LONG, shown).subs(s.eps, slope)
        replay.product("long steps", "step", "a hillside is there")
        replay.derive("ramp", _count - long * length, {"hillside": _long / slope, "long steps": 1})
        replay.given("worst", s.T_worst - _count, "definition", "the ramp is one of the instances")
        replay.derive("worst, ramp", s.T_worst - long * length, {"ramp": 1, "worst": 1})
        replay.limit("s -> eps", "worst, ramp", {_q: _e})
        at_eps = (s.Delta - s.rho * _e**3) / (s.rho * _e**2) ** 2
        replay.given("a hillside at eps", at_eps, "domain", "eps^3 < rho Delta^2")
        more = filled(LONG, {name: shown[name] - constants[name] for name in shown}).subs(_UNITS)
        slack = s.T_worst - filled(FORM, constants).subs(_UNITS)
        replay.derive("statement", slack, {"s -> eps": 1, "a hillside at eps": more})

    return proof


FLAT = Hypothesis(sp.Lt(s.eps, s.L**2 / s.rho), "the ramp's largest curvature is below L")
FITS = Hypothesis(sp.Gt(s.Delta, sp.sqrt(s.eps**3 / s.rho)), "the ramp's foot is lower than Delta")
ADAPTS = Hypothesis(sp.Gt(s.alpha, 0), "with alpha = 0 the step is not random")
_DOMAIN = (domains.INNER_STEP, FLAT, FITS)
_EXACT = {"cL": sp.Integer(48), "cg": sp.Integer(24)}
_PLAIN = "ours, without the term in rho; FMO state no lower bound"

CLAIMS = (
    Claim(
        id="iteration-bound-lower-exact",
        title="Iterations that beta = 1/(12 L(w)) needs on the worst instance",
        equation="",
        source="ours; against survey (14)",
        kind="lower",
        lhs=s.T_worst,
        domain=_DOMAIN,
        versions={
            "published": Version(FORM, {"cL": sp.Integer(48), "cg": sp.Integer(0)}, _PLAIN, _needs("exact")),
            "sharp": Version(FORM, _EXACT, "ours: the resisting ramp", _needs("exact")),
        },
        box=domains.INNER_STEP_BOX,
    ),
    Claim(
        id="iteration-bound-lower-random",
        title="Iterations that the random rule beta = 1/(12 L~) needs on the worst instance, D_step at its minimum",
        equation="",
        source="ours; against survey (14)",
        kind="lower",
        lhs=s.T_worst,
        domain=(*_DOMAIN, ADAPTS),
        versions={
            "published": Version(
                FORM, _EXACT, "ours, without noise, where L~ = L(w); FMO state no lower bound", _needs("exact")
            ),
            "sharp": Version(
                FORM,
                {"cL": sp.Integer(60), "cg": sp.Integer(0)},
                "ours: noise of constant norm orthogonal to the ramp",
                _needs("random"),
            ),
        },
        box=domains.INNER_STEP_BOX,
    ),
)
