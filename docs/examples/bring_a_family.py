"""Door 3: tasks of your own. One scalar function with its constants and their proof; all else is done for you.

`docs/adding_a_family.md` says what is in such a file. Here the template stands for yours; `mamlbound check --family
FILE.py` takes it from the command line.
"""

import simulations.families._template as yours
from simulations.verdicts import judged, suite
from simulations.verdicts.table import VerdictTable

family = yours.template(dim=2, tasks=4, sigma=0.5, sigma_tilde=0.3, sigma_H=0.2)
print(family.constants, family.standing, sep="\n")
print(f"its constants are proved: {family.certificate().ok}")

instance = suite.Instance("yours", family)
asked = suite.chosen_claims(["bias", "first-moment", "second-moment", "smoothness"])
table = VerdictTable.of((name, judged(cell)) for name, cell in suite.cells(asked, [instance]))
print(table.texts)
print(table.summary)
