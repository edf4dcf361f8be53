"""A row for the teacher itself: it answers the test split zero-shot and is scored as any other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmie.artifacts import Artifact
from mmie.config import node
from mmie.distil.dispatch import check_refused
from mmie.distil.record import Record
from mmie.distil.zero_shot import run_zero_shot
from mmie.stages import keys
from mmie.stages.answers import Phase, keep
from mmie.stages.context import Context
from mmie.stages.evaluate import evaluate
from mmie.stages.prepare import record_path, write_requests
from mmie.tasks.responses import Direct
from mmie.training.generate import Responded
from mmie.types import Example


def evaluate_teacher(context: Context, data_stage: Artifact) -> tuple[str, Artifact]:
    """The row's name, which is the teacher's model, and its evaluation.

    Raises:
        InputError: the teacher cannot be asked, or more than ``teacher.max_refused`` of the
            requests are refused.
    """
    task = node(context.config.task, response=Direct(context.config.zero_shot.teacher_instruction))
    phase = Phase(node(context.config.teacher).model, task, None)
    stage = evaluate(context, phase, data_stage, respond=_respond, parts_of=keys.evaluate_teacher)
    return phase.name, stage


def _respond(
    context: Context, phase: Phase, examples: Sequence[Example], path: Path
) -> list[Responded]:
    """The teacher's answers; a refused one is what text came, mostly "": the test split stays whole."""
    teacher = node(context.config.teacher)
    record = Record(record_path(context.store.root / "record", teacher.model))
    with context.progress(f"answering ({teacher.model})", len(examples)) as advance:
        answers = run_zero_shot(
            examples, teacher, record, prompt=phase.task.prompt, progress=advance
        )
    for line in write_requests(record, path.parent):
        context.console.print(f"teacher {teacher.model}: {line}", markup=False, soft_wrap=True)
    check_refused(teacher, record, path.parent / "unanswered.jsonl")
    responses = [Responded(answer.text, answer.state == "cut") for answer in answers]
    path.unlink(missing_ok=True)  # of a run that was killed while it wrote
    keep(context, phase, examples, responses, path)
    return responses
