"""What a run has left behind: the results of its stages, and how long its responses are."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from mmie.artifacts import Artifact
from mmie.files import parse_json
from mmie.stages import keys
from mmie.stages.context import Context
from mmie.stages.samples import Samples
from mmie.stages.system import System, systems, warmed_up
from mmie.training.resume import NAME


@dataclass(frozen=True)
class Foreseen:
    """The stages that this configuration has, with the folders of their results, finished or not.

    None stands for a stage that it does not have.
    """

    distil: Artifact | None = None
    chosen: Artifact | None = None
    sft: Artifact | None = None
    difficulty: Artifact | None = None
    grpo: Artifact | None = None


def foresee(context: Context, samples: Samples, *, by_difficulty: bool) -> Foreseen:
    """Every stage's key follows from the configuration and the data, so nothing need be run."""
    config = context.config
    distil = chosen = sft = difficulty = grpo = None
    if config.sft is not None:
        if config.sft.response == "reasoned":
            distil = context.foreseen("distil", keys.distil(context, samples))
            chosen = context.foreseen("filter", keys.filtered(context, distil))
        sft = context.foreseen("sft", keys.sft(context, config.sft, samples, chosen))
    if config.grpo is not None:
        if sft is not None and by_difficulty:
            parts = keys.difficulty(context, warmed_up(context, sft), samples)
            difficulty = context.foreseen("difficulty", parts)
        parts = keys.grpo(context, config.grpo, samples, reference=sft, difficulty=difficulty)
        grpo = context.foreseen("grpo", parts)
    return Foreseen(distil, chosen, sft, difficulty, grpo)


def steps_done(context: Context, stage: str, artifact: Artifact) -> int:
    """Updates of a training up to its last resume point."""
    folder = context.store.partial(stage, artifact.key)
    names = [NAME.fullmatch(path.name) for path in folder.glob("step-*.ckpt")]
    return max((int(name[1]) for name in names if name), default=0)


def answered(context: Context, stage: str, artifact: Artifact, file: str) -> list[str]:
    """The responses so far of a stage that answers samples, finished or not."""
    finished = context.store.ready(stage, artifact.key)
    folder = artifact.folder if finished else context.store.partial(stage, artifact.key)
    path = folder / file
    if not path.is_file():
        return []
    responses = []
    for line in path.read_bytes().splitlines():
        try:
            responses.append(str(parse_json(line)["response"]))
        except (ValueError, LookupError, TypeError):  # torn, or being written at this moment
            break
    return responses


def reasoned_length(
    context: Context,
    data: Artifact,
    foreseen: Foreseen,
    *,
    count: Callable[[str], int],
    targets: Sequence[float],
    targets_are: str,
) -> tuple[float, str]:
    """Expected tokens of a response that reasons, and where the number comes from.

    The latest evidence counts: rollouts so far, answers of the warmed-up model, what it learns.

    Args:
        context: the run.
        data: the stage data.
        foreseen: the other stages.
        count: tokens of a response.
        targets: tokens of the responses that the warm-up learns.
        targets_are: what they are, for the source.
    """
    if foreseen.grpo is not None:
        for folder in (
            foreseen.grpo.folder,
            context.store.partial("grpo", foreseen.grpo.key),
        ):
            lengths = _logged(folder / "metrics.csv", "train/length_mean")
            if lengths:
                return fmean(lengths), f"mean of {len(lengths):,} steps of GRPO"
    for system in reasoning_systems(context, foreseen):
        artifact = context.foreseen("evaluate", keys.evaluate(context, system, data))
        said = answered(context, "evaluate", artifact, "predictions.jsonl")
        if said:
            return fmean(map(count, said)), f"mean of {len(said):,} answers of {system.name}"
    if foreseen.difficulty is not None:
        said = answered(context, "difficulty", foreseen.difficulty, "answers.jsonl")
        if said:
            return fmean(map(count, said)), f"mean of {len(said):,} answers of the warm-up"
    return fmean(targets), targets_are


def reasoning_systems(context: Context, foreseen: Foreseen) -> list[System]:
    """The trained systems that think before they answer."""
    rows = systems(context, foreseen.sft, foreseen.grpo)
    return [row for row in rows if row.adapter is not None and row.task is context.reasoned]


def _logged(path: Path, name: str) -> list[float]:
    """The values of one metric; a torn last line is passed over."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if len(row) == 3]
    return [float(value) for _, metric, value in rows if metric == name]
