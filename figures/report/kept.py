"""Parts of a run that are finished, kept beside the results until all are: an interrupted run goes on from there."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from figures import Settings

_ROOT = Path(__file__).parents[2]


class Kept:
    """The folder of the finished parts, DIR/.partial-HASH, one folder a part; HASH is of settings and sources.

    Args:
        folder: DIR, of the results; made if need be.
        settings: of the run.

    Raises:
        OSError: DIR cannot be written.
        ValueError: another process runs with these settings for this folder.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.results, self.folder, self._lock = folder, place(folder, settings), None

    def __enter__(self) -> Kept:
        self._made = not self.results.exists()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise ValueError(
                f"another run is writing to {self.results}: wait for it, or give another folder with -o"
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the parts where they are; what holds none is taken away."""
        if not finished(self.folder):
            shutil.rmtree(self.folder)
        self._lock.close()
        if self._made and not any(self.results.iterdir()):
            self.results.rmdir()

    def part(self, name: str, make: Callable[[Path], None]) -> list[Path]:
        """The files of a part, made by `make(folder)` unless they are there: whole or not at all."""
        done = self.folder / name
        if not done.exists():
            begun = self.folder / f".{name}"
            shutil.rmtree(begun, ignore_errors=True)
            begun.mkdir()
            make(begun)
            begun.rename(done)
        return sorted(done.iterdir())

    def clear(self) -> None:
        """Take the parts away, when they have become results."""
        for name in finished(self.folder):
            shutil.rmtree(self.folder / name)


def place(folder: Path, settings: Settings) -> Path:
    """Where the parts of a run are kept."""
    digest = hashlib.sha256(json.dumps([settings.profile, settings.seed, _numbers(settings)]).encode())
    for path in _sources():
        digest.update(str(path.relative_to(_ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return folder / f".partial-{digest.hexdigest()[:12]}"


def finished(kept: Path) -> list[str]:
    """The parts in such a folder; none if it is not there."""
    return sorted(each.name for each in kept.glob("[!.]*") if each.is_dir())


def _numbers(settings: Settings) -> list[tuple[str, str]]:
    return sorted((name, str(value)) for name, value in settings.constants.items())


def _sources() -> Iterable[Path]:
    """Of all that data come from; pictures are drawn anew in any case."""
    return sorted(path for package in ("theory", "simulations", "figures") for path in (_ROOT / package).rglob("*.py"))
