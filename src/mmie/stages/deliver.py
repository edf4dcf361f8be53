"""Stages predict and export: answers to questions of one's own, and the trained weights."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from mmie.artifacts import Artifact, versions
from mmie.data.pictures import picture_to_json
from mmie.errors import InputError
from mmie.files import disk_errors, write_json
from mmie.stages.answers import AnswerFile, answer, ask_policy, made_by
from mmie.stages.context import Context
from mmie.stages.questions import questions
from mmie.tasks.task import Task
from mmie.types import Example, Responded


def predict(context: Context, adapter: Artifact | None) -> None:
    """Answers ``context.questions``.

    One question of the command line: prints the response and the prediction as they are, and writes
    ``prediction.json``. A file of them: writes ``predictions.jsonl``, one line for each question,
    batch by batch.
    """
    _load(context, adapter)
    if context.config.predict["file"] is not None:
        path = context.output / "predictions.jsonl"
        _answer_all(context, path)
        print(f"predictions: {path}", flush=True)
        return
    (question,) = context.questions
    (response,) = ask_policy(context, _task(context))([question])
    row = _row(context, question, response)
    written = {key: row[key] for key in ("text", "response", "parsed", "invalid")}
    write_json(context.output / "prediction.json", written | made_by(context.engine.name))
    print(row["response"])
    if row["parsed"] is None:
        context.console.print("no valid answer in this response", style="yellow")
    else:
        for line in _task(context).describe(row["parsed"]):
            print(line)
    if row["invalid"]:
        context.console.print(f"invalid items beside it: {row['invalid']}", style="yellow")


def check(context: Context) -> None:
    """Before anything costs time: reads and checks the questions into ``context.questions``.

    Raises:
        InputError: a question cannot be answered, no adapter would be there when the trainings are
            done, or the folder of the export cannot be made.
    """
    config = context.config
    task = context.reasoned  # building it refuses a wrong label, whatever the stages are
    if "predict" in config.stages and not context.follower:
        context.questions = questions(context.config.predict, task)
    delivers = {"predict", "export"} & {*config.stages}
    if delivers and not (config.sft or config.grpo or context.config.predict["adapter"]):
        reason = "this configuration trains none (sft and grpo are none)"
        raise InputError(f"predict.adapter: {reason}; give the folder of one")
    if delivers and config.predict["adapter"] is not None:
        from mmie.models.adapters import (
            read_saved_adapter,  # it loads torch, which a report does not need
        )

        read_saved_adapter(Path(config.predict["adapter"]), alpha=config.lora.alpha)
    if "export" in config.stages and not context.follower:
        _export_folder(context)


def _answer_all(context: Context, path: Path) -> None:
    path.unlink(missing_ok=True)
    answer(
        context,
        context.questions,
        ask_policy(context, _task(context)),
        batch_size=context.config.evaluation.batch_size,
        file=AnswerFile(path, partial(_row, context), _responded, keys=["response", "truncated"]),
        label="answering",
    )


def _responded(row: dict[str, Any]) -> Responded:
    return Responded(row["response"], row["truncated"])


def _row(context: Context, example: Example, response: Responded) -> dict[str, Any]:
    """A question, the response to it, and the prediction in that, None if invalid."""
    reading = _task(context).read(response.text, lenient=context.config.evaluation.lenient)
    return {
        "id": example.id,
        "text": example.text,
        **_task(context).fields(example),
        "image": [picture_to_json(picture) for picture in example.pictures],
        "response": response.text,
        "truncated": response.truncated,
        "parsed": reading.prediction,
        "invalid": reading.invalid,
        **made_by(context.engine.name),
    }


def export(context: Context, adapter: Artifact | None) -> Path:
    """Writes ``adapter/`` in PEFT layout and, if ``export.merged`` is set, ``merged/``.

    The latter is a whole checkpoint for ``from_pretrained`` or a serving engine.
    """
    config = context.config.export
    _load(context, adapter)
    folder = _export_folder(context)
    policy = context.policy
    policy.save_adapter(folder / "adapter")
    if config.merged:
        policy.save_merged(folder / "merged")
    write_json(
        folder / "origin.json",
        {"stages": context.stages, "config": context.config, "versions": versions()},
    )
    print(f"exported to {folder}", flush=True)
    return folder


def _export_folder(context: Context) -> Path:
    """The folder of the export, made before the trainings to find out whether it can be made."""
    folder = context.config.export.folder
    path = Path(folder) if folder else context.output / "export"
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def _task(context: Context) -> Task:
    """With the way of responding that the adapter was trained for."""
    sft = context.config.sft
    task: Task = context.reasoned
    if sft is not None and sft.response == "direct":
        task = context.direct
    return task


def _load(context: Context, adapter: Artifact | None) -> None:
    given = context.config.predict["adapter"]
    if given is not None:
        context.policy.read_adapter(Path(given))
    else:
        assert adapter is not None
        context.policy.read_adapter(adapter.folder / "adapter")
