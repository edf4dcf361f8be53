"""What the values of a configuration must not say together."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mmie import resolvers
from mmie.checks import locate, misfilled_prompts, misfits, prompt_problem, task_of
from mmie.settings import RunConfig
from mmie.templates import Places

STAGES = ("data", "distil", "filter", "sft", "grpo", "evaluate", "report")
ON_DEMAND = ("predict", "export", "plan")
ZERO_SHOT = ("base", "teacher")
NODES = ("task", "data", "model", "teacher", "reward", "schedule", "rollout")
ADDED = {"task": ["response"]}  # arguments that the pipeline gives
FOR_EVERY_TASK = ("file", "adapter")  # keys of predict


def contradictions(run: RunConfig) -> Iterator[str]:
    """One line for each problem, which begins with the full key.

    The last one reads the nodes and relies on those being free of misfits.
    """
    yield from _experiment_of_another_task(run)
    yield from _unknown_names(run)
    yield from _uneven_batches(run)
    yield from _conflicting_training(run)
    yield from _conflicting_samples(run)
    yield from _unusable_paths(run)
    yield from _only_on_gpus(run)
    yield from _node_misfits(run)
    yield from _unknown_questions(run)


def _experiment_of_another_task(run: RunConfig) -> Iterator[str]:
    """A row of one task's table would carry its name and its paper's numbers to another task."""
    task = task_of(run.task)
    files = (resolvers.CONF / "tasks").glob("*/experiment/*.yaml")
    homes = [file.parent.parent.name for file in files if file.stem == run.experiment]
    if homes and task is not None and task not in homes:
        remedy = f"leave task={task} out, or the experiment"
        yield f"experiment: {run.experiment} is a row of {homes[0]}, and this is {task}; {remedy}"


def _unknown_names(run: RunConfig) -> Iterator[str]:
    known = STAGES + ON_DEMAND
    for stage in run.stages:
        if stage not in known:
            yield f"stages: {stage!r} is unknown; the stages are {', '.join(known)}"
    if "plan" in run.stages and set(run.stages) != {"plan"}:
        yield "stages: plan runs nothing but the stage data; name it alone"
    for system in run.zero_shot.systems:
        if system not in ZERO_SHOT:
            yield f"zero_shot.systems: {system!r} is unknown; choose from {' and '.join(ZERO_SHOT)}"
    fault = _regex_fault(run.lora.targets or "")
    if fault is not None:
        targets = run.lora.targets
        yield f"lora.targets: {targets!r} is no regular expression ({fault}); correct it"


def _regex_fault(pattern: str) -> str | None:
    try:
        re.compile(pattern)
    except re.error as error:
        return str(error)
    return None


def _uneven_batches(run: RunConfig) -> Iterator[str]:
    devices = run.trainer.processes
    if run.sft:
        batch, micro = run.sft.batch_size, run.sft.micro_batch_size
        if batch % (micro * devices):
            whole = f"sft.micro_batch_size {micro} × {devices} devices"
            yield f"sft.batch_size: {batch} is no multiple of {whole}; change one of them"
    if run.grpo:
        prompts, micro = run.grpo.prompts_per_step, run.grpo.micro_prompts
        if prompts % (micro * devices):
            whole = f"grpo.micro_prompts {micro} × {devices} devices"
            yield f"grpo.prompts_per_step: {prompts} is no multiple of {whole}; change one of them"


def _conflicting_training(run: RunConfig) -> Iterator[str]:
    if run.grpo and (run.grpo.clip_low is None) != (run.grpo.clip_high is None):
        keys = "grpo.clip_low, grpo.clip_high"
        yield f"{keys}: one is null and the other is not; set both, or neither"
    if run.grpo and run.sft and run.sft.response != "reasoned":
        remedy = "use sft=cot_warmup, sft=none or grpo=none"
        yield f"sft.response: {run.sft.response!r} cannot warm up GRPO; {remedy}"


def _conflicting_samples(run: RunConfig) -> Iterator[str]:
    if run.evaluation.samples > 1 and run.evaluation.temperature == 0:
        same = f"{run.evaluation.samples} responses at temperature 0 are all the same"
        yield f"evaluation.samples: {same}; raise evaluation.temperature or take 1"
    if run.sft_share is not None and run.grpo and not run.sft:
        share = f"nothing is warmed up on this share ({run.sft_share}), as sft is none"
        yield f"sft_share: {share}; set sft_share=null"


def _unusable_paths(run: RunConfig) -> Iterator[str]:
    if not run.artifacts.strip():
        yield "artifacts: it is empty; give a folder"
    sources = run.report.sources
    paths = isinstance(sources, list) and all(path and isinstance(path, str) for path in sources)
    if not paths:
        remedy = "name results.json files or folders of them"
        yield f"report.runs: {run.report.runs!r} is neither a path nor a list of paths; {remedy}"


def _only_on_gpus(run: RunConfig) -> Iterator[str]:
    wanted = {"precision": "16-mixed", "strategy": "deepspeed_zero2"}
    for key, value in wanted.items():
        if getattr(run.trainer, key) == value and run.trainer.accelerator == "cpu":
            yield f"trainer.{key}: {value} needs a GPU; take trainer=gpu, or another {key}"


def _node_misfits(run: RunConfig) -> Iterator[str]:
    for key in NODES:
        yield from misfits(key, getattr(run, key), added=ADDED.get(key, ()))
    yield from misfits("cot.chains", run.cot.chains)
    for key, value in run.filter.items():
        yield from misfits(f"filter.{key}", value)
    yield from misfilled_prompts("task", run.task)
    yield from misfilled_prompts("cot.chains", run.cot.chains)
    yield from prompt_problem("reasoning_instruction", run.reasoning_instruction, Places())


def _unknown_questions(run: RunConfig) -> Iterator[str]:
    asked = locate("task._target_", run.task["_target_"]).asked
    for key in FOR_EVERY_TASK:
        value = run.predict.get(key)
        if value is not None and not (isinstance(value, str) and value.strip()):
            yield f"predict.{key}: {value!r} is no path; give one, or null"
    for key in run.predict:
        if key not in (*asked, *FOR_EVERY_TASK):
            takes = ", ".join((*asked, *FOR_EVERY_TASK))
            yield f"predict.{key}: the task asks for no such thing; it takes {takes}"
