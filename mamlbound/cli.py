"""The door: command line and nothing else. Heavy imports wait until a command needs them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mamlbound.audit import audit
from mamlbound.check import check, replay
from mamlbound.claims import claims
from mamlbound.doctor import doctor
from mamlbound.identify import identify
from mamlbound.plan import plan
from mamlbound.search import search
from mamlbound.sweep import Interrupted, export, merge, report, sweep

USAGE = 2
INTERRUPTED = 130

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The convergence theory of MAML as executable claims, decided with stated evidence.",
)


for _command in (claims, check, sweep, report, export, merge, replay, search, audit, plan, identify, doctor):
    app.command()(_command)


def _constant(name: str, meaning: str):
    return Annotated[str | None, typer.Option(f"--{name.replace('_', '-')}", metavar="NUMBER", help=meaning)]


@app.command()
def reproduce(
    quick: Annotated[bool, typer.Option("--quick/--full", help="Minutes on two cores, or all there is.")] = True,
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A figure; may be given again.")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Where the results go.")] = Path("out"),
    reuse: Annotated[bool, typer.Option("--reuse-data", help="Run nothing: draw from the data in DIR.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the tasks and of all noise.")] = 0,
    L: _constant("L", "Smoothness of every task.") = None,
    rho: _constant("rho", "Lipschitz constant of every Hessian.") = None,
    sigma: _constant("sigma", "Spread of the task gradients.") = None,
    sigma_tilde: _constant("sigma_tilde", "Noise of one gradient.") = None,
    sigma_H: _constant("sigma_H", "Noise of one Hessian.") = None,
    Delta: _constant("Delta", "Gap of the ramps.") = None,
) -> None:
    """Run the experiments, draw the figures and bind the report. Numbers may be written 0.05 or 1/20.

    Figures that an interrupted run has finished are not run again by the same command.
    """
    from figures import Settings
    from figures import report as pages
    from theory import Constants

    given = {"L": L, "rho": rho, "sigma": sigma, "sigma_tilde": sigma_tilde, "sigma_H": sigma_H, "Delta": Delta}
    constants = {name: value for name, value in given.items() if value is not None}
    figures = pages.chosen(only or [])
    Constants(**{"L": 1, "rho": 1, **constants})
    settings = Settings("quick" if quick else "full", constants, seed)
    if reuse:
        files = pages.redraw(figures, settings, out)
    else:
        files = _with_progress(lambda progress: _produced(figures, settings, out, progress))
    for file in files:
        typer.echo(file)


def _produced(figures, settings, out: Path, progress) -> list[Path]:
    from figures import report as pages
    from figures.report.kept import finished, place

    try:
        return pages.produce(figures, settings, out, progress)
    except KeyboardInterrupt:
        kept = finished(place(out, settings))
        if not kept:
            raise
        raise Interrupted(f"interrupted; {', '.join(kept)} done: the same command goes on from there") from None


def _with_progress(work):
    """Run `work(progress)` under one bar a figure, on stderr; nothing is shown before the first progress."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description:<12}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %")
    bars, tasks = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)), {}

    def progress(name: str, done: float) -> None:
        if name not in tasks:
            bars.start()
            tasks[name] = bars.add_task(name, total=1.0)
        bars.update(tasks[name], completed=done)

    try:
        return work(progress)
    finally:
        if tasks:
            bars.stop()


def _refuse(sentence: str) -> None:
    print(f"mamlbound: {sentence}", file=sys.stderr)
    sys.exit(USAGE)


def main() -> None:
    """Entry point of the `mamlbound` command. Bad input ends in one sentence and exit code 2."""
    try:
        app()
    except Interrupted as stop:
        print(f"mamlbound: {stop}", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except ValueError as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"cannot write to {error.filename}: {error.strerror}")
    except SystemExit as end:
        if end.code == INTERRUPTED:
            print("mamlbound: interrupted, nothing was written", file=sys.stderr)
        raise
