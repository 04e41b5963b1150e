"""Door 4: audit a bound of your own. Here (8) of the survey with 40 replaced by 1: is there an instance against it?

From the command line: `mamlbound audit FILE.py`, on a file that defines CLAIM as below.
"""

import theory
from simulations import audit
from theory import symbols as s
from theory.claim import constant

cF, cs, co, ci = map(constant, ("cF", "cs", "co", "ci"))
CLAIM = theory.stated(
    "eight",
    s.second_G <= cF * s.grad_F**2 + cs * s.sigma**2 + s.sigma_tilde**2 * (co / s.D_o + ci / s.D_in),
    domain=[s.alpha <= 1 / (6 * s.L), s.D_h >= 2 * s.alpha**2 * s.sigma_H**2],
    constants={"cF": 1, "cs": 14, "co": 2, "ci": "1/6"},
)

if __name__ == "__main__":
    found = audit(CLAIM, budget=40)
    print(found.verdict)
    assert found.outcome == "violated"
