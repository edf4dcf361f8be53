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
from mmie.types import Picture, Quintuple

Gold = str | tuple[Quintuple, ...]


@dataclass(frozen=True)
class Answer:
    """One line of predictions.

    Attributes:
        entity: the entity that is asked about, where the line tells (MORE).
        pictures: with paths that lead to a file from here, where there is one.
        gold: quintuples, or a label (MORE).
        parsed: the same of the response; None where it is invalid.
        truncated: whether the response was cut at the length limit, where the line tells.
        invalid: the number of invalid items in the answer, where the line tells.
    """

    id: str
    text: str
    entity: str
    pictures: tuple[Picture, ...]
    gold: Gold
    response: str
    parsed: Gold | None
    truncated: bool
    invalid: int = 0


@dataclass(frozen=True)
class Model:
    """A model of a run: its name, the file of its predictions and those by sample id, in the file's order."""

    name: str
    run: Run
    path: Path
    answers: dict[str, Answer]


def read_models(runs: Sequence[Run], names: Sequence[str] = ()) -> list[Model]:
    """The models of the runs, or of them those with these names; answers that are equal in all samples come once a name.

    Runs without a file a model have ``predictions.jsonl``, which is the last model's.

    Raises:
        InputError: the runs have two tasks, a run has no predictions, no run has predictions of one of ``names``, a line is broken.
    """
    for run in runs:
        if run.task != runs[0].task:
            raise InputError(
                f"{run.path}: its task is {run.task}, that of {runs[0].path} is {runs[0].task}; give runs of one task"
            )
    files = [(name, run, path) for run in runs for name, path in _files(run)]
    for name in names:
        if name not in {known for known, *_ in files}:
            known = ", ".join(dict.fromkeys(known for known, *_ in files))
            raise InputError(
                f"--models: there are no predictions of {name!r}; there are those of {known}"
            )
    found: list[Model] = []
    for name, run, path in files:
        if not names or name in names:
            model = Model(name, run, path, _answers(path, run))
            if not any(_says_the_same(model, other) for other in found):
                found.append(model)
    return found


def labels(models: Sequence[Model]) -> list[str]:
    """Names that tell the models apart: with seed, with experiment, or with both where the name alone does not."""
    return [
        _label_among(model, [other for other in models if other.name == model.name])
        for model in models
    ]


def _label_among(model: Model, namesakes: Sequence[Model]) -> str:
    def told(one: Model) -> list[str]:
        experiment, seed = one.run.experiment, f"seed {one.run.seed}"
        return ["", f" · {seed}", f" · {experiment}", f" · {experiment} {seed}"]

    other = [told(namesake) for namesake in namesakes]
    apart = (
        own
        for at, own in enumerate(told(model))
        if len({choices[at] for choices in other}) == len(namesakes)
    )
    return model.name + next(apart, f"{told(model)[-1]} ({namesakes.index(model) + 1})")


def _files(run: Run) -> list[tuple[str, Path]]:
    kept = [(name, run.predictions(name)) for name in run.systems]
    found = [(name, path) for name, path in kept if path is not None]
    old = run.file("predictions.jsonl")
    if not found and old is not None and run.systems:
        found = [([*run.systems][-1], old)]
    if not found:
        raise InputError(f"{run.path}: no predictions lie beside it; leave it out or run again")
    return found


def _says_the_same(one: Model, other: Model) -> bool:
    return one.name == other.name and list(_said(one)) == list(_said(other))


def _said(model: Model) -> Iterator[tuple[str, str, str, Gold]]:
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
    try:
        row = parse_json(line)
        pictures = tuple(_located(picture_from_json(value), run) for value in row["image"])
        gold, parsed = _label(row["gold"]), None if row["parsed"] is None else _label(row["parsed"])
        if parsed is not None and type(parsed) is not type(gold):
            raise TypeError(f"gold {gold!r} and parsed {parsed!r} do not fit")
        id, text, response, entity = (
            _text(value)
            for value in (row["id"], row["text"], row["response"], row.get("entity") or "")
        )
        invalid = int(row.get("invalid", 0))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(
            f"{where}: not a line of predictions; leave this run out or run again"
        ) from error
    return Answer(
        id, text, entity, pictures, gold, response, parsed, bool(row.get("truncated")), invalid
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"not a text: {value!r}")
    return value


def _label(value: Any) -> Gold:
    return (
        value
        if isinstance(value, str)
        else tuple(Quintuple(*map(_text, fields)) for fields in value)
    )


def _located(picture: Picture, run: Run) -> Picture:
    """Its path as seen from here: a relative one starts where the run was started, here or in a folder above its results."""
    if picture.path is None:
        return picture
    places = (folder / picture.path for folder in (Path(), *run.path.parents))
    return Picture(next((place for place in places if place.is_file()), picture.path), picture.box)
