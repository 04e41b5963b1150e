"""The claims, one theorem or lemma family per file; a file of this folder is registered by being here."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping

from theory.claim import Claim

_FILES = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")))


class _Claims(Mapping[str, Claim]):
    """All claims by id, in the order of their files; a file is read when a claim of it is first asked for."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, Claim]] = {}

    def _read(self, file: str) -> dict[str, Claim]:
        if file not in self._found:
            claims = importlib.import_module(f"{__name__}.{file}").CLAIMS
            self._found[file] = {claim.id: claim for claim in claims}
        return self._found[file]

    def __getitem__(self, claim_id: str) -> Claim:
        """Looks first into the file that bears the claim's name, then into all."""
        namesake = claim_id.replace("-", "_")
        return (self._read(namesake) if namesake in _FILES else {}).get(claim_id) or self._all()[claim_id]

    def files(self) -> dict[str, tuple[str, tuple[Claim, ...]]]:
        """By file: what it says of itself, and its claims."""
        modules = {file: importlib.import_module(f"{__name__}.{file}") for file in _FILES}
        return {file: (module.__doc__, tuple(module.CLAIMS)) for file, module in modules.items()}

    def _all(self) -> dict[str, Claim]:
        return {claim_id: claim for file in _FILES for claim_id, claim in self._read(file).items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


CLAIMS = _Claims()
