"""Stage evaluate: responses of one model on the test split, scored; ``predictions.jsonl`` as they come, ``metrics.json`` at the end."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmie.files import write_json
from mmie.stages.context import Context
from mmie.training.generate import Sampling, respond
from mmie.types import Example

Stage = tuple[Path, str]


@dataclass(frozen=True)
class Phase:
    """One row of the table: a name, the task with its way of responding, and the stage whose adapter answers (None: the base)."""

    name: str
    task: Any
    adapter: Stage | None


def evaluate(context: Context, phase: Phase, data_stage: Stage) -> Stage:
    """Answers and scores the test split; a killed run goes on after the last whole batch."""
    config = context.config.evaluation

    def body(folder: Path) -> None:
        examples = context.examples(data_stage[0], "test")
        path = folder / "predictions.jsonl"
        done = _resume(path)
        left = examples[len(done) :]
        with _answering(context, phase), context.progress(f"answering ({phase.name})", len(left)) as advance:
            for start in range(0, len(left), config.batch_size):
                part = left[start : start + config.batch_size]
                responses = respond(
                    context.policy, phase.task, part, sampling=Sampling(config.temperature, config.max_new_tokens),
                    batch_size=config.batch_size, seed=context.config.seed,
                )  # fmt: skip
                rows = [_row(phase.task, example, response) for example, response in zip(part, responses, strict=True)]
                with path.open("a", encoding="utf-8") as file:
                    file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
                done += [row["response"] for row in rows]
                advance(len(part))
        scores = phase.task.score(
            [phase.task.parse(response) for response in done], examples,
            bootstrap_samples=config.bootstrap_samples, seed=context.config.seed,
        )  # fmt: skip
        write_json(folder / "metrics.json", {f"test/{name}": values for name, values in scores.items()})

    parts = {
        "data": data_stage[1], "task": context.config.task, "instruction": context.config.reasoning_instruction,
        "response": type(phase.task.response).__name__, "model": context.model_identity, "evaluation": config,
        "adapter": phase.adapter and phase.adapter[1], "seed": context.config.seed,
    }  # fmt: skip
    return context.stage("evaluate", parts, body, label=f"evaluate {phase.name}")


def metrics(folder: Path) -> dict[str, dict[str, Any]]:
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


@contextlib.contextmanager
def _answering(context: Context, phase: Phase) -> Iterator[None]:
    if phase.adapter is None:
        with context.policy.base():
            yield
        return
    context.policy.read_adapter(phase.adapter[0] / "adapter")
    yield


def _resume(path: Path) -> list[str]:
    """The responses of a killed run; a torn last line is cut off."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return [row["response"] for row in rows]


def _row(task: Any, example: Example, response: str) -> dict[str, Any]:
    parsed = task.parse(response)
    return {
        "id": example.id, "text": example.text, "image": [str(picture.path) for picture in example.pictures],
        "gold": example.gold, "response": response, "parsed": parsed, "correct": task.correct(parsed, example),
    }  # fmt: skip
