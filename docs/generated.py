"""The pages that are written from the code: the theory with its audit, and the command line."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import typer

from figures.report.formula import mathml
from mamlbound.cli import app
from theory import ASSUMPTIONS, CLAIMS
from theory.record import record

_SIGNS = {"proved": "✓", "repaired": "↻", "refuted": "✗", "open": "?"}


def write(folder: Path) -> None:
    """Both pages; a file that would not change is left alone."""
    folder.mkdir(exist_ok=True)
    for name, lines in (("theory.md", theory()), ("commands.md", commands())):
        text, path = "\n".join(lines) + "\n", folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def theory() -> Iterator[str]:
    """Assumptions, then every file of claims: what it says of itself, and each claim with its versions."""
    yield "# The theory, and what was wrong with it\n"
    yield "Written from the claims' own records. `mamlbound claims --certify` replays every proof and counterexample in"
    yield "exact arithmetic; `mamlbound claims ID --certify` shows the steps of one.\n"
    yield "| | assumption | source |\n|---|---|---|"
    for each in ASSUMPTIONS.values():
        yield f"| {each.id} | {_cell(each.text)} | {_cell(each.source)} |"
    records = {claim.id: record(claim) for claim in CLAIMS.values()}
    yield "\n## What was wrong\n"
    yield "| claim | published in | verdict |\n|---|---|---|"
    for claim_id, each in records.items():
        if each["verdict"] in ("repaired", "refuted"):
            source = each["versions"]["published"]["source"]
            yield f"| [{_cell(each['title'])}](#{claim_id}) | {_cell(source)} | {each['verdict']} |"
    for file, (account, claims) in CLAIMS.files().items():
        heading, _, rest = account.strip().partition("\n")
        yield f"\n## {file.replace('_', ' ').capitalize()}\n\n{html.escape(heading)}\n"
        if rest.strip():
            yield f'```{{raw}} html\n<pre style="white-space: pre-wrap">{html.escape(rest.strip())}</pre>\n```\n'
        for claim in claims:
            yield from _claim(records[claim.id])


def _claim(each: dict) -> Iterator[str]:
    yield f"({each['id']})=\n### {html.escape(each['title'])} {each['equation']}\n"
    yield f"`{each['id']}`, {html.escape(each['source'])}: {_SIGNS[each['verdict']]} **{each['verdict']}**\n"
    for name, version in each["versions"].items():
        reached = ", reached by an instance" if version["attained"] else ""
        yield f"*{name}*, {version['status']}{reached}: {html.escape(version['source'])}\n"
        yield f"```{{raw}} html\n<div style=\"overflow-x: auto\">{mathml(version['latex'], 'block')}</div>\n```\n"
    if each["domain"]:
        yield "on the domain\n"
        for hypothesis in each["domain"]:
            yield f"* `{hypothesis['hypothesis']}` ({html.escape(hypothesis['source'])})"
        yield ""


def _cell(text: str) -> str:
    return html.escape(text).replace("|", "\\|")


def commands() -> Iterator[str]:
    """Every command with its arguments and options, as typer knows them."""
    root = typer.main.get_command(app)
    yield "# The command line\n"
    yield f"{root.help}\n"
    yield "Data go to stdout and files, progress to stderr. Exit codes: 0 all hold, 1 something is violated, 2 bad"
    yield "usage, 3 undecided, 4 a cell failed, 130 interrupted.\n"
    for name, command in sorted(root.commands.items()):
        context = typer.Context(command, info_name=f"mamlbound {name}")
        yield f"## mamlbound {name}\n"
        yield "```text\n" + command.get_usage(context) + "\n```\n"
        yield re.sub(r"\s*\n\s*", " ", command.help or "") + "\n"
        rows = [found for parameter in command.params if (found := _parameter(parameter))]
        if rows:
            yield "| | |\n|---|---|"
            yield from rows
            yield ""


def _parameter(parameter) -> str:
    if parameter.name == "help":
        return ""
    names = ", ".join(parameter.opts) if parameter.param_type_name == "option" else parameter.metavar or parameter.name
    told = parameter.help or ""
    if not (parameter.default in (None, False) or callable(parameter.default)):
        told += f" Default: {parameter.default}."
    return f"| `{_cell(names)}` | {_cell(told)} |"
