"""One line of the record: an answer, and what is known about it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mmie.distil.answer import STATES, Answer
from mmie.distil.teacher import Request
from mmie.errors import InputError
from mmie.files import parse_json

# Keys of a line that the server's own details must not replace.
BASIC = ("key", "purpose", "example_id", "candidate", "model", "answer", "state", "final")


@dataclass(frozen=True, order=True)
class Unanswered:
    """A request without a whole answer."""

    example_id: str
    candidate: int
    purpose: str
    state: str
    reason: str


def to_line(key: str, model: str, *, request: Request, answer: Answer) -> bytes:
    """The line of an answer, with its end."""
    entry: dict[str, Any] = {
        "key": key,
        "purpose": request.purpose,
        "example_id": request.example.id,
        "candidate": request.candidate,
        "model": model,
        "answer": answer.text,
        "state": answer.state,
        **({} if answer.final else {"final": False}),
        **{name: value for name, value in answer.details.items() if name not in BASIC},
    }
    return json.dumps(entry).encode() + b"\n"


def from_line(line: bytes, where: str) -> tuple[str, Answer]:
    """Key and answer of a line without its end; InputError names the place of any other line."""
    try:
        entry = parse_json(line)
    except ValueError:
        entry = None
    match entry:
        case {"key": str(key), "answer": str(text)} if entry.get("state", "whole") in STATES:
            details = {name: value for name, value in entry.items() if name not in BASIC}
            # A lone surrogate, which JSON can hold, would break every file that is written later.
            valid = text.encode(errors="replace").decode()
            state, final = entry.get("state", "whole"), entry.get("final") is not False
            return key, Answer(valid, state, details, final)
    reason = "not a recorded answer of the teacher"
    raise InputError(f"{where}: {reason}; delete that line and run again")
