"""``rollouts.jsonl``: the responses that GRPO has written out, checked line by line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmie.errors import InputError
from mmie.files import parse_json
from mmie.json_types import ShapeError, from_json, shortened


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """One line of ``rollouts.jsonl``; ``values`` has its other columns: parts of the reward, …"""

    step: int
    text: str
    response: str
    reward: float | None
    values: dict[str, Any]


def read_rollouts(path: Path) -> list[Rollout]:
    """The lines of ``rollouts.jsonl``.

    Raises:
        InputError: a line is not a rollout; names the file and the line.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); copy the file anew"
        ) from error
    return [_rollout(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line]


def _rollout(line: bytes, where: str) -> Rollout:
    try:
        row = from_json(dict[str, Any], parse_json(line))
        known = ("step", "text", "response", "reward")
        values = {name: value for name, value in row.items() if name not in known}
        for name, value in values.items():
            if name != "image" and not isinstance(value, (str, bool, type(None))):
                from_json(float, value, shortened(name))
        rollout: Rollout = from_json(Rollout, {**row, "values": values})
        return rollout
    except ShapeError as error:
        raise InputError(f"{where}: not a rollout, {error}; copy the file anew") from error
    except ValueError as error:
        raise InputError(f"{where}: not JSON ({error}); copy the file anew") from error
