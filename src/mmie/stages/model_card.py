"""The model card of an export: what the weights are, how good they are, and how to ask them."""

from __future__ import annotations

import json
import re
from typing import Any

from markupsafe import Markup

from mmie.artifacts import commit, fingerprint
from mmie.files import slug
from mmie.models.backbone import marker_texts
from mmie.reporting.rendering import markdown
from mmie.stages import keys
from mmie.stages.context import Context
from mmie.stages.delivered import Delivered

LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # what vLLM takes as --max-lora-rank
NEVER = -100  # the bias of a server's request that bans a token


def model_card(context: Context, taken: Delivered, *, base: str, named: bool) -> str:
    """The card in Markdown.

    Args:
        context: the run; its policy is loaded.
        taken: what is exported.
        base: the name of the base.
        named: whether that is one by which others find the base.
    """
    config, policy, task = context.config, context.policy, taken.task
    system = taken.system.name if taken.system else None
    title = f"{system or task.method} ({config.experiment}, {config.profile} profile)"
    tokenizer = policy.backbone.tokenizer
    banned = {str(token): NEVER for token in policy.suppressed}
    return markdown(
        "model_card.md",
        title=title,
        name=slug(system or task.method),
        system=system,
        base=base,
        named=named,
        files=context.model_identity["files"],
        config=config,
        task=task,
        data=config.data["_target_"].rpartition(".")[2],
        sizes=_sizes(taken),
        scores=_scores(context, taken),
        commit=commit(),
        key=fingerprint(config=config),
        prompt=fenced(task.prompt_template()),
        places=[key for key in task.asked if f"{{{key}}}" in task.prompt_template()],
        adapter=taken.key if taken.system else None,
        pictures=len(task.shown),
        paths=Markup(
            json.dumps([f"picture_{number + 1}.png" for number in range(len(task.shown))])
        ),
        markers=marker_texts(tokenizer),
        banned_tokens=[tokenizer.convert_ids_to_tokens(token) for token in policy.suppressed],
        logit_bias=Markup(json.dumps(banned)),
        max_lora_rank=next(
            (rank for rank in LORA_RANKS if rank >= config.lora.rank), LORA_RANKS[-1]
        ),
        max_pixels=policy.max_pixels,
        image_pixels=config.model.get("max_pixels"),
        dtype=str(policy.backbone.model.dtype).removeprefix("torch."),
    )


def fenced(text: str) -> Markup:
    """A block of code, whatever backticks the text has."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markup(f"{fence}\n{text}\n{fence}")


def _sizes(taken: Delivered) -> dict[str, int]:
    """Split → samples; empty where the data of the training are not here."""
    if taken.data is None or not (taken.data.folder / "statistics.json").is_file():
        return {}
    statistics = taken.data.load("statistics.json")
    return {split: statistics[split]["samples"] for split in ("train", "val", "test")}


def _scores(context: Context, taken: Delivered) -> dict[str, Any]:
    """Measure → the scores on the test split, as ``results.json`` has them; empty if untested."""
    if taken.system is None or taken.data is None:
        return {}
    parts = keys.evaluate(context, taken.system, taken.data)
    evaluation = context.foreseen("evaluate", parts)
    if not context.ready("evaluate", evaluation):
        return {}
    measured: dict[str, Any] = evaluation.load("metrics.json")
    return {name: scores for name, scores in measured.items() if scores.get("ci95")}
