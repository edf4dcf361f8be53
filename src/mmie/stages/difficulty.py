"""Stage difficulty: the warmed-up model answers the samples that are for GRPO; right is easy, wrong is hard (MORE-R1)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from mmie.artifacts import Artifact
from mmie.files import write_json
from mmie.stages import keys
from mmie.stages.answers import Phase, answers
from mmie.stages.context import Context
from mmie.stages.prepare import training_examples
from mmie.types import Example


def difficulty(
    context: Context, data_stage: Artifact, division: Artifact | None, sft_stage: Artifact
) -> Artifact:
    """Writes ``answers.jsonl`` as they come and ``easy.json``, sample id → whether the whole answer is right."""
    task = context.reasoned
    phase = Phase(task.warmed_up, task, sft_stage)

    def body(folder: Path) -> None:
        examples = training_examples(context, data_stage, division, "grpo")
        responses = answers(context, phase, examples, folder / "answers.jsonl")
        readings = [
            task.read(response.text, lenient=context.config.evaluation.lenient)
            for response in responses
        ]
        right = {
            example.id: task.is_right(reading.prediction, example, invalid=reading.invalid)
            for example, reading in zip(examples, readings, strict=True)
        }
        write_json(folder / "easy.json", right)

    parts = keys.difficulty(context, phase, data_stage, division)
    artifact = context.stage("difficulty", parts, body)
    easy = json.loads((artifact.folder / "easy.json").read_text(encoding="utf-8"))
    context.console.print(
        f"{task.warmed_up} answers {sum(easy.values()):,} of {len(easy):,} rightly (easy), the rest are hard"
    )
    return artifact


def easy_samples(folder: Path, examples: Sequence[Example]) -> list[bool]:
    """Which of the samples are easy, in their order."""
    easy = json.loads((folder / "easy.json").read_text(encoding="utf-8"))
    return [easy[example.id] for example in examples]
