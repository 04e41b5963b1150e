"""`mamlbound identify`: which algorithm somebody's meta-gradient is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

NOT_IT = 1
UNDECIDED = 3


def identify(
    function: Annotated[str, typer.Argument(metavar="MODULE:FUNCTION", help="Or FILE.py:FUNCTION.")],
    steps: Annotated[str, typer.Option(metavar="K,K,...", help="Numbers of inner steps to ask for.")] = "1,2,3",
    dtype: Annotated[str, typer.Option(help="float64 or float32, in which arrays are handed over.")] = "float64",
    fixed: Annotated[
        list[str] | None, typer.Option(metavar="NAME=NUMBER", help="What the code has hard-coded: alpha=0.01, steps=5.")
    ] = None,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="What one call may take.")] = 10.0,
    isolated: Annotated[
        bool, typer.Option("--isolated", help="Ask in a process that may crash or hang in compiled code.")
    ] = False,
    expect: Annotated[str | None, typer.Option(metavar="NAME", help="As maml or imaml(lambda=2).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole report as JSON.")] = False,
) -> None:
    """Say which algorithm meta_gradient(loss, w, tasks, alpha, steps) -> array is.

    Exit code 1: none of these, or not what was expected. 3: several fit.
    """
    from simulations.identification import identify as examine
    from simulations.identification.report import parse_expected

    if expect:
        parse_expected(expect)
    asked = _whole_numbers(steps)
    options = {"dtype": dtype, "fixed": _fixed(fixed or []), "timeout": timeout, "isolated": isolated}
    report = examine(_found(function), steps=asked, **options)
    differs = report.differs_from(expect) if expect else ""
    if as_json:
        import json

        asked_for = {"expected": expect, "differs": differs} if expect else {}
        print(json.dumps(report.to_dict() | asked_for, indent=2, allow_nan=False))
    else:
        print(report)
        if differs:
            print(f"not as expected: {differs}")
    if report.status == "undecided" and (not expect or report.may_be(expect)):
        raise typer.Exit(UNDECIDED)
    if report.status != "named" or differs:
        raise typer.Exit(NOT_IT)


def _whole_numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"--steps must be whole numbers such as 1,2,3, got {text!r}") from None


def _fixed(pairs: list[str]) -> dict[str, float]:
    from theory.rationals import exact

    named = dict(pair.partition("=")[::2] for pair in pairs)
    return {name: float(exact(number, f"--fixed {name}")) for name, number in named.items()}


def _found(text: str) -> Callable:
    """The function that MODULE:FUNCTION or FILE.py:FUNCTION names."""
    module_name, _, name = text.rpartition(":")
    if not module_name or not name:
        raise ValueError(f"a function is named as MODULE:FUNCTION or FILE.py:FUNCTION, got {text!r}")
    module = _loaded(module_name)
    if not callable(getattr(module, name, None)):
        raise ValueError(f"{module_name} has no function {name}")
    return getattr(module, name)


def _loaded(name: str):
    import importlib
    import importlib.util
    import sys

    sys.path.insert(0, str(Path.cwd()))
    try:
        if not name.endswith(".py"):
            return importlib.import_module(name)
        spec = importlib.util.spec_from_file_location(Path(name).stem, name)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    except Exception as error:
        raise ValueError(f"{name} cannot be imported: {type(error).__name__}: {error}") from None
