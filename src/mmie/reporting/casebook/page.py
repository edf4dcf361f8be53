"""The page as one text: the samples as a block of JSON, this package's style and script, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from string import Template
from typing import Any

from mmie.error_kinds import KINDS
from mmie.reporting.casebook.answers import Model, labels
from mmie.reporting.casebook.cases import Case, told
from mmie.types import Picture


def book(
    models: Sequence[Model], cases: Sequence[Case], shown: Mapping[Picture, dict[str, Any]]
) -> dict[str, Any]:
    """What the page knows.

    Args:
        models: in the order of their answers.
        cases: the samples.
        shown: what is said of each picture that is not blank.
    """
    numbers = {picture: number for number, picture in enumerate(shown)}
    runs = {model.run.path: model.run for model in models}.values()
    return {
        "models": labels(models),
        "kinds": KINDS,
        "pictures": [*shown.values()],
        "runs": [
            f"{run.experiment}, {run.profile} profile, seed {run.seed}, commit {run.commit[:7]}"
            for run in runs
        ],
        "cases": [_case(case, numbers) for case in cases],
    }


def page(known: Mapping[str, Any]) -> str:
    """The whole page; ASCII but for the style and the script, so lone surrogates and NULs reach the reader's browser."""
    style, script = _part("style.css"), _part("case.js") + _part("page.js")
    inside = all(
        picture.get("source", "data:").startswith("data:") for picture in known["pictures"]
    )
    pictures = "data:" if inside else "'self' file:"
    policy = (
        f"default-src 'none'; img-src {pictures}; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )
    return Template(_part("page.html")).substitute(
        policy=policy, style=style, script=script, book=block(known)
    )


def block(value: Any) -> str:
    """JSON that no text in it can end: every ``<`` is escaped, and so is all that is not ASCII."""
    return json.dumps(value, separators=(",", ":")).replace("<", r"\u003c")


def _case(case: Case, numbers: Mapping[Picture, int]) -> dict[str, Any]:
    boxes = [picture.box for picture in case.pictures if picture.box]
    return {
        "id": case.id,
        "text": case.text,
        "fields": case.fields,
        "labels": case.labels,
        "gold": case.gold,
        "pictures": [
            {
                "number": numbers.get(picture),
                "part": picture.box is not None,
                "boxes": [] if picture.box else boxes,
            }
            for picture in case.pictures
        ],
        "answers": [answer and told(answer) for answer in case.answers],
    }


def _part(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
