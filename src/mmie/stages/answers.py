"""Answers of one model to a list of samples, kept in a file as they come."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmie.artifacts import Artifact
from mmie.data.files import read
from mmie.data.pictures import picture_from_json, picture_to_json
from mmie.errors import InputError
from mmie.files import read_and_repair_jsonl, write_text
from mmie.stages.context import Context
from mmie.training.generate import Responded, Sampling, respond
from mmie.types import Example


@dataclass(frozen=True)
class Phase:
    """A model: a name, the task with its way of responding, and the stage whose adapter answers (None: the base)."""

    name: str
    task: Any
    adapter: Artifact | None


def answers(
    context: Context, phase: Phase, examples: Sequence[Example], path: Path
) -> list[Responded]:
    """One response a sample, in order; a killed run goes on after the last whole batch in the file.

    Args:
        context: the run; ``evaluation`` says how is sampled.
        phase: who answers.
        examples: the samples.
        path: one line per sample: id, text, the task's fields, image, gold, response, truncated,
            parsed (by the reader of ``evaluation.reader``; null where no answer is found), invalid
            (the number of invalid items), judged (the parts of ``Task.judge``).
    """
    config = context.config.evaluation
    rows = read_and_repair_jsonl(path, keys=["id", "response", "truncated"])
    done = [Responded(row["response"], row["truncated"]) for row in rows]
    left = examples[len(done) :]
    with (
        answering(context, phase),
        context.progress(f"answering ({phase.name})", len(left)) as advance,
    ):
        for start in range(0, len(left), config.batch_size):
            part = left[start : start + config.batch_size]
            responses = respond(
                context.policy,
                phase.task,
                part,
                sampling=Sampling(config.temperature, config.max_new_tokens),
                batch_size=config.batch_size,
                seed=context.config.seed,
            )
            keep(context, phase, part, responses, path)
            done += responses
            advance(len(part))
    return done


def keep(
    context: Context,
    phase: Phase,
    examples: Sequence[Example],
    responses: Sequence[Responded],
    path: Path,
) -> None:
    """Appends one line per response to the file of ``answers``."""
    lenient, images = context.config.evaluation.lenient, context.source.images
    pairs = zip(examples, responses, strict=True)
    rows = [
        _row(phase.task, example, response, images, lenient=lenient) for example, response in pairs
    ]
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@contextlib.contextmanager
def answering(context: Context, phase: Phase) -> Iterator[None]:
    """The model of the phase is the one that responds."""
    if phase.adapter is None:
        with context.policy.base():
            yield
        return
    context.policy.read_adapter(phase.adapter.folder / "adapter")
    yield


def _row(
    task: Any, example: Example, response: Responded, images: Path, *, lenient: bool
) -> dict[str, Any]:
    """What ``answers`` writes of a sample; the pictures' paths are relative to ``images``."""
    reading = task.read(response.text, lenient=lenient)
    judged = task.judge(
        reading.prediction, example, truncated=response.truncated, invalid=reading.invalid
    )
    return {
        "id": example.id,
        "text": example.text,
        **task.fields(example),
        "image": [picture_to_json(picture, images) for picture in example.pictures],
        "gold": example.gold,
        "response": response.text,
        "truncated": response.truncated,
        "parsed": reading.prediction,
        "invalid": reading.invalid,
        "judged": judged,
    }


def copy_answers(source: Path, target: Path, images: Path) -> None:
    """Copies what ``answers`` wrote, with the pictures' paths as they are now.

    Args:
        source, target: the files.
        images: the folder of the pictures.
    """
    lines = []
    for number, line in enumerate(read(source).splitlines(), start=1):
        try:
            row = json.loads(line)
            pictures = [picture_from_json(value, images) for value in row["image"]]
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise InputError(
                f"{source}:{number}: not an answer; delete the folder {source.parent} and run again"
            ) from error
        row["image"] = list(map(picture_to_json, pictures))
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    write_text(target, "".join(lines))
