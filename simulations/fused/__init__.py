"""From the source of kernels to CUDA: what runs on arrays is traced once and written out as a few kernels of the GPU.

`formulas` traces single helpers of numbers. A whole iteration is traced by `namespace` on the arrays of `lazy`, cut
into kernels by `schedule`, written in C by `source`, and run by `program`.
"""

from simulations.fused.formulas import Fused, elementwise, formula
from simulations.fused.namespace import NAMESPACE
from simulations.fused.values import Untraceable

__all__ = ["NAMESPACE", "Fused", "Untraceable", "elementwise", "formula"]
