"""Which stages of a run take place."""

from __future__ import annotations

from mmie.config import ON_DEMAND, STAGES, RunConfig, node

BEFORE = {"distil": "divide", "grpo": "difficulty"}  # stages that no one chooses by name


def due_stages(config: RunConfig) -> set[str]:
    """The chosen stages, and before them all that they need.

    Everything that the configuration has takes place up to the last chosen stage, except for
    evaluation and report: these take place only if they are chosen. A report evaluates first. A
    plan needs the data and trains nothing.
    """
    chosen = set(config.stages)
    if "plan" in chosen:
        return {"plan", "data"} | ({"divide"} if config.sft_share is not None else set())
    if config.predict["adapter"] is not None and chosen <= set(ON_DEMAND):
        return chosen  # the adapter of an earlier run is all that they need
    due = _up_to_last(config) & _configured(config)
    if {"evaluate", "report"} & chosen:
        due.add("evaluate")
    return due | chosen & {"report", *ON_DEMAND}


def _up_to_last(config: RunConfig) -> set[str]:
    order: list[str] = []
    for stage in (*STAGES, *ON_DEMAND):
        order += [BEFORE[stage], stage] if stage in BEFORE else [stage]
    last = max(config.stages, key=order.index, default="data")
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
