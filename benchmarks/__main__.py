"""Command line of the benchmark: `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pandas as pd
from rich.console import Console

from benchmarks import agreement, floor, peers, report, scaling
from benchmarks.cases import CASES, QUICK
from benchmarks.worker import Peer

ENGINE, ALL = "mamlbound_cpu", "mamlbound all"


def note(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    parser.add_argument("--peers", nargs="*", default=peers.NAMES, choices=peers.NAMES, help="whom to time")
    parser.add_argument("--dimensions", nargs="*", type=int, default=[case.d for case in CASES], help="which cases")
    parser.add_argument("--repeats", type=int, default=9, help="runs of each variant")
    parser.add_argument("--seconds", type=float, default=30.0, help="after 3 runs, stop timing a variant beyond this")
    parser.add_argument("--no-scaling", action="store_true", help="leave out the growth with R, T, B and d")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/bench"), help="folder of the results")
    return parser.parse_args()


def started(names) -> dict[str, Peer]:
    """The peers that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = Peer(name)
        except ImportError as missing:
            note(f"{name} is left out: {missing}")
    return found


def compared(found: dict[str, Peer]) -> pd.DataFrame:
    """How far every variant is from this engine, without noise and with.

    Raises:
        SystemExit: one of them does not compute the same thing.
    """
    engine = found.get(ENGINE) or Peer(ENGINE)
    quiet, loud = engine.norms(ALL, agreement.QUIET), engine.norms(ALL, agreement.LOUD)
    rows = []
    for name, peer in found.items():
        for variant in peer.variants:
            if (name, variant) != (ENGINE, ALL):
                apart = agreement.quiet_difference(peer, variant, quiet), agreement.loud_difference(peer, variant, loud)
                rows.append((variant, *apart))
                if apart[0] > agreement.TOLERANCE or apart[1] > agreement.ERRORS:
                    raise SystemExit(f"{variant} does not compute what the engine does: {apart}")
    return pd.DataFrame(rows, columns=["variant", "relative difference without noise", "standard errors with noise"])


def timed(found: dict[str, Peer], cases, repeats: int, seconds: float) -> dict:
    """(wall, CPU) seconds of every run, the variants in turns."""
    samples = {}
    for case in cases:
        here = [(name, variant) for name, peer in found.items() for variant in peer.variants]
        for name, variant in here:
            took = found[name].prepare(variant, case)
            note(f"d = {case.d}: {variant} prepared in {took:.1f} s")
            samples[case, name, variant] = []
        for _ in range(repeats):
            for name, variant in here:
                spent = samples[case, name, variant]
                if len(spent) < 3 or sum(wall for wall, _ in spent) < seconds:
                    spent.append(found[name].spend(variant))
    return samples


def main() -> None:
    asked = arguments()
    found = started(asked.peers)
    tables = {"agreement": compared(found)}
    primitives = floor.measure()
    facts = {"versions": report.versions(), "load": os.getloadavg(), "floor, ns of one core": primitives}
    draws = {variant: kind for peer in found.values() for variant, kind in peer.variants.items()}
    samples: dict = {}
    for case in QUICK if asked.quick else CASES:
        if case.d in asked.dimensions:
            samples |= timed(found, [case], asked.repeats, asked.seconds)
            tables["costs"] = report.costs(samples, draws)
            tables["ratios"] = report.ratios(tables["costs"], primitives, os.cpu_count() or 1)
            report.write(asked.output, tables, facts)
    if not asked.no_scaling and ENGINE in found:
        engine = found[ENGINE]
        rows = [
            (variant, number, *point)
            for variant in engine.variants
            for number, points in scaling.measure(engine, variant, min(asked.repeats, 3)).items()
            for point in points
        ]
        tables["scaling"] = pd.DataFrame(rows, columns=["variant", "number", "value", "seconds"])
        report.write(asked.output, tables, facts)
        report.plot(asked.output, tables["scaling"])
    report.show(Console(width=160), tables, facts)
    for peer in found.values():
        peer.close()


if __name__ == "__main__":
    main()
