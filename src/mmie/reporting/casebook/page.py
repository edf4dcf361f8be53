"""The page as one text: the samples as a block of JSON, and the style and script of the page."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from mmie.reporting.casebook.answers import Model, labels
from mmie.reporting.casebook.cases import Case, told
from mmie.reporting.rendering import Markup, html, part
from mmie.types import Picture


def book(
    models: Sequence[Model], cases: Sequence[Case], pictures: Mapping[Picture, dict[str, Any]]
) -> dict[str, Any]:
    """What the page knows.

    Args:
        models: the systems, in the order of their answers.
        cases: the samples.
        pictures: what the page says of each picture that is not blank.
    """
    numbers = {picture: number for number, picture in enumerate(pictures)}
    runs = {model.run.path: model.run for model in models}.values()
    samples = [_sample(case, numbers) for case in cases]
    return {
        "systems": labels(models),
        "kinds": _kinds(models, samples),
        "pictures": [*pictures.values()],
        "runs": [
            f"{run.experiment}, {run.profile} profile, seed {run.seed}, commit {run.commit[:7]}"
            for run in runs
        ],
        "cases": samples,
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


def _kinds(models: Sequence[Model], samples: Sequence[dict[str, Any]]) -> list[str]:
    """The kinds of errors: in the order of the results, then those that only answers have."""
    analyses = [model.run.results.analysis.get(model.name) for model in models]
    kinds = dict.fromkeys(kind for analysis in analyses if analysis for kind in analysis.errors)
    for sample in samples:
        for answer in filter(None, sample["answers"]):
            kinds.update(dict.fromkeys(part.kind for part in answer["parts"] if part.kind))
    return list(kinds)


def _sample(case: Case, numbers: Mapping[Picture, int]) -> dict[str, Any]:
    boxes = [picture.box for picture in case.pictures if picture.box]
    return {
        "id": case.id,
        "text": case.text,
        "extra": case.fields,
        "labels": case.labels,
        "gold": case.gold,
        "pictures": [_picture(picture, numbers, boxes) for picture in case.pictures],
        "answers": [answer and told(answer) for answer in case.answers],
    }


def _picture(
    picture: Picture, numbers: Mapping[Picture, int], boxes: Sequence[Any]
) -> dict[str, Any]:
    """The whole picture shows the boxes of its parts."""
    is_part = picture.box is not None
    return {"number": numbers.get(picture), "part": is_part, "boxes": [] if is_part else boxes}


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
