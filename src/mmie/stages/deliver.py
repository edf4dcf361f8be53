"""Stages predict and export: what they need is checked before anything costs time."""

from __future__ import annotations

from mmie.stages.context import Context
from mmie.stages.delivered import DELIVERIES, check_adapter
from mmie.stages.export import export, export_folder
from mmie.stages.predict import predict
from mmie.stages.questions import questions

__all__ = ["check", "export", "predict"]


def check(context: Context) -> None:
    """Before anything costs time: reads and checks the questions into ``context.questions``.

    Raises:
        InputError: a question cannot be answered, there is no adapter and none is to be trained, or
            the folder of the export cannot be made.
    """
    stages = context.config.stages
    task = context.reasoned  # building it refuses a wrong label, whatever the stages are
    if not {*DELIVERIES} & {*stages}:
        return
    if "predict" in stages and not context.follower:
        track = context.track
        context.questions = questions(context.config.predict, task, track=track)
    check_adapter(context)
    if "export" in stages and not context.follower:
        export_folder(context)
