"""Stages predict and export: what one takes away from a finished run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmie.artifacts import Artifact, versions
from mmie.data.pictures import picture_to_json
from mmie.errors import InputError
from mmie.files import disk_errors, to_json_types, write_json
from mmie.stages.context import Context
from mmie.stages.questions import questions
from mmie.training.generate import Sampling, respond
from mmie.types import Example


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
    (row,) = _rows(context, context.questions)
    written = {key: row[key] for key in ("text", "response", "parsed", "invalid")}
    write_json(context.output / "prediction.json", written)
    print(row["response"])
    if row["parsed"] is None:
        context.console.print("no valid answer in this response", style="yellow")
    else:
        for line in _task(context).shown(row["parsed"]):
            print(line)
    if row["invalid"]:
        context.console.print(f"invalid items beside it: {row['invalid']}", style="yellow")


def check(context: Context) -> None:
    """Before anything costs time: reads and checks the questions into ``context.questions``.

    Raises:
        InputError: what ``predict`` is to answer or either stage is to take cannot be there when
            the trainings are done.
    """
    config = context.config
    # This builds the task: a wrong label is refused here, whatever the stages are.
    asked = context.reasoned.asked
    if "predict" in config.stages and not context.follower:
        context.questions = questions(config.predict, asked)
    if {"predict", "export"} & {*config.stages} and not (
        config.sft or config.grpo or config.predict["adapter"]
    ):
        raise InputError(
            "predict.adapter: this configuration trains none (sft and grpo are none); give the folder of one"
        )
    if "export" in config.stages and not context.follower:
        _export_folder(context)


def _answer_all(context: Context, path: Path) -> None:
    size = context.config.evaluation.batch_size
    asked = context.questions
    path.unlink(missing_ok=True)
    with context.progress("answering", len(asked)) as advance:
        for start in range(0, len(asked), size):
            rows = _rows(context, asked[start : start + size])
            with disk_errors(path), path.open("a", encoding="utf-8") as file:
                file.writelines(
                    json.dumps(to_json_types(row), ensure_ascii=False) + "\n" for row in rows
                )
            advance(len(rows))


def _rows(context: Context, examples: Sequence[Example]) -> list[dict[str, Any]]:
    """Each question, what the model says to it, and the prediction in that, None if invalid."""
    config, task = context.config, _task(context)
    sampling = Sampling(config.evaluation.temperature, config.evaluation.max_new_tokens)
    responses = respond(
        context.policy,
        task,
        examples,
        sampling=sampling,
        batch_size=len(examples),
        seed=config.seed,
    )
    readings = [
        task.read(response.text, lenient=config.evaluation.lenient) for response in responses
    ]
    return [
        {
            "id": example.id,
            "text": example.text,
            **example.extra,
            "image": [picture_to_json(picture) for picture in example.pictures],
            "response": response.text,
            "truncated": response.truncated,
            "parsed": reading.prediction,
            "invalid": reading.invalid,
        }
        for example, response, reading in zip(examples, responses, readings, strict=True)
    ]


def export(context: Context, adapter: Artifact | None) -> Path:
    """Writes ``adapter/`` in PEFT layout and, where asked, ``merged/``, a whole checkpoint for ``from_pretrained`` or a serving engine."""
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
    """Made before the trainings, as a test of whether it can be."""
    folder = context.config.export.folder
    path = Path(folder) if folder else context.output / "export"
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def _task(context: Context):  # type: ignore[no-untyped-def]
    sft = context.config.sft
    return context.direct if sft is not None and sft.response == "direct" else context.reasoned


def _load(context: Context, adapter: Artifact | None) -> None:
    given = context.config.predict["adapter"]
    if given is not None:
        context.policy.read_adapter(Path(given))
    else:
        assert adapter is not None
        context.policy.read_adapter(adapter.folder / "adapter")
