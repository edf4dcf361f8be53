"""What tables call the model of a run, and which of a paper's rows are that model's."""

from __future__ import annotations

from mmie.results import Node

QWEN, LLAVA = "Qwen2.5-VL-7B", "LLaVA-1.5-7B"
TOY_QWEN, TOY_LLAVA = "toy Qwen2.5-VL, 1.1 M", "toy LLaVA"
SMOLLM2 = "SmolLM2-135M, text only"
NAMES = {QWEN.lower(): QWEN, LLAVA.lower(): LLAVA, "smollm2_135m": SMOLLM2}  # by checkpoint
PAPER = "paper"  # the profile whose runs stand beside a paper's numbers
PACKAGED = "mmie:"  # paths of the toy checkpoints, which are shipped with the package


def name_of(model: Node, *, profile: str) -> str:
    """The model by the name of its checkpoint, a packaged one as the toy, an unknown one by path.

    Args:
        model: ``config.model``; without a path, the usual checkpoint of the profile is meant.
        profile: of the run.
    """
    if model.path:
        checkpoint = model.path.lower().rstrip("/").rpartition("/")[2]
        known = (name for start, name in NAMES.items() if checkpoint.startswith(start))
        return TOY_QWEN if model.path.startswith(PACKAGED) else next(known, model.path)
    qwen, llava = (QWEN, LLAVA) if profile == PAPER else (TOY_QWEN, TOY_LLAVA)
    return llava if "llava" in model._target_.lower() else qwen


def usual(profile: str) -> str:
    """The model that is not named beside a run's experiment."""
    return {PAPER: QWEN, "small": SMOLLM2}.get(profile, TOY_QWEN)


def on_paper_data(profile: str, data: Node) -> bool:
    """Whether a run may stand beside a paper's numbers.

    The toy world stays the toy world in the paper profile (``profile=paper data=jmere_toy``).
    """
    return profile == PAPER and ".toy" not in data._target_
