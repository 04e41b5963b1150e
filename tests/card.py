"""A stand-in for CuPy where there is no GPU: NumPy, and kernels compiled from the same lines by the C compiler."""

from __future__ import annotations

import ctypes
import platform
import re
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import numpy as np

FLAGS = "-ffp-contract=off", *(["-mfma"] if platform.machine() == "x86_64" else [])
MACROS = """
#include <math.h>
#include <string.h>
typedef unsigned long long word;
static word __double_as_longlong(double x) { word y; memcpy(&y, &x, 8); return y; }
static double __longlong_as_double(word x) { double y; memcpy(&y, &x, 8); return y; }
"""


class _ElementwiseKernel:
    """CuPy's, by the machine's own C compiler: one pass over broadcast arrays."""

    def __init__(self, inputs, outputs, operation, name, options=()):
        assert options == ("--fmad=false",)
        kinds = {"float64": "double", "uint64": "word"}
        self.types = [np.dtype(each.split()[0]) for each in inputs.split(", ")]
        self.found = [np.dtype(each.split()[0]) for each in outputs.split(", ")]
        named = [each.split() for each in f"{inputs}, {outputs}".split(", ")]
        places = ", ".join(f"{kinds[kind]} *p_{each}" for kind, each in named)
        reads = " ".join(f"{kinds[kind]} {each} = p_{each}[k];" for kind, each in named)
        writes = " ".join(f"p_{each}[k] = {each};" for _, each in named[len(self.types) :])
        body = f"void f(word size, {places}) {{ for (word k = 0; k < size; k++) {{ {reads} {operation} {writes} }} }}"
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "f.c").write_text(MACROS + body)
            command = ["cc", "-O1", *FLAGS, "-shared", "-fPIC", "-o", "f.so", "f.c", "-lm"]
            subprocess.run(command, cwd=folder, check=True)
            self.function = ctypes.CDLL(f"{folder}/f.so").f

    def __call__(self, *arguments):
        given = [np.ascontiguousarray(each) for each in np.broadcast_arrays(*arguments)]
        assert [each.dtype for each in given] == self.types
        found = [np.zeros(given[0].shape, kind) for kind in self.found]
        pointers = [ctypes.c_void_p(each.ctypes.data) for each in (*given, *found)]
        self.function(ctypes.c_ulonglong(given[0].size), *pointers)
        return tuple(found) if len(found) > 1 else found[0]


WORDS = (
    MACROS
    + """
#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
static struct { unsigned x; } blockIdx, blockDim, threadIdx;
"""
)
LAUNCH = """
void launch(unsigned grid, unsigned block, {declared}) {{
    blockDim.x = block;
    for (blockIdx.x = 0; blockIdx.x < grid; blockIdx.x++)
        for (threadIdx.x = 0; threadIdx.x < block; threadIdx.x++) {name}({given});
}}
"""
PASSED = {
    "double": (np.float64, ctypes.c_double),
    "unsigned long long": (np.uint64, ctypes.c_ulonglong),
    "unsigned": (np.uint32, ctypes.c_uint),
}


class _RawKernel:
    """CuPy's, by the machine's own C compiler: the threads one after another."""

    def __init__(self, code, name, options=()):
        assert options == ("--fmad=false",)
        declared = code[code.index(f"{name}(") + len(name) + 1 : code.index(") {", code.index(f"{name}("))]
        given = ", ".join(re.findall(r"(\w+)(?:,|$)", declared))
        self.kinds = [each.rsplit(" ", 1)[0] for each in declared.split(", ")]
        text = WORDS + code.replace('extern "C"', "") + LAUNCH.format(declared=declared, name=name, given=given)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "f.c").write_text(text)
            command = ["cc", "-O1", *FLAGS, "-shared", "-fPIC", "-o", "f.so", "f.c", "-lm"]
            subprocess.run(command, cwd=folder, check=True)
            self.function = ctypes.CDLL(f"{folder}/f.so").launch

    def __call__(self, grid, block, arguments):
        passed = [ctypes.c_uint(grid[0]), ctypes.c_uint(block[0])]
        for kind, each in zip(self.kinds, arguments, strict=True):
            if "*" in kind:
                assert isinstance(each, np.ndarray) and each.flags["C_CONTIGUOUS"] and each.dtype.itemsize == 8
                passed.append(ctypes.c_void_p(each.ctypes.data))
            else:
                ours, theirs = PASSED[kind]
                assert type(each) is ours
                passed.append(theirs(each))
        self.function(*passed)


def installed(monkeypatch):
    """The stand-in in the place of CuPy, for one test."""
    cupy = types.ModuleType("cupy")
    vars(cupy).update({**vars(np), "__name__": "cupy", "__spec__": None})
    cupy.ElementwiseKernel, cupy.RawKernel, cupy.asnumpy = _ElementwiseKernel, _RawKernel, np.asarray
    cupy.cuda = types.SimpleNamespace(runtime=types.SimpleNamespace(getDeviceCount=lambda: 1))
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    return cupy
