"""Stages predict and export: what one takes away from a finished run."""

from __future__ import annotations

from pathlib import Path

from mmie.artifacts import versions
from mmie.data.pictures import verify_pictures
from mmie.display import plain
from mmie.errors import InputError
from mmie.files import write_json
from mmie.stages.context import Context
from mmie.training.generate import Sampling, respond
from mmie.types import Example, Picture

Stage = tuple[Path, str]


def predict(context: Context, adapter: Stage | None) -> None:
    """Prints the reasoning and the answer for one picture and text."""
    config = context.config
    picture = Path(str(config.predict.image))
    _load(context, adapter)
    shown = (Picture(picture), *([Picture(picture, tuple(config.predict.box))] if config.predict.box else []))  # type: ignore[arg-type]
    example = Example("predict", str(config.predict.text), shown, None, {"entity": config.predict.entity})
    task, sampling = _task(context), Sampling(config.evaluation.temperature, config.evaluation.max_new_tokens)
    response = respond(context.policy, task, [example], sampling=sampling, batch_size=1, seed=config.seed)[0].text
    parsed = task.parse(response)
    _say(context, response)
    if parsed is None:
        context.console.print("no valid answer in this response", style="yellow")
    else:
        for line in task.shown(parsed):
            _say(context, line)
    write_json(context.output / "prediction.json", {"text": example.text, "response": response, "parsed": parsed})


def _say(context: Context, text: str) -> None:
    """The text unbroken: whoever reads it from a pipe gets the lines that the model wrote."""
    context.console.print(plain(text), soft_wrap=True)


def check(context: Context) -> None:
    """Before anything costs time.

    Raises:
        InputError: what ``predict`` is to show or either stage is to take cannot be there when the trainings are done.
    """
    config = context.config
    asked = context.reasoned.asked
    for key in asked if "predict" in config.stages else ():
        if not getattr(config.predict, key):
            raise InputError(f"predict.{key}: the stage predict needs it; set predict.{key}=…")
    if "predict" in config.stages and verify_pictures([Path(str(config.predict.image))]):
        raise InputError(f"predict.image={config.predict.image}: no readable picture there; give the path of one")
    if {"predict", "export"} & {*config.stages} and not (config.sft or config.grpo or config.predict.adapter):
        raise InputError("predict.adapter: this configuration trains none (sft and grpo are none); give the folder of one")


def export(context: Context, adapter: Stage | None) -> Path:
    """Writes ``adapter/`` in PEFT layout and, where asked, ``merged/``, a whole checkpoint for ``from_pretrained`` or a serving engine."""
    config = context.config.export
    _load(context, adapter)
    folder = Path(config.folder) if config.folder else context.output / "export"
    folder.mkdir(parents=True, exist_ok=True)
    policy = context.policy
    policy.save_adapter(folder / "adapter")
    if config.merged:
        policy.save_merged(folder / "merged")
    write_json(folder / "origin.json", {"stages": context.stages, "config": context.config, "versions": versions()})
    context.console.print(f"exported to {folder}")
    return folder


def _task(context: Context):  # type: ignore[no-untyped-def]
    sft = context.config.sft
    return context.direct if sft is not None and sft.response == "direct" else context.reasoned


def _load(context: Context, adapter: Stage | None) -> None:
    given = context.config.predict.adapter
    if given is not None:
        context.policy.read_adapter(Path(given))
    else:
        assert adapter is not None
        context.policy.read_adapter(adapter[0] / "adapter")
