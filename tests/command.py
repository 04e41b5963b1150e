"""The `mamlbound` command as a user runs it, in this process."""

import sys

import pytest

from mamlbound import cli


def call(monkeypatch, capsys, *words):
    """Exit code, standard output and standard error of `mamlbound` with these words."""
    monkeypatch.setattr(sys, "argv", ["mamlbound", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code or 0, *capsys.readouterr()
