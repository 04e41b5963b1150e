"""Claims of the user's own, read from a Python file and known to keys by file, name and content."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from theory import Claim

_READ: dict[str, tuple[str, Claim]] = {}


def load(place: str) -> Claim:
    """The claim that a file states.

    Args:
        place: FILE.py, which sets CLAIM, or FILE.py:ID of a file that sets CLAIMS.

    Raises:
        ValueError: there is no such file or claim, or the file raises an error.
    """
    file, _, claim_id = place.partition(".py:") if ".py:" in place else (place, "", "")
    path = Path(f"{file}.py" if claim_id else file)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    module = _executed(path)
    found = [getattr(module, "CLAIM", None)] if hasattr(module, "CLAIM") else list(getattr(module, "CLAIMS", ()))
    if not found or not all(isinstance(each, Claim) for each in found):
        raise ValueError(
            f"{path} must set CLAIM to a claim, such as theory.stated(...) makes, or CLAIMS to a list of them"
        )
    by_id = {each.id: each for each in found}
    if claim_id not in by_id and (claim_id or len(found) > 1):
        raise ValueError(f"{path} states {', '.join(by_id)}: say which, as {path}:{found[0].id}")
    claim = by_id[claim_id] if claim_id else found[0]
    _READ[f"{path}:{claim.id}"] = digest(path), claim
    return claim


def named(claim: Claim) -> dict[str, str] | None:
    """How a key names a claim that `load` read: file, id and content; None for others."""
    for place, (content, known) in _READ.items():
        if known is claim:
            return {"claim": place, "content": content}
    return None


def again(place: str, content: str) -> Claim:
    """The claim of a key.

    Raises:
        ValueError: as `load`, or the file has changed.
    """
    claim = load(place)
    if _READ[place][0] != content:
        raise ValueError(f"{place.rpartition(':')[0]} has changed since this key was made: audit it again")
    return claim


def digest(path: Path) -> str:
    """Of the file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _executed(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise ValueError(f"{path}, line {error.lineno}: {error.msg}") from None
    except Exception as error:
        raise ValueError(f"{path}{_line(error, path)} raises {type(error).__name__}: {error}") from error
    return module


def _line(error: Exception, path: Path) -> str:
    """Where in the file it came from."""
    trace, found = error.__traceback__, ""
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            found = f", line {trace.tb_lineno},"
        trace = trace.tb_next
    return found
