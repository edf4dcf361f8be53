"""The responses that were recorded during GRPO, ``rollouts.jsonl`` beside the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from mmie.data.source import read
from mmie.errors import InputError
from mmie.files import parse_json
from mmie.reporting.runs import Run
from mmie.reporting.table import NOTHING
from mmie.results import ShapeError, rollout

STEPS_SHOWN = 6
NOT_NUMBERS = ("step", "id", "image", "text", "response")


@dataclass(frozen=True)
class Response:
    """One recorded response; ``numbers`` are the cells of the reward, its parts and the advantage."""

    step: int
    text: str
    response: str
    numbers: tuple[str, ...]


@dataclass(frozen=True)
class Sampled:
    """Some of the recorded steps, from the first to the last.

    Attributes:
        recorded: how many steps were recorded.
        steps: those that are shown.
        columns: the names of the numbers.
        groups: the responses to one prompt each.
    """

    recorded: int
    steps: tuple[int, ...]
    columns: tuple[str, ...]
    groups: tuple[tuple[Response, ...], ...]


def sampled(run: Run) -> Sampled | None:
    """The responses of up to ``STEPS_SHOWN`` steps; None where the run has recorded nothing.

    Raises:
        InputError: a line is not a rollout.
    """
    rows = read_rollouts(run)
    if not rows:
        return None
    recorded = sorted({row["step"] for row in rows})
    steps = _evenly_spaced(recorded)
    parts = [key for key in rows[0] if key not in (*NOT_NUMBERS, "reward", "advantage")]
    columns = ("reward", *parts, "advantage")
    responses = [_response(row, columns) for row in rows if row["step"] in steps]
    groups = groupby(responses, key=lambda response: (response.step, response.text))
    return Sampled(len(recorded), steps, columns, tuple(tuple(group) for _, group in groups))


def read_rollouts(run: Run) -> list[dict[str, Any]]:
    """The rows of the file; none where it is not there.

    Raises:
        InputError: a line is not a rollout.
    """
    path = run.file("rollouts.jsonl")
    lines = read(path).split(b"\n") if path else []
    return [_row(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line]


def _row(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = parse_json(line)
        rollout(row, "")
    except ShapeError as error:
        raise InputError(f"{where}: not a rollout, {error}; copy the file anew") from error
    except ValueError as error:
        raise InputError(f"{where}: not JSON ({error}); copy the file anew") from error
    return row


def _evenly_spaced(recorded: Sequence[int]) -> tuple[int, ...]:
    last = len(recorded) - 1
    places = {round(turn * last / (STEPS_SHOWN - 1)) for turn in range(STEPS_SHOWN)}
    return tuple(recorded[place] for place in sorted(places))


def _response(row: dict[str, Any], columns: Sequence[str]) -> Response:
    numbers = tuple(_cell(row.get(name)) for name in columns)
    return Response(row["step"], row["text"], row["response"], numbers)


def _cell(value: Any) -> str:
    if isinstance(value, int | float):
        return f"{value:.3g}"
    return NOTHING if value is None else str(value)
