"""Door 2: sweep the assumption constants. Every combination a cell, every cell in a ledger that survives a stop.

From the command line: `mamlbound sweep FILE.toml -o DIR`, and the same command again to go on.
"""

import tempfile

from simulations.sweep import export
from simulations.sweep.configuration import read
from simulations.sweep.coordinator import Options, sweep
from simulations.sweep.report import report

TEXT = """
[axes]
claim = ["gradient-relation", "smoothness"]
version = ["published", "sharp"]
rho = [1, 2]
sigma = ["1/10", 0.2, "3/10"]

[fixed]
dim = 2
tasks = 4
"""

if __name__ == "__main__":  # the workers are processes, which read this file as well
    folder = tempfile.mkdtemp()
    _, ended = sweep(read(TEXT), folder, Options(workers=1))
    found = report(folder)
    print(ended, found.coverage, sep=": ")
    table = export.frame(folder)
    print(table.groupby(["claim", "version"])["slack"].min())
    assert found.code == 0
