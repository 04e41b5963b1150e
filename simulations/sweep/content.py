"""What a cell is: its parameters, and a key that is a hash of them and of nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from typing import TYPE_CHECKING

from simulations.sweep.axes import Value
from simulations.sweep.names import FAMILY, KINDS, METHOD, arguments

if TYPE_CHECKING:
    from simulations.sweep.configuration import Configuration

PHYSICS = 1
"""Of what the cells compute. A change that gives any cell another result must raise it; a test holds it to that."""

Content = dict[str, object]
"""kind, family {family, arguments}, chosen {claim, version} or {method}, options, common, delta: plain data."""


def content(configuration: Configuration, values: dict[str, Value]) -> Content:
    """A cell from the values of its axes."""
    kind, name = KINDS[configuration.kind], str(values["family"])
    family: dict[str, Value] = {"family": name}
    options: dict[str, Value] = {}
    for axis, value in sorted(values.items()):
        plain = axis.removeprefix(FAMILY)
        if axis in kind.chosen:
            continue
        if axis in kind.options or axis.startswith(METHOD):
            options[axis] = value
        if plain in arguments(name) and (axis != plain or axis not in family):
            family[plain] = values.get(FAMILY + plain, value)
    chosen = {axis: values[axis] for axis in kind.chosen if axis != "family"}
    found: Content = {"kind": configuration.kind, **chosen, "family": family, "options": options}
    found |= {"common": True} if configuration.common else {}
    return found | ({"delta": configuration.sampling.delta} if configuration.kind == "check" else {})


def written(cell: Content) -> str:
    """The one text of a cell."""
    return json.dumps(cell, sort_keys=True, separators=(",", ":"))


def key(cell: Content) -> str:
    """Of a cell: 32 hexadecimal digits, the start of a SHA-256 of its text and `PHYSICS`."""
    return hashlib.sha256(f"physics {PHYSICS}:{written(cell)}".encode()).hexdigest()[:32]


def noise_seed(cell: Content) -> int:
    """The key of all noise of a cell: its own, or where random numbers are common the one that was asked for."""
    seed = int(cell["options"].get("seed", 0))
    return seed if cell.get("common") else int(key(cell)[:16], 16)


def portable(cell: Content) -> str:
    """The cell as a replay key, which carries all of it."""
    return base64.urlsafe_b64encode(zlib.compress(written(cell).encode(), 9)).decode().rstrip("=")


def unpacked(replay_key: str) -> Content:
    """The cell of a replay key.

    Raises:
        ValueError: it is none of a sweep.
    """
    try:
        cell = json.loads(zlib.decompress(base64.urlsafe_b64decode(replay_key + "=" * (-len(replay_key) % 4))))
        if cell["kind"] in KINDS and isinstance(cell["family"], dict) and isinstance(cell["options"], dict):
            return cell
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise ValueError(f"{replay_key[:20]}... is no replay key of a sweep: {error}") from None
    raise ValueError(f"{replay_key[:20]}... is no replay key of a sweep")
