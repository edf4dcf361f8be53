"""Stage difficulty: which of GRPO's samples the warmed-up model already gets right (MORE-R1)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmie.artifacts import Artifact
from mmie.files import write_json
from mmie.stages import keys
from mmie.stages.context import Context
from mmie.stages.prepare import training_examples
from mmie.stages.samples import Samples
from mmie.stages.shares import answers
from mmie.stages.system import System, warmed_up
from mmie.types import Example


def difficulty(context: Context, samples: Samples, sft: Artifact) -> Artifact:
    """The warmed-up model answers the samples that are for GRPO: right is easy, wrong is hard.

    Writes ``answers.jsonl`` as the answers come, and ``easy.json``: sample id → whether the whole
    answer is right.
    """
    system = warmed_up(context, sft)
    with context.open("difficulty", keys.difficulty(context, system, samples)) as stage:
        if stage.new:
            examples = training_examples(context, samples, "grpo")
            _write_easy(context, system, examples, stage.work)
    easy = stage.artifact.load("easy.json")
    right = f"{sum(easy.values()):,} of {len(easy):,}"
    context.console.print(f"{system.name} answers {right} rightly (easy), the rest are hard")
    return stage.artifact


def _write_easy(
    context: Context, system: System, examples: Sequence[Example], folder: Path
) -> None:
    task, config = system.task, context.config.evaluation.for_training()
    easy = {}
    responses = answers(context, system, examples, folder / "answers.jsonl", config)
    if responses is None:
        return
    for example, response in zip(examples, responses, strict=True):
        reading = task.read(response.text, lenient=config.lenient)
        easy[example.id] = task.is_right(reading.prediction, example, invalid=reading.invalid)
    write_json(folder / "easy.json", easy)


def easy_samples(difficulty: Artifact, examples: Sequence[Example]) -> list[bool]:
    """Which of the samples are easy, in their order."""
    easy = difficulty.load("easy.json")
    return [easy[example.id] for example in examples]
