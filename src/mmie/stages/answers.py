"""Answers of one model to a list of samples, kept in a file as they come."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmie.data.source import picture_to_json
from mmie.files import whole_lines
from mmie.stages.context import Context
from mmie.training.generate import Responded, Sampling, respond
from mmie.types import Example

Stage = tuple[Path, str]


@dataclass(frozen=True)
class Phase:
    """A model: a name, the task with its way of responding, and the stage whose adapter answers (None: the base)."""

    name: str
    task: Any
    adapter: Stage | None


def answers(context: Context, phase: Phase, examples: Sequence[Example], path: Path) -> list[Responded]:
    """One response a sample, in order; a killed run goes on after the last whole batch in the file.

    Args:
        context: the run; ``evaluation`` says how is sampled.
        phase: who answers.
        examples: the samples.
        path: a line a sample: id, text, entity (MORE), image, gold, response, truncated, parsed, correct.
    """
    config = context.config.evaluation
    done = [Responded(row["response"], row.get("truncated", False)) for row in whole_lines(path)]
    left = examples[len(done) :]
    with answering(context, phase), context.progress(f"answering ({phase.name})", len(left)) as advance:
        for start in range(0, len(left), config.batch_size):
            part = left[start : start + config.batch_size]
            responses = respond(
                context.policy, phase.task, part, sampling=Sampling(config.temperature, config.max_new_tokens),
                batch_size=config.batch_size, seed=context.config.seed,
            )  # fmt: skip
            keep(phase, part, responses, path)
            done += responses
            advance(len(part))
    return done


def keep(
    phase: Phase, examples: Sequence[Example], responses: Sequence[Responded], path: Path
) -> None:
    """Appends one line per response to the file of ``answers``."""
    pairs = zip(examples, responses, strict=True)
    rows = [_row(phase.task, example, response) for example, response in pairs]
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def answered_with(context: Context, phase: Phase) -> dict[str, Any]:
    """All that the answers depend on but the samples."""
    config = context.config
    return {
        "task": config.task, "instruction": config.reasoning_instruction, "response": type(phase.task.response).__name__,
        "model": context.model_identity, "evaluation": config.evaluation.answering(), "adapter": phase.adapter and phase.adapter[1],
        "seed": config.seed,
    }  # fmt: skip


@contextlib.contextmanager
def answering(context: Context, phase: Phase) -> Iterator[None]:
    """The model of the phase is the one that responds."""
    if phase.adapter is None:
        with context.policy.base():
            yield
        return
    context.policy.read_adapter(phase.adapter[0] / "adapter")
    yield


def _row(task: Any, example: Example, response: Responded) -> dict[str, Any]:
    parsed = task.parse(response.text)
    asked = {"entity": example.extra["entity"]} if "entity" in example.extra else {}
    return {
        "id": example.id, "text": example.text, **asked, "image": [picture_to_json(picture) for picture in example.pictures],
        "gold": example.gold, "response": response.text, "truncated": response.truncated, "parsed": parsed,
        "correct": task.correct(parsed, example),
    }  # fmt: skip
