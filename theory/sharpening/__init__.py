"""The best provable constants of the iteration bound (14), found numerically and certified in exact arithmetic.

`sharpen` gives K and the noise floor for given batches and step rule, `plan` the batches for a given eps, `LADDER` the
way from the published 1600 down. The statement, for alpha <= a/L with a <= 1/6 and every B, B', D_step and D_h from
their least values on:

    E||grad F(w_k)|| <= eps for some k <= T = K Delta (L + rho alpha (sigma + eps))/eps^2                   survey (14)

for eps above max{sqrt(c (1 + rho alpha sigma/L) N), c (rho alpha/L) N}, N = sigma^2/B + sigma_tilde^2/(B D_o) +
sigma_tilde^2/D_in; FMO (86) has c = 61. Put L = 1, X = ||grad F(w)||, y = rho alpha E||g_i(w)||, S = p + q y with
(p, q) = ((1 + a)^2, 1 + a) the sharp or (4, 2) the published smoothness of F, and r the bias E G - grad F.

1. Descent (9): E F(w+) <= F(w) - E[beta] <grad F, E G> + (S/2) E[beta^2] ((1 - 1/B)||E G||^2 + E||G_i||^2/B).
2. With E G = grad F + r the inner product <grad F, r> carries E[beta] - (1 - 1/B) S E[beta^2], which lies between
   -E[beta] and E[beta] once step 4 shows a decrease. Young with weight eta and (8) with weight phi give
       F - E F(w+) >= (E[beta] (1 - eta/2) - (S/2) E[beta^2] W) X^2 - noise,   W = 1 - 1/B + cF/B,
       noise = E[beta] ||r||^2/(2 eta) + (S/2) E[beta^2] ((1 - 1/B)||r||^2 + what (8) adds, over B).
3. The law of the step (`laws`): E[beta] and E[beta^2] of the random rule together, over all distributions that A2-A5
   leave possible: a linear programme for each y, whose dual multipliers are rational functions of y.
4. One inequality in y >= 0: the bracket of step 2 is at least 1/(k_L + k_rho y/A), where E||g_i|| <= A (X + sigma).
   Published A = 2 (FMO (105)) or C1. Ours: E||g_i||^2 <= X^2/(1 - a)^4 + sigma^2/(1 - 2a) by an S-procedure, so that
   A = (1 - a)^-2, which one quadratic task attains.
5. Jensen, repairing FMO (107): X^2/(e + f X) is convex in X, so E||grad F|| >= eps gives
       E[F - F(w+)] >= eps^2/(k_L + k_rho rho alpha (sigma + eps)) - noise.
6. The noise is linear in N's three terms; ||r||^2 <= min{c_b^2 n, (c' rho alpha n)^2}, n = sigma_tilde^2/D_in. What is
   left is an inequality in s = rho alpha sigma and x = rho alpha eps, shown on a few regions:
       1/(k_L + k_rho (s + x)) - noise/eps^2 >= 1/(K (1 + s + x)).
   At s = x = 0 it reads 1/K <= 1/k_L - noise; if k_rho < k_L the second branch of the floor costs nothing more.
7. Sum over k < T: T eps^2/(K (1 + rho alpha (sigma + eps))) <= Delta.

Only L enters N's weights through the step, so D_in and D_o matter through N alone, unless they are infinite.
"""

from theory.sharpening.constants import Sharpened, make_setting, sharpen
from theory.sharpening.ladder import LADDER, Rung
from theory.sharpening.methods import METHODS, Method
from theory.sharpening.planning import Plan, plan

__all__ = ["LADDER", "METHODS", "Method", "Plan", "Rung", "Sharpened", "make_setting", "plan", "sharpen"]
