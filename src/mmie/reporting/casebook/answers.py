"""The predictions of runs, read and checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmie.data.pictures import picture_from_json
from mmie.data.source import read
from mmie.errors import InputError
from mmie.files import parse_json
from mmie.reporting.runs import Run
from mmie.types import Judged, Picture

# The keys of a line that every task writes; the others are fields of the task's own.
KEYS = {"id", "text", "image", "gold", "response", "truncated", "parsed", "invalid", "judged"}


@dataclass(frozen=True)
class Answer:
    """One line of predictions.

    Attributes:
        fields: what else the line tells of the sample's question: name → text.
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


@dataclass(frozen=True)
class Model:
    """A system of a run: its name, the file of its predictions, and these by sample id."""

    name: str
    run: Run
    path: Path
    answers: dict[str, Answer]


def read_models(runs: Sequence[Run], names: Sequence[str] = ()) -> list[Model]:
    """The systems of the runs, or those of them that are called by one of ``names``.

    Two of one name whose answers are equal in all samples come once.

    Raises:
        InputError: the runs have different tasks, a run has no predictions, no run has predictions
            of one of ``names``, or a line is broken or of an earlier version.
    """
    for run in runs:
        if run.task != runs[0].task:
            other = f"that of {runs[0].path} is {runs[0].task}"
            raise InputError(f"{run.path}: its task is {run.task}, {other}; give runs of one task")
    files = [(name, run, path) for run in runs for name, path in _files(run)]
    known = dict.fromkeys(name for name, *_ in files)
    for name in names:
        if name not in known:
            there = f"there are those of {', '.join(known)}"
            raise InputError(f"--models: there are no predictions of {name!r}; {there}")
    models: list[Model] = []
    for name, run, path in files:
        if not names or name in names:
            model = Model(name, run, path, _answers(path, run))
            if not any(_says_the_same(model, other) for other in models):
                models.append(model)
    return models


def labels(models: Sequence[Model]) -> list[str]:
    """Names that tell the systems apart: with seed, experiment or both where needed."""
    return [
        _label_among(model, [other for other in models if other.name == model.name])
        for model in models
    ]


def _label_among(model: Model, namesakes: Sequence[Model]) -> str:
    """The model's name with the shortest of the additions that differ for all its namesakes."""
    choices = [_additions(namesake) for namesake in namesakes]
    for number, addition in enumerate(_additions(model)):
        if len({of_one[number] for of_one in choices}) == len(namesakes):
            return model.name + addition
    return f"{model.name}{_additions(model)[-1]} ({namesakes.index(model) + 1})"


def _additions(model: Model) -> list[str]:
    experiment, seed = model.run.experiment, f"seed {model.run.seed}"
    return ["", f" · {seed}", f" · {experiment}", f" · {experiment} {seed}"]


def _files(run: Run) -> list[tuple[str, Path]]:
    """Each system of the run with the file of its predictions, where there is one."""
    files = [(name, path) for name in run.systems if (path := run.predictions(name)) is not None]
    if not files:
        raise InputError(f"{run.path}: no predictions lie beside it; leave it out or run again")
    return files


def _says_the_same(one: Model, other: Model) -> bool:
    return one.name == other.name and list(_said(one)) == list(_said(other))


def _said(model: Model) -> Iterator[tuple[str, str, str, Any]]:
    return (
        (answer.id, answer.text, answer.response, answer.gold) for answer in model.answers.values()
    )


def _answers(path: Path, run: Run) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for number, line in enumerate(read(path).splitlines(), start=1):
        answer = _answer(line, f"{path}:{number}", run)
        if answers.setdefault(answer.id, answer) is not answer:
            raise InputError(f"{path}:{number}: sample {answer.id} stands there twice; run again")
    return answers


def _answer(line: bytes, where: str, run: Run) -> Answer:
    fault = "not a line of predictions"
    try:
        row = parse_json(line)
        if "judged" not in row and "parsed" in row:
            fault = "written by an earlier version"
            raise LookupError("judged")
        return Answer(
            id=_text(row["id"]),
            text=_text(row["text"]),
            fields={key: _text(row[key]) for key in row if key not in KEYS},
            pictures=tuple(_located(picture_from_json(value), run) for value in row["image"]),
            gold=row["gold"],
            response=_text(row["response"]),
            readable=row["parsed"] is not None,
            judged=tuple(_judged(*part) for part in row["judged"]),
            invalid=int(row["invalid"]),
        )
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise InputError(f"{where}: {fault}; leave this run out or run again") from error


def _judged(said: Any, meant: Any, kind: Any) -> Judged:
    return Judged(_fields(said), _fields(meant), _text(kind))


def _fields(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not value:
        raise TypeError(f"not fields: {value!r}")
    return tuple(map(_text, value))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"not a text: {value!r}")
    return value


def _located(picture: Picture, run: Run) -> Picture:
    """The picture with its path as seen from here.

    A relative path starts where the run was started: here, or in a folder above its results.
    """
    if picture.path is None:
        return picture
    places = (folder / picture.path for folder in (Path(), *run.path.parents))
    return Picture(next((place for place in places if place.is_file()), picture.path), picture.box)
