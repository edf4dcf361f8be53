"""The predictions of runs, read and checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
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
class Answer:
    """One line of predictions: the answer of a system to a sample.

    Attributes:
        gold, parsed: the right answer and the given one as JSON values.
        judged: the parts of the answer beside the gold, see ``mmie.types.Judged``.
        invalid: the number of invalid items in the answer.
        fields: the task's own fields of the sample: name → text.
        pictures: with paths that lead to a file from here, where there is one.
    """

    id: str
    text: str
    gold: Any
    response: str
    parsed: Any
    judged: tuple[Judged, ...]
    invalid: int = 0
    truncated: bool = False
    image: Any = ()
    fields: dict[str, str] | None = None
    pictures: tuple[Picture, ...] = ()

    @property
    def verdict(self) -> str:
        """``right``, ``partly`` (some parts are), ``wrong``, or why nothing can be read.

        An answer of which nothing can be read begins with the part that says why.
        """
        kinds = [part.kind for part in self.judged]
        if not any(kinds):
            return RIGHT
        nothing_said = not any(part.said for part in self.judged)
        if nothing_said and (self.judged[0].meant is None or self.parsed is None):
            return kinds[0]
        return PARTLY if "" in kinds else WRONG

    @property
    def steps(self) -> list[str]:
        """The chain, cut at its lines and before sentences that begin with a heading."""
        response = parse_response(self.response)
        parts = _STEP.split(response.think) if response else []
        return [step.strip() for step in parts if step.strip()]

    @property
    def raw(self) -> str:
        """What could not be read, as it came; empty where all could."""
        if self.parsed is not None and not self.invalid:
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

    def says_the_same(self, other: Model) -> bool:
        """Whether the other is called the same and has given the same responses."""
        mine, theirs = (
            [(one.id, one.response) for one in m.answers.values()] for m in (self, other)
        )
        return self.name == other.name and mine == theirs


def read_models(runs: Sequence[Run], names: Sequence[str] = ()) -> list[Model]:
    """The systems of the runs, or those of them that are called by one of ``names``.

    Two that say the same come once.

    Raises:
        InputError: the runs have different tasks, no run has predictions (of one of ``names``), or
            a line is broken.
    """
    models: list[Model] = []
    known: dict[str, None] = {}
    for run in runs:
        if run.task != runs[0].task:
            other = f"that of {runs[0].path} is {runs[0].task}"
            raise InputError(f"{run.path}: its task is {run.task}, {other}; give runs of one task")
        for name in run.systems:
            path = run.predictions(name)
            known |= {name: None} if path else {}
            if path and (not names or name in names):
                model = Model(name, run, path, _answers(path, run))
                if not any(map(model.says_the_same, models)):
                    models.append(model)
    if runs and not known:
        raise InputError(f"{runs[0].path}: no predictions lie beside it; run again")
    for name in names:
        if name not in known:
            there = f"there are those of {', '.join(known)}"
            raise InputError(f"--models: there are no predictions of {name!r}; {there}")
    return models


def labels(models: Sequence[Model]) -> list[str]:
    """Names that tell the systems apart: with experiment, seed and a number where needed."""
    names = [model.name for model in models]
    made = []
    for number, (name, model) in enumerate(zip(names, models, strict=True), start=1):
        origin = f" · {model.run.experiment} seed {model.run.seed} ({number})"
        made.append(name + origin * (names.count(name) > 1))
    return made


def _answers(path: Path, run: Run) -> dict[str, Answer]:
    what, remedy = "a line of predictions", "leave this run out or run again"
    rows = read_jsonl(path, partial(_answer, run), what=what, remedy=remedy)
    answers = {answer.id: answer for answer in rows}
    if len(answers) < len(rows):
        raise InputError(f"{path}: a sample stands there twice; {remedy}")
    return answers


def _answer(run: Run, row: dict[str, Any]) -> Answer:
    known = {field.name for field in fields(Answer)}
    own = {key: value for key, value in row.items() if key not in known}
    answer: Answer = from_json(Answer, {**row, "fields": own, "pictures": []})
    try:
        pictures = tuple(_located(picture_from_json(value), run) for value in answer.image)
    except (OSError, OverflowError) as error:
        raise ValueError("not a picture") from error
    return replace(answer, pictures=pictures)


def _located(picture: Picture, run: Run) -> Picture:
    """The picture with its path as seen from here.

    A relative path starts where the run was started: here, or in a folder above its results.
    """
    if picture.path is None:
        return picture
    places = (folder / picture.path for folder in (Path(), *run.path.parents))
    return Picture(next((place for place in places if place.is_file()), picture.path), picture.box)
