"""Compiled kernels are kept between processes, never stale, and cleaned up."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import simulations
import theory
from simulations import kernels


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
import json, sys
from numba.core.ccallback import CFunc
from numba.core.dispatcher import Dispatcher
import simulations
modules = [module for name, module in list(sys.modules.items()) if name.startswith("simulations")]
kernels = {id(k): k for module in modules for k in vars(module).values()}
callbacks = [k for k in kernels.values() if isinstance(k, CFunc)]
called = [k for k in kernels.values() if isinstance(k, Dispatcher) and k.signatures]
misses = sum(k.cache_hits == 0 for k in callbacks) + sum(sum(k.stats.cache_misses.values()) for k in called)
print(json.dumps([len(callbacks), len(called), misses, simulations.__file__]))
"""


def test_a_second_process_compiles_nothing(tmp_path):
    """With the files this process compiled or found, another compiles no kernel and changes no file."""
    folder = tmp_path / "home" / "mamlbound" / kernels._source_hash()
    shutil.copytree(kernels.CACHE_FOLDER, folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    callbacks, called, misses, _ = _python(COUNT, tmp_path / "home")
    assert callbacks >= 10 and called >= 4 and misses == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


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
print(json.dumps([length, sum(user.length.stats.cache_hits.values()), user.__file__, str(CACHE_FOLDER)]))
"""


def test_a_changed_helper_in_another_file_is_never_stale(package, tmp_path):
    """A kernel that calls a helper of another file follows when only that other file changes."""
    home = tmp_path / "home"
    answers = [_python(LENGTH, home, [package.parent]) for _ in range(2)]
    assert [answer[:2] for answer in answers] == [[5.0, 0], [5.0, 1]]
    assert answers[0][2] == str(package / "user.py") and Path(answers[0][3]).parent == home / "mamlbound"
    helper = package / "blocks.py"
    helper.write_text(helper.read_text().replace("math.sqrt(square(vector))", "math.sqrt(4 * square(vector))"))
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
