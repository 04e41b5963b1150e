"""Task families with known constants, exact moments, and the engine that runs the algorithms on them."""

from simulations import exact, families
from simulations.experiment import Experiment, Result, run
from simulations.identification import identify
from simulations.witnessed_bounds import lower_bounds

__all__ = ["Experiment", "Result", "exact", "families", "identify", "lower_bounds", "run"]
