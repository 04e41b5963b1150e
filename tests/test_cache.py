"""Compiled kernels are kept between processes, never stale, and cleaned up."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import simulations
import theory
from simulations import kernels

FIRST_RUN, EACH_FAMILY = 20, 5
"""How many kernels a first run may compile, and a run of another family after it: its values, gradients, products and
what its formulas call. The engine, the method, the step rule and the noise are not compiled again."""


def _python(code, home, path=()):
    """What code prints as JSON in a fresh process with its own cache home and, first on its path, the given folders."""
    places = os.pathsep.join(map(str, [*path, Path(theory.__file__).parents[1]]))
    environment = {**os.environ, "XDG_CACHE_HOME": str(home), "PYTHONPATH": places, "TMPDIR": str(home.parent)}
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], env=environment, cwd=home.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


COUNT = """
import gc, json, os
from numba.core.ccallback import CFunc
from numba.core.dispatcher import Dispatcher

def kept():
    # (compiled, fetched) of kernels and of helpers compiled on their own
    held = gc.get_objects()
    callbacks = [k.cache_hits for k in held if isinstance(k, CFunc)]
    stats = [k.stats for k in held if isinstance(k, Dispatcher) and k.py_func.__module__.startswith("simulations")]
    misses = callbacks.count(0) + sum(sum(each.cache_misses.values()) for each in stats)
    hits = len(callbacks) - callbacks.count(0) + sum(sum(each.cache_hits.values()) for each in stats)
    return [misses, hits]

copies, copy = [], os.fork
os.fork = lambda: copies.append(1) or copy()

from simulations import Experiment, families, run
imported = kept()
for family in (families.cosine(), families.welsch(), families.resisting_ramp()):
    run(Experiment(family, "1/6", B=2, D_in=1, D_o=1, D_h=1, B_step=2, D_step=1, iterations=2))
    imported += kept()
print(json.dumps([*imported, len(copies), os.cpu_count()]))
"""


def test_a_run_compiles_what_it_needs_and_a_second_process_nothing(tmp_path):
    """An import compiles nothing, another family its own kernels alone; what was compiled is then only fetched.

    Only the first run of all copies its process, so that two cores compile.
    """
    nothing, first, second, third, (copies, cores) = np.reshape(_python(COUNT, tmp_path), (5, 2)).tolist()
    assert nothing == [0, 0]
    assert first[0] <= FIRST_RUN and copies == int(sys.platform == "linux" and cores > 1)
    assert second[0] - first[0] <= EACH_FAMILY and third[0] - second[0] <= EACH_FAMILY
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "mamlbound").rglob("*.n*")}
    again = np.reshape(_python(COUNT, tmp_path), (5, 2))
    assert not again[:, 0].any() and again[-2, 1] >= 10
    assert files and {path: path.stat().st_mtime_ns for path in (tmp_path / "mamlbound").rglob("*.n*")} == files


@pytest.fixture
def package(tmp_path):
    """A copy of simulations, quick to import, with one kernel that calls a helper of another file."""
    copy = tmp_path / "copy" / "simulations"
    shutil.copytree(Path(simulations.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "__init__.py").write_text("")
    (copy / "user.py").write_text(
        "from simulations.kernels import VECTOR, compiled, types\nfrom simulations.blocks import norm\n\n\n"
        "@compiled(types.float64(VECTOR))\ndef length(vector):\n    return norm(vector)\n"
    )
    return copy


LENGTH = """
import json, numpy, simulations.user as user
from simulations.kernels import CACHE_FOLDER
length = user.length(numpy.array([3.0, 4.0]))
print(json.dumps([length, sum(user.length.native.stats.cache_hits.values()), user.__file__, str(CACHE_FOLDER)]))
"""


def test_a_changed_helper_in_another_file_is_never_stale(package, tmp_path):
    """A kernel that calls a helper of another file follows when only that other file changes."""
    home = tmp_path / "home"
    answers = [_python(LENGTH, home, [package.parent]) for _ in range(2)]
    assert [answer[:2] for answer in answers] == [[5.0, 0], [5.0, 1]]
    assert answers[0][2] == str(package / "user.py") and Path(answers[0][3]).parent == home / "mamlbound"
    helper = package / "blocks.py"
    helper.write_text(helper.read_text().replace("math.sqrt(square(vector))", "2 * math.sqrt(square(vector))"))
    assert _python(LENGTH, home, [package.parent])[:2] == [10.0, 0]


def test_folders_of_sources_long_gone_are_removed(package, tmp_path):
    """What no process has used for 30 days goes; what is younger stays."""
    home = tmp_path / "home"
    for name, age in (("old", 31), ("young", 29)):
        (home / "mamlbound" / name).mkdir(parents=True)
        then = (home / "mamlbound" / name).stat().st_mtime - age * 86400
        os.utime(home / "mamlbound" / name, (then, then))
    used = Path(_python(LENGTH, home, [package.parent])[3])
    assert {path.name for path in (home / "mamlbound").iterdir()} == {"young", used.name}


def test_without_a_cache_folder_kernels_still_run_and_leave_nothing(package, tmp_path):
    """Where the user's cache cannot be written a temporary folder serves, and is gone afterwards."""
    home = tmp_path / "home"
    home.write_text("not a folder")
    length, _, _, folder = _python(LENGTH, home, [package.parent])
    assert length == 5.0 and Path(folder).parent == tmp_path and not Path(folder).exists()


OWN = """
import numpy as np
from simulations.kernels import inlined
from simulations.shape import formulas

@inlined
def psi(t, shared):
    return 0.5 * t * t

@inlined
def psi_slope(t, shared):
    return FACTOR * t

FORMULAS = formulas(psi, psi_slope, psi_slope)
"""

ASK = """
import json, numpy, own
from simulations import families
from dataclasses import replace
kernels = own.FORMULAS.kernels
family = replace(families.cosine(dim=1, tasks=1, sigma=0), kernels=kernels)
print(json.dumps([family.gradients(numpy.ones(1))[0, 0], kernels.gradients.native.cache_hits]))
"""


def test_a_family_in_a_file_of_the_users_own_is_kept_and_never_stale(tmp_path):
    """Its kernels come from the cache in a second process, and follow when the file changes."""
    home, file = tmp_path / "home", tmp_path / "own.py"
    shutil.copytree(kernels.CACHE_FOLDER, home / "mamlbound" / kernels._source_hash())
    answers = []
    for factor in ("1.0", "1.0", "3.0"):
        file.write_text(OWN.replace("FACTOR", factor))
        answers.append(_python(ASK, home, [tmp_path]))
    assert answers == [[1.0, 0], [1.0, 1], [3.0, 0]]
