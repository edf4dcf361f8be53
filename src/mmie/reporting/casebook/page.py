"""The page as one text: the samples as a block of JSON, this package's style and script, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from mmie.error_kinds import KINDS
from mmie.reporting.casebook.answers import Model, labels
from mmie.reporting.casebook.cases import Case, told
from mmie.reporting.rendering import Markup, html, part
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
        "systems": labels(models),
        "kinds": KINDS,
        "pictures": [*shown.values()],
        "runs": [
            f"{run.experiment}, {run.profile} profile, seed {run.seed}, commit {run.commit[:7]}"
            for run in runs
        ],
        "cases": [_case(case, numbers) for case in cases],
    }


def page(known: Mapping[str, Any]) -> str:
    """The whole page.

    All but style and script is ASCII, so lone surrogates and NULs reach the reader's browser. The
    page's policy forbids everything except its own style, its own script and its pictures.
    """
    style = part("colours.css") + part("casebook/style.css")
    script = part("casebook/sample.js") + part("casebook/page.js")
    sources = [picture.get("source", "data:") for picture in known["pictures"]]
    inside = all(source.startswith("data:") for source in sources)
    pictures = "data:" if inside else "'self' file:"
    policy = (
        "default-src 'none'",
        f"img-src {pictures}",
        f"style-src {_hash(style)}",
        f"script-src {_hash(script)}",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
    )
    return html(
        "casebook/page.html",
        policy=Markup("; ".join(policy)),
        style=Markup(style),
        script=Markup(script),
        book=Markup(block(known)),
    )


def block(value: Any) -> str:
    """JSON that no text in it can end: every ``<`` is escaped, and so is all that is not ASCII."""
    return json.dumps(value, separators=(",", ":")).replace("<", r"\u003c")


def _case(case: Case, numbers: Mapping[Picture, int]) -> dict[str, Any]:
    boxes = [picture.box for picture in case.pictures if picture.box]
    return {
        "id": case.id,
        "text": case.text,
        "extra": extra_fields(case),
        "labels": case.relations,
        "gold": gold_parts(case),
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


def gold_parts(case: Case) -> list[tuple[str, ...]]:
    return [(case.gold,)] if isinstance(case.gold, str) else [*case.gold]


def extra_fields(case: Case) -> dict[str, str]:
    return {"entity": case.entity} if case.entity else {}


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
