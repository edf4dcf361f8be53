"""Which stages of a run take place."""

from __future__ import annotations

from mmie.config import ON_DEMAND, STAGES, RunConfig, node

BEFORE = {"distil": "divide", "grpo": "difficulty"}  # stages that no one chooses by name


def due_stages(config: RunConfig) -> set[str]:
    """The chosen stages, and before them all that they need.

    Everything that the configuration has takes place up to the last chosen stage, except for
    evaluation and report: these take place only if they are chosen. A report evaluates first. A
    plan needs the data and trains nothing. Nor do predict and export: they take a finished adapter,
    or that of a training that is chosen besides.
    """
    chosen = set(config.stages)
    if "plan" in chosen:
        return {"plan", "data"} | ({"divide"} if config.sft_share is not None else set())
    due = _up_to_last(config) & _configured(config)
    if {"evaluate", "report"} & chosen:
        due.add("evaluate")
    return due | chosen & {"report", *ON_DEMAND}


def _up_to_last(config: RunConfig) -> set[str]:
    order: list[str] = []
    for stage in STAGES:
        order += [BEFORE[stage], stage] if stage in BEFORE else [stage]
    if config.stages and set(config.stages) <= set(ON_DEMAND):
        return set()
    named = [stage for stage in config.stages if stage not in ON_DEMAND]
    last = max(named, key=order.index, default="data")
    return set(order[: order.index(last) + 1])


def _configured(config: RunConfig) -> set[str]:
    """The stages up to GRPO that the configuration has."""
    stages = {"data"}
    if config.sft_share is not None:
        stages.add("divide")
    if config.sft is not None:
        stages.add("sft")
        if config.sft.response == "reasoned":
            stages |= {"distil", "filter"}
    if config.grpo is not None:
        stages.add("grpo")
        if config.sft is not None and node(config.schedule).by_difficulty:
            stages.add("difficulty")
    return stages
