"""The predictions of runs, read and checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from mmie.data.pictures import picture_from_json
from mmie.errors import InputError
from mmie.files import read_jsonl
from mmie.json_types import from_json
from mmie.parsing import parse_response
from mmie.reporting.runs import Run
from mmie.types import Judged, Picture

RIGHT, PARTLY, WRONG = "right", "partly", "wrong"
# What a step begins with: a new line, ``Step 2:``, or a heading after the end of a sentence.
_STEP = re.compile(r"\n+|\s(?=step ?\d{1,3} ?:)|(?<=[.!?])\s(?=\w[\w -]{0,24}:\s)", re.IGNORECASE)


@dataclass(frozen=True)
class Line:
    """What every task writes of a sample; all other keys are the task's own."""

    id: str
    text: str
    image: tuple[Any, ...]
    gold: Any
    response: str
    parsed: Any
    invalid: int
    judged: tuple[Judged, ...]
    truncated: bool = False


@dataclass(frozen=True)
class Answer:
    """The answer of one system to one sample.

    Attributes:
        fields: the task's own fields of the sample: name → text.
        pictures: with paths that lead to a file from here, where there is one.
        gold: the right answer as a JSON value.
        readable: whether an answer was found in the response.
        judged: the parts of the answer beside the gold, see ``mmie.types.Judged``.
        invalid: the number of invalid items in the answer.
    """

    id: str
    text: str
    fields: dict[str, str]
    pictures: tuple[Picture, ...]
    gold: Any
    response: str
    readable: bool
    judged: tuple[Judged, ...]
    invalid: int = 0

    @property
    def verdict(self) -> str:
        """``right``, ``partly`` (some parts are), ``wrong``, or why nothing can be read.

        An answer of which nothing can be read begins with the part that says why.
        """
        kinds = [part.kind for part in self.judged]
        if not any(kinds):
            return RIGHT
        nothing_said = not any(part.said for part in self.judged)
        if nothing_said and (self.judged[0].meant is None or not self.readable):
            return kinds[0]
        return PARTLY if "" in kinds else WRONG

    @property
    def steps(self) -> list[str]:
        """The chain, cut at its lines and before sentences that begin with a heading."""
        response = parse_response(self.response)
        return steps(response.think) if response else []

    @property
    def raw(self) -> str:
        """What could not be read, as it came; empty where all could."""
        if self.readable and not self.invalid:
            return ""
        response = parse_response(self.response)
        return self.response if response is None else response.answer


@dataclass(frozen=True)
class Model:
    """A system of a run: its name, the file of its predictions, and these by sample id."""

    name: str
    run: Run
    path: Path
    answers: dict[str, Answer]

    @property
    def responses(self) -> dict[str, str]:
        """Sample id → response."""
        return {id: answer.response for id, answer in self.answers.items()}


def steps(chain: str) -> list[str]:
    """The steps of a chain of thought."""
    return [step.strip() for step in _STEP.split(chain) if step.strip()]


def read_models(runs: Sequence[Run], names: Sequence[str] = ()) -> list[Model]:
    """The systems of the runs, or those of them that are called by one of ``names``.

    Two of one name whose responses are all equal come once.

    Raises:
        InputError: the runs have different tasks, no run has predictions (of one of ``names``), or
            a line is broken.
    """
    for run in runs:
        if run.task != runs[0].task:
            other = f"that of {runs[0].path} is {runs[0].task}"
            raise InputError(f"{run.path}: its task is {run.task}, {other}; give runs of one task")
    files = [
        (name, run, path) for run in runs for name in run.systems if (path := run.predictions(name))
    ]
    known = dict.fromkeys(name for name, *_ in files)
    if not known:
        raise InputError(f"{runs[0].path}: no predictions lie beside it; run again")
    for name in names:
        if name not in known:
            there = f"there are those of {', '.join(known)}"
            raise InputError(f"--models: there are no predictions of {name!r}; {there}")
    models: list[Model] = []
    for name, run, path in files:
        if not names or name in names:
            model = Model(name, run, path, _answers(path, run))
            same = [other for other in models if other.name == name]
            if all(other.responses != model.responses for other in same):
                models.append(model)
    return models


def labels(models: Sequence[Model]) -> list[str]:
    """Names that tell the systems apart: with experiment and seed, and a number, where needed."""
    names = [model.name for model in models]
    full = [f"{one.name} · {one.run.experiment} seed {one.run.seed}" for one in models]
    made = [long if names.count(name) > 1 else name for name, long in zip(names, full, strict=True)]
    numbered = enumerate(made, start=1)
    return [f"{name} ({at})" if made.count(name) > 1 else name for at, name in numbered]


def _answers(path: Path, run: Run) -> dict[str, Answer]:
    what, remedy = "a line of predictions", "leave this run out or run again"
    rows = read_jsonl(path, partial(_answer, run), what=what, remedy=remedy)
    answers = {answer.id: answer for answer in rows}
    if len(answers) < len(rows):
        raise InputError(f"{path}: a sample stands there twice; {remedy}")
    return answers


def _answer(run: Run, row: dict[str, Any]) -> Answer:
    line: Line = from_json(Line, row)
    known = {field.name for field in fields(Line)}
    others = {key: value for key, value in row.items() if key not in known}
    try:
        pictures = tuple(_located(picture_from_json(value), run) for value in line.image)
    except (OSError, OverflowError) as error:
        raise ValueError("not a picture") from error
    return Answer(
        id=line.id,
        text=line.text,
        fields=from_json(dict[str, str], others),
        pictures=pictures,
        gold=line.gold,
        response=line.response,
        readable=line.parsed is not None,
        judged=line.judged,
        invalid=line.invalid,
    )


def _located(picture: Picture, run: Run) -> Picture:
    """The picture with its path as seen from here.

    A relative path starts where the run was started: here, or in a folder above its results.
    """
    if picture.path is None:
        return picture
    places = (folder / picture.path for folder in (Path(), *run.path.parents))
    return Picture(next((place for place in places if place.is_file()), picture.path), picture.box)
