"""Stage predict: answers to questions of one's own, one on the command line or a file of many."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmie.data.pictures import picture_to_json
from mmie.display import plain_text
from mmie.files import replacing, write_json
from mmie.stages import keys
from mmie.stages.answers import AnswerFile, answer, ask_policy, made_by
from mmie.stages.context import Context
from mmie.stages.delivered import Delivered, delivered
from mmie.types import Example, Responded

ANSWERS = "predictions.jsonl"


def predict(context: Context) -> None:
    """Answers ``context.questions``.

    One question of the command line: prints the response and the prediction as they are, and writes
    ``prediction.json``. A file of them: writes ``predictions.jsonl``, one line for each question in
    the order of the file.
    """
    if context.config.predict["file"] is None:
        _answer_one(context, delivered(context))
    else:
        _answer_all(context, delivered(context))


def _answer_one(context: Context, taken: Delivered) -> None:
    taken.load(context)
    (question,) = context.questions.examples
    (response,) = ask_policy(context, taken.task, context.config.evaluation)([question])
    row = _row(context, taken, question, response)
    written = {key: row[key] for key in ("text", "response", "parsed", "invalid")}
    write_json(context.output / "prediction.json", written | made_by(context.engine.name))
    print(row["response"])
    if row["parsed"] is None:
        context.console.print("no valid answer in this response", style="yellow")
    else:
        for line in taken.task.describe(row["parsed"]):
            print(line)
    if row["invalid"]:
        context.console.print(f"invalid items beside it: {row['invalid']}", style="yellow")


def _answer_all(context: Context, taken: Delivered) -> None:
    """The answers are an artefact, so a killed run goes on, and another file is another one."""
    examples = context.questions.examples
    _name_unused_keys(context)
    with context.open("predict", keys.predict(context, taken, examples)) as stage:
        if stage.new:
            taken.load(context)
            _fill(context, taken, stage.work / ANSWERS)
    path = context.output / ANSWERS
    with replacing(path) as temporary:
        shutil.copyfile(stage.artifact.folder / ANSWERS, temporary)
    print(f"predictions: {path}", flush=True)


def _fill(context: Context, taken: Delivered, path: Path) -> None:
    message = f"each answer is written as it comes: {path}"
    context.console.print(plain_text(message, "dim"), soft_wrap=True)
    ask = ask_policy(context, taken.task, context.config.evaluation)

    def ask_once(examples: Sequence[Example]) -> list[Responded]:
        with context.policy.forgetting():
            return ask(examples)

    row, examples = partial(_row, context, taken), context.questions.examples
    file = AnswerFile(path, row, _responded, keys=["response", "truncated"])
    known = len(file.load())
    if known:
        context.console.print(f"{known:,} of {len(examples):,} answers are there already")
    answer(
        context,
        examples,
        ask_once,
        batch_size=context.config.evaluation.batch_size,
        file=file,
        label="answering",
    )


def _name_unused_keys(context: Context) -> None:
    unused = context.questions.unused
    if unused:
        lines = ", ".join(f"{key} ({_lines(count)})" for key, count in unused.items())
        message = f"predict.file: the task does not ask for these keys, which are not used: {lines}"
        context.console.print(plain_text(message, "yellow"), soft_wrap=True)


def _lines(count: int) -> str:
    return f"{count:,} line{'' if count == 1 else 's'}"


def _responded(row: dict[str, Any]) -> Responded:
    return Responded(row["response"], row["truncated"])


def _row(
    context: Context, taken: Delivered, example: Example, response: Responded
) -> dict[str, Any]:
    """A question, the response to it, and the prediction in that, None if invalid."""
    reading = taken.task.read(response.text, lenient=context.config.evaluation.lenient)
    return {
        "id": example.extra.get("id", example.id),
        "text": example.text,
        **taken.task.fields(example),
        "image": [picture_to_json(picture) for picture in example.pictures],
        "response": response.text,
        "truncated": response.truncated,
        "parsed": reading.prediction,
        "invalid": reading.invalid,
        **made_by(context.engine.name),
    }
