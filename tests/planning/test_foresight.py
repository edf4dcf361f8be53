"""What a killed run has left is taken off the plan."""

from __future__ import annotations

from pathlib import Path

from helpers.small_runs import config_of
from mmie.artifacts import Artifact, Store
from mmie.planning.foresight import answered, steps_done
from mmie.stages.context import Context


def context_of(folder: Path) -> Context:
    return Context(config_of(folder), Store(folder / "artifacts"), folder)


def test_whole_lines_of_a_killed_evaluation_count(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    folder = context.store.partial("evaluate", "k")
    folder.mkdir(parents=True)
    torn = '{"id": "a", "response": "one"}\n{"id": "b", "response": "two"}\n{"id": "c", "resp'
    (folder / "predictions.jsonl").write_text(torn, encoding="utf-8")
    artifact = Artifact(context.store.path("evaluate", "k"), "k")
    assert answered(context, "evaluate", artifact, "predictions.jsonl") == ["one", "two"]
    assert answered(context, "evaluate", artifact, "others.jsonl") == []
    # Another run may be writing it at this moment, so a plan repairs nothing.
    assert (folder / "predictions.jsonl").read_text(encoding="utf-8") == torn


def test_updates_up_to_the_last_resume_point_count(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    artifact = Artifact(context.store.path("grpo", "k"), "k")
    assert steps_done(context, "grpo", artifact) == 0
    folder = context.store.partial("grpo", "k")
    folder.mkdir(parents=True)
    for name in ("step-20.ckpt", "step-30.ckpt", "part-step-40", "step-x.ckpt"):
        (folder / name).touch()
    assert steps_done(context, "grpo", artifact) == 30
