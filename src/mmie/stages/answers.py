"""Answers to a list of samples: the loop that everything shares, and the files that it fills."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from mmie.data.pictures import picture_from_json, picture_to_json
from mmie.files import disk_errors, read_and_repair_jsonl, read_jsonl, to_json_types, write_text
from mmie.settings import EvaluationConfig
from mmie.stages.context import Context
from mmie.tasks.task import Task
from mmie.types import Example, Responded, Sampling

Answer = TypeVar("Answer")
Ask = Callable[[Sequence[Example]], list[Answer]]
Row = dict[str, Any]


@dataclass(frozen=True)
class AnswerFile(Generic[Answer]):
    """A file that takes one line for each sample as the answers come.

    Attributes:
        path: the file.
        row: what the line of a sample says.
        answer: the answer that a line holds.
        keys: what a line needs for that; a file that was torn is cut off before the first line
            that lacks one of them.
    """

    path: Path
    row: Callable[[Example, Answer], Row]
    answer: Callable[[Row], Answer]
    keys: Sequence[str]

    def load(self) -> list[Answer]:
        """The answers that an earlier, killed run has left."""
        return [self.answer(row) for row in read_and_repair_jsonl(self.path, keys=self.keys)]

    def append(self, examples: Sequence[Example], answers: Sequence[Answer]) -> None:
        """Writes one line for each answer.

        Raises:
            InputError: the file cannot be written.
        """
        lines = []
        for example, answer in zip(examples, answers, strict=True):
            row = to_json_types(self.row(example, answer))
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
        with disk_errors(self.path), self.path.open("a", encoding="utf-8") as file:
            file.writelines(lines)


def answer(
    context: Context,
    examples: Sequence[Example],
    ask: Ask[Answer],
    *,
    batch_size: int,
    file: AnswerFile[Answer] | None = None,
    label: str = "",
) -> list[Answer]:
    """Asks for one answer to each sample, batch by batch.

    Args:
        context: the run.
        examples: the samples.
        ask: gives the answers to a batch of samples, in order.
        batch_size: samples in a batch.
        file: takes the answers of each batch; if it holds some already, the loop goes on after
            them.
        label: what the progress is called; without one it is not shown.

    Returns:
        One answer for each sample, in order, those of the file included.
    """
    known = file.load() if file else []
    left = examples[len(known) :]
    return known + ask_in_batches(context, left, ask, batch_size=batch_size, file=file, label=label)


def ask_in_batches(
    context: Context,
    examples: Sequence[Example],
    ask: Ask[Answer],
    *,
    batch_size: int,
    file: AnswerFile[Answer] | None,
    label: str,
) -> list[Answer]:
    """``answer`` that asks for all samples, whatever the file holds already."""
    answers: list[Answer] = []
    with context.progress(label, len(examples)) as advance:
        for start in range(0, len(examples), batch_size):
            batch = examples[start : start + batch_size]
            new = ask(batch)
            if file:
                file.append(batch, new)
            answers += new
            advance(len(batch))
    return answers


def ask_policy(context: Context, task: Task, config: EvaluationConfig) -> Ask[Responded]:
    """Asks the policy as it is, with the adapter that is active, for one response per sample.

    Args:
        context: the run.
        task: makes the prompts.
        config: how responses are sampled.
    """

    def ask(examples: Sequence[Example]) -> list[Responded]:
        from mmie.training.generate import respond  # it loads the model's libraries

        return respond(
            context.policy,
            task,
            examples,
            sampling=sampling(config),
            batch_size=len(examples),
            seed=context.config.seed,
            engine=context.engine,
        )

    return ask


def sampling(config: EvaluationConfig) -> Sampling:
    """How responses are sampled in everything but GRPO's rollouts."""
    return Sampling(config.temperature, config.max_new_tokens)


def response_file(
    context: Context, task: Task, path: Path, *, engine: str = ""
) -> AnswerFile[Responded]:
    """A file of responses with what the reader of ``evaluation.reader`` finds in them.

    A line has id, text, the task's fields, image (paths relative to the source's folder), gold,
    response, truncated, parsed (null if there is no valid answer), invalid (the number of invalid
    items) and judged (the parts of ``Task.judge``). If ``engine`` is not "", it has that, too.
    """

    def row(example: Example, response: Responded) -> Row:
        reading = task.read(response.text, lenient=context.config.evaluation.lenient)
        prediction, invalid, images = reading.prediction, reading.invalid, context.source.images
        judged = task.judge(prediction, example, truncated=response.truncated, invalid=invalid)
        return {
            "id": example.id,
            "text": example.text,
            **task.fields(example),
            "image": [picture_to_json(picture, images) for picture in example.pictures],
            "gold": example.gold,
            "response": response.text,
            "truncated": response.truncated,
            "parsed": prediction,
            "invalid": invalid,
            "judged": judged,
            **made_by(engine),
        }

    def from_row(row: Row) -> Responded:
        return Responded(row["response"], row["truncated"])

    return AnswerFile(path, row, from_row, keys=["id", "response", "truncated"])


def made_by(engine: str) -> Row:
    """What a line says of the engine that has sampled; nothing if it was this process."""
    return {"engine": engine} if engine else {}


def copy_answers(source: Path, target: Path, images: Path) -> None:
    """Copies a file of responses, with the pictures' paths as they are now.

    Args:
        source, target: the files.
        images: the folder of the pictures.

    Raises:
        InputError: a line of the file is damaged.
    """

    def moved(row: Row) -> str:
        pictures = [picture_from_json(value, images) for value in row["image"]]
        row["image"] = [picture_to_json(picture) for picture in pictures]
        return json.dumps(row, ensure_ascii=False) + "\n"

    remedy = f"delete the folder {source.parent} and run again"
    write_text(target, "".join(read_jsonl(source, moved, what="an answer", remedy=remedy)))
