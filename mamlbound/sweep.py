"""`mamlbound sweep`, `report`, `export` and `merge`: many cells, a ledger that loses none, and what it says."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mamlbound.tables import console, table

if TYPE_CHECKING:
    from simulations.sweep.coordinator import Progress
    from simulations.sweep.report import Report

ERRED = 4
_PLAIN_SECONDS = 30.0
_SHOWN = ("HOLDS", "VIOLATED", "UNDECIDED", "NOT_APPLICABLE", "MEASURED", "ERROR", "lost")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Of a sweep.")]
AsJson = Annotated[bool, typer.Option("--json", help="The same as JSON.")]


class Interrupted(Exception):
    """Long work was asked to stop; the message says how to go on."""


def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="What to sweep: docs/sweeps.md.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Where the ledger is, or will be.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many cells and how long, and stop.")] = False,
    until_decided: Annotated[
        bool, typer.Option("--until-decided", help="Sample undecided cells, as far as the budget of the file goes.")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; by default one a core.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Of a Dask scheduler to use instead of processes here.")
    ] = None,
    part: Annotated[str, typer.Option(metavar="K/N", help="Every N-th cell only, from the K-th on; merge later.")] = (
        "1/1"
    ),
    shuffle: Annotated[int | None, typer.Option(min=0, metavar="N", help="Another order of the cells.")] = None,
    time_limit: Annotated[float | None, typer.Option(metavar="SECONDS", help="Of a cell, over the file's.")] = None,
    on_error: Annotated[
        str | None, typer.Option(metavar="continue|stop", help="After a cell that is an error, over the file's.")
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Do again what was an error or lost.")] = False,
    extend: Annotated[bool, typer.Option("--extend", help="Add to the ledger of another configuration.")] = False,
    as_json: AsJson = False,
) -> None:
    """Decide or run every cell of a sweep that the ledger in DIR does not have yet.

    Exit codes: 0 all hold, 1 a proved claim is violated, 3 something is undecided or left to do, 4 a cell is an error
    or lost, 130 interrupted; the same command goes on where it stopped.
    """
    from simulations.sweep import coordinator

    asked = _configured(file, time_limit, on_error)
    if dry_run:
        _print_estimate(asked, workers, _part(part), as_json)
        return
    options = coordinator.Options(workers, scheduler, _part(part), shuffle, until_decided, extend, retry)
    shown = _Shown()
    try:
        _, ended = coordinator.sweep(asked, out, options, shown)
    except KeyboardInterrupt:
        ended = "interrupted"
    finally:
        shown.close()
    if ended == "interrupted":
        raise Interrupted(f"interrupted; what is in {out} is safe. To go on: {_command()}")
    if ended == "stopped":
        print("mamlbound: stopped at the first error, as asked; the same command goes on", file=sys.stderr)
    _show(out, as_json)


def report(
    folder: Folder,
    page: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write it as a page, with the cells in it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The verdicts of a sweep by claim and family, and how much of it is done. Exit codes as of `sweep`."""
    if page is not None:
        from figures.report.sweep import write

        write(folder, page)
        print(page, file=sys.stderr)
    _show(folder, as_json)


