"""The plan of a run: requests, updates, tokens, FLOPs, memory, hours and disk, before it is paid.

Only the stage data is run. Everything else is computed from the configuration, from what earlier
runs have left in the store, and from the assumptions of the section ``plan``.
"""

from __future__ import annotations

from mmie.checks import locate
from mmie.config import node
from mmie.models.backbone import DTYPES
from mmie.models.prompt_tokens import PromptTokens, shape_of
from mmie.planning.foresight import foresee
from mmie.planning.limits import Longest, plan_cards, plan_disk, plan_memory, warn_of_lengths
from mmie.planning.model_stages import ModelStages
from mmie.planning.result import Plan
from mmie.planning.teacher import plan_teacher
from mmie.stages.context import Context
from mmie.stages.samples import Samples


def make_plan(context: Context, samples: Samples) -> Plan:
    """The plan of everything that the configuration has and that is not finished.

    Args:
        context: the run.
        samples: the finished stages data and divide.

    Raises:
        InputError: the model's architecture or a part of the configuration cannot be had.
    """
    config = context.config
    plan = Plan(config.experiment, config.profile)
    model = config.model
    backbone = locate("model._target_", model["_target_"])
    tokens = PromptTokens(backbone, model, chars_per_token=config.plan.chars_per_token)
    width = DTYPES[model.get("dtype", "float32")].itemsize
    shape = shape_of(tokens.config, rank=config.lora.rank, value_bytes=width)
    plan.assumptions.append(_how_tokens_are_counted(tokens, config.plan.chars_per_token))

    by_difficulty = node(config.schedule).by_difficulty
    foreseen = foresee(context, samples, by_difficulty=by_difficulty)
    answer_tokens = plan_teacher(plan, context, samples, foreseen)
    stages = ModelStages(
        plan,
        context,
        samples,
        foreseen,
        tokens=tokens,
        shape=shape,
        answer_tokens=answer_tokens,
    )
    stages.add_all()
    longest = Longest(stages.longest_prompt, stages.longest_target)
    plan_memory(plan, context, shape, longest)
    plan_cards(plan, context)
    warn_of_lengths(plan, context, tokens, longest)
    plan_disk(plan, context, samples, shape=shape, tokens=tokens)
    return plan


def _how_tokens_are_counted(tokens: PromptTokens, chars_per_token: float) -> str:
    if tokens.exact:
        return "tokens of the model's texts are exact"
    return f"tokens of the model's texts are characters / {chars_per_token:g}"
