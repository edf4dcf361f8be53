"""What tables call the model of a run, and which of a paper's rows are that model's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

QWEN, LLAVA = "Qwen2.5-VL-7B", "LLaVA-1.5-7B"
TOY_QWEN, TOY_LLAVA = "toy Qwen2.5-VL, 1.1 M", "toy LLaVA"
CHOICES = {
    "qwen2_5_vl_7b": QWEN,
    "llava_1_5_7b": LLAVA,
}  # conf/model/<choice>.yaml, and the keys of an experiment's ``paper``
PAPER = "paper"  # the profile whose runs stand beside a paper's numbers
PACKAGED = "mmie:"  # paths of the toy checkpoints, which are shipped with the package


def name_of(model: Mapping[str, Any], *, profile: str) -> str:
    """A paper's model by its checkpoint's name, a packaged one as the toy, any other by its path.

    Args:
        model: the node ``model`` of a configuration; empty for results that do not hold their
        configuration. These are
            taken for the usual model of their profile.
        profile: of the run.
    """
    path, kind = (str(model.get(key) or "") for key in ("path", "_target_"))
    checkpoint = path.lower().rstrip("/").rpartition("/")[2]
    if path.startswith(PACKAGED):
        return TOY_QWEN
    if path:
        return next((name for name in (QWEN, LLAVA) if checkpoint.startswith(name.lower())), path)
    qwen, llava = (QWEN, LLAVA) if profile == PAPER else (TOY_QWEN, TOY_LLAVA)
    return llava if "llava" in kind.lower() else qwen


def usual(profile: str) -> str:
    """The model that is not named beside a run's experiment."""
    return QWEN if profile == PAPER else TOY_QWEN


def on_paper_data(profile: str, data: object) -> bool:
    """Whether a run may stand beside a paper's numbers; ``data`` is the node of that name.

    The toy world is the toy world in the paper profile, too (``profile=paper data=jmere_toy``).
    """
    target = str(data.get("_target_") or "") if isinstance(data, Mapping) else ""
    return profile == PAPER and ".toy" not in target


def paper_row(
    paper: Mapping[str, Any] | None, *, model: Mapping[str, Any], profile: str, data: object
) -> dict[str, Any] | None:
    """The paper's row of an experiment for the run's own model; None where the paper has none.

    Args:
        paper: of the experiment file: ``source``, and for each choice of ``CHOICES`` measure →
        score → value in 0..1.
        model: the node of that name.
        profile: of the run.
        data: the node of that name.
    """
    if paper is None or not on_paper_data(profile, data):
        return None
    name = name_of(model, profile=profile)
    measures = next((paper.get(choice) for choice, known in CHOICES.items() if known == name), None)
    return {"source": f"{paper['source']}, {name}", **measures} if measures else None
