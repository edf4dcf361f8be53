"""Stage evaluate for the teacher itself: it answers the test split zero-shot, through the record, and is scored as any other system."""

from __future__ import annotations

import json
from pathlib import Path

from mmie.config import node
from mmie.cot.desk import check_refused
from mmie.cot.record import Record
from mmie.cot.zero_shot import run_zero_shot
from mmie.stages.answers import Phase, Stage, row
from mmie.stages.context import Context
from mmie.stages.evaluate import ANALYSIS, write_scores
from mmie.stages.prepare import record_path, write_requests
from mmie.tasks.responses import Direct
from mmie.training.generate import Responded


def evaluate_teacher(context: Context, data_stage: Stage) -> tuple[str, Stage]:
    """The row's name, which is the teacher's model, and its evaluation.

    A refused answer counts as "", so that the test split stays whole.

    Raises:
        InputError: the teacher cannot be asked, or more than ``teacher.max_refused`` of the requests are refused.
    """
    config = context.config
    teacher, instruction = node(config.teacher), config.zero_shot.teacher_instruction
    phase = Phase(teacher.model, node(config.task, response=Direct(instruction)), None)

    def body(folder: Path) -> None:
        examples = context.examples(data_stage[0], "test")
        record = Record(record_path(context, teacher.model))
        with context.progress(f"answering ({teacher.model})", len(examples)) as advance:
            answers = run_zero_shot(examples, teacher, record, prompt=phase.task.prompt, progress=advance)
        for line in write_requests(record, folder):
            context.console.print(f"teacher {teacher.model}: {line}", markup=False, soft_wrap=True)
        check_refused(teacher, record, folder / "unanswered.jsonl")
        responses = [Responded(answer.text, answer.state == "cut") for answer in answers]
        with (folder / "predictions.jsonl").open("w", encoding="utf-8") as file:
            for example, response in zip(examples, responses, strict=True):
                line = json.dumps(row(phase.task, example, response), ensure_ascii=False)
                file.write(f"{line}\n")
        write_scores(context, phase, examples, responses, folder)

    parts = {
        "data": data_stage[1],
        "task": config.task,
        "teacher": [teacher.model, dict(teacher.parameters), teacher.max_pixels],
        "instruction": instruction,
        "analysis": ANALYSIS,
        "bootstrap_samples": config.evaluation.bootstrap_samples,
        "seed": config.seed,
    }
    return phase.name, context.stage("evaluate", parts, body, label=f"evaluate {phase.name}")