def export(
    folder: Folder,
    form: Annotated[str, typer.Option("-f", "--format", metavar="parquet|csv")] = "parquet",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="By default DIR/cells.parquet or .csv.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the table of a sweep, one row a cell, finished or not; its columns are in docs/sweeps.md."""
    from simulations.sweep import export as table
    from simulations.sweep.ledger import Ledger
    from simulations.sweep.report import report as read

    if form not in ("parquet", "csv"):
        raise ValueError(f"--format must be parquet or csv, got {form!r}")
    file = out or folder / f"cells.{form}"
    count = table.export(folder, file, form)
    with Ledger(folder) as ledger:
        digest = table.digest(ledger)
    coverage = read(folder).coverage
    if as_json:
        print(json.dumps({"file": str(file), "rows": count, "digest": digest, "coverage": coverage}, indent=2))
        return
    print(file)
    print(f"{coverage}\ndigest of the rows {digest}", file=sys.stderr)


def merge(
    sources: Annotated[list[Path], typer.Argument(metavar="DIR DIR ...", help="Of sweeps.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Of the new ledger.")],
) -> None:
    """Unite ledgers by the keys of their cells. Results that do not agree are an error, and nothing is written."""
    from simulations.sweep.merge import merge as unite

    count = unite(sources, out)
    print(f"{count} cells in {out}")


def replay_cell(key: str, ledger: Path | None, as_json: bool) -> bool:
    """`mamlbound replay` of a cell of a sweep; whether the key is one.

    Exit code 1: the result is not what the ledger has.
    """
    from simulations.sweep import audit
    from simulations.sweep.content import key as name_of
    from simulations.sweep.content import unpacked

    if ledger is not None:
        name, cell, before, now = audit.again(ledger, key)
        wrong = audit.differences(before, now)
    else:
        try:
            cell = unpacked(key)
        except ValueError:
            return False
        name, now, wrong = name_of(cell), audit.anew(cell), []
    found = {name: value for name, value in vars(now).items() if value not in (None, "") and name != "state"}
    if as_json:
        agrees = None if ledger is None else not wrong
        print(json.dumps({"key": name, "cell": cell, **found, "agrees": agrees, "differences": wrong}, indent=2))
    else:
        print(f"{name}: {now.status}" + (f": {now.reason}" if now.reason else ""))
        for what, value in (cell | found).items():
            print(f"  {what}: {value}")
        for line in wrong:
            print(f"  DIFFERS {line}")
        if ledger is not None and not wrong:
            print("  as in the ledger, bit for bit")
    if wrong:
        raise typer.Exit(1)
    return True


def examine(folder: Path, as_json: bool) -> None:
    """`mamlbound doctor DIR`. Exit code 1: something is wrong."""
    from simulations.sweep.audit import audit

    wrong, notes = audit(folder)
    if as_json:
        print(json.dumps({"ok": not wrong, "wrong": wrong, "notes": notes}, indent=2))
    else:
        for line in wrong:
            print(f"WRONG  {line}")
        for line in notes:
            print(f"       {line}")
        print("the ledger is sound" if not wrong else "the ledger is NOT sound")
    if wrong:
        raise typer.Exit(1)


def _configured(file: Path, time_limit: float | None, on_error: str | None):
    from dataclasses import replace

    from simulations.sweep.configuration import read

    try:
        found = read(file.read_text(), str(file))
    except OSError as error:
        raise ValueError(f"cannot read {file}: {error.strerror}") from None
    if time_limit is not None and not time_limit > 0:
        raise ValueError(f"--time-limit must be positive, got {time_limit:g}")
    if on_error not in (None, "continue", "stop"):
        raise ValueError(f"--on-error must be continue or stop, got {on_error!r}")
    given = {"time_limit": time_limit, "on_error": on_error}
    changed = {name: value for name, value in given.items() if value is not None}
    return replace(found, workers=found.workers.model_copy(update=changed))


def _part(text: str) -> tuple[int, int]:
    first, slash, last = text.partition("/")
    if slash and first.isdigit() and last.isdigit() and 1 <= int(first) <= int(last):
        return int(first), int(last)
    raise ValueError(f"--part must be K/N with 1 <= K <= N, got {text!r}")


def _command() -> str:
    return shlex.join(["mamlbound", *sys.argv[1:]])


def _print_estimate(asked, workers: int | None, part: tuple[int, int], as_json: bool) -> None:
    from simulations.sweep.estimate import estimate

    found = estimate(asked, workers, part)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['cells']} cells; {found['timed']} of them took {1000 * found['seconds_a_cell']:.3g} ms each")
    print(f"about {_span(found['seconds'])} on {found['workers']} workers, without sampling")


def _span(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


class _Shown:
    """Progress on stderr: one live line on a terminal, a plain line now and then elsewhere."""

    def __init__(self) -> None:
        self.live, self._last, self._began = sys.stderr.isatty(), 0.0, time.monotonic()
        self._last = self._began

    def __call__(self, state: Progress) -> None:
        now = time.monotonic()
        if not self.live and now - self._last < _PLAIN_SECONDS:
            return
        self._last = now
        counts = ", ".join(f"{state.counts[each]} {each}" for each in _SHOWN if state.counts[each])
        done = sum(state.counts.values())
        left = (state.cells - done) / state.rate if state.rate else 0.0
        ahead = f", {_span(left)} left" if left else ""
        speed = f", {state.rate:.3g}/s{ahead}" if state.rate else ", workers are starting" if done < state.cells else ""
        text = f"{done}/{state.cells} cells{speed}" + (f": {counts}" if counts else "")
        print(f"\r\033[K{text}" if self.live else text, end="" if self.live else "\n", file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the live line."""
        if self.live:
            print(file=sys.stderr)


def _show(folder: Path, as_json: bool) -> None:
    from simulations.sweep.report import report as read

    found = read(folder)
    if as_json:
        lines = [line.record for line in found.lines]
        trouble = [dict(zip(("key", "status", "reason"), each, strict=True)) for each in found.trouble]
        print(json.dumps({"cells": found.cells, "coverage": found.coverage, "lines": lines, "notes": found.notes,
                          "trouble": trouble}, indent=2))  # fmt: skip
    else:
        _print_report(found)
    if found.code:
        raise typer.Exit(found.code)


def _print_report(found: Report) -> None:
    statuses = [status for status in _SHOWN if found.counts[status]]
    heads = ("claim or method", "version", "family", *statuses, "least slack", "largest T")
    rows = table(*heads)
    for line in found.lines:
        counts = [str(line.counts[status] or "") for status in statuses]
        slack = "" if line.slack == float("inf") else f"{line.slack:.4g}"
        rows.add_row(line.who, line.version, line.family, *counts, slack, "" if line.T is None else str(line.T))
    out = console()
    out.print(rows)
    for key, status, reason in found.trouble:
        out.print(f"{status} {key}: {reason}", soft_wrap=True, markup=False)
    for line in (*found.notes, found.coverage):
        out.print(line, soft_wrap=True, markup=False)
