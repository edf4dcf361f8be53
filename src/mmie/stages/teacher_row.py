"""The teacher as a system: it answers the test split zero-shot and is scored like any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mmie.artifacts import Artifact
from mmie.config import node
from mmie.distil.dispatch import check_refused
from mmie.distil.teacher import Teacher
from mmie.distil.zero_shot import run_zero_shot
from mmie.stages import keys
from mmie.stages.answers import answer, response_file
from mmie.stages.asking import UNANSWERED, note_unanswered, open_record, write_requests
from mmie.stages.context import Context
from mmie.stages.evaluate import write_scores
from mmie.stages.system import System
from mmie.tasks.responses import Direct
from mmie.types import Example, Responded


def evaluate_teacher(context: Context, data: Artifact) -> tuple[str, Artifact]:
    """The system's name, which is that of the teacher's model, and its evaluation.

    Raises:
        InputError: the teacher cannot be asked, or more than ``teacher.max_refused`` of the
            requests are refused.
    """
    teacher = node(context.config.teacher)
    task = node(context.config.task, response=Direct(context.config.zero_shot.teacher_instruction))
    system = System(teacher.model, task, None)
    parts = keys.evaluate_teacher(context, system, data)
    with context.open("evaluate", parts, label=f"evaluate {system.name}") as stage:
        if stage.new and not context.follower:
            examples = context.examples(data.folder, "test")
            responses = _answers(context, system, teacher, examples, stage.work)
            write_scores(context, task, examples, responses, stage.work)
    if not context.follower:
        note_unanswered(context, system.name, stage.artifact.folder)
    return system.name, stage.artifact


def _answers(
    context: Context, system: System, teacher: Teacher, examples: Sequence[Example], folder: Path
) -> list[Responded]:
    """Asks for all answers at once; the record, and not the file, holds those of a killed run."""
    path = folder / "predictions.jsonl"
    path.unlink(missing_ok=True)
    return answer(
        context,
        examples,
        _ask_teacher(context, system, teacher, folder),
        batch_size=len(examples),
        file=response_file(context, system.task, path),
    )


def _ask_teacher(
    context: Context, system: System, teacher: Teacher, folder: Path
) -> Callable[[Sequence[Example]], list[Responded]]:
    """A refused answer counts as the text that came, mostly none, so no test sample is lost."""
    record = open_record(context, teacher)

    def ask(examples: Sequence[Example]) -> list[Responded]:
        prompt = system.task.prompt
        description = f"answering (requests to {teacher.model})"
        with context.progress(description, len(examples), record.ledger.line) as advance:
            replies = run_zero_shot(examples, teacher, record, prompt=prompt, progress=advance)
        write_requests(context, record, teacher, folder)
        check_refused(teacher, record, folder / UNANSWERED)
        return [Responded(reply.text, reply.state == "cut") for reply in replies]

    return ask
