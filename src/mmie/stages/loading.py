"""Loads the model of a run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch
from transformers.utils.logging import disable_progress_bar

from mmie.config import RunConfig, node
from mmie.models.policy import Policy, build_policy


def load_policy(config: RunConfig, *, vision: Path, gpu: int | None) -> Policy:
    """The base of ``config.model`` with an untrained adapter, and its cache of encoded pictures.

    Args:
        config: the resolved configuration.
        vision: the folder for encoded pictures if ``vision.on_disk`` is set.
        gpu: the number of the GPU on which the model computes; None leaves it on the CPU.
    """
    if config.trainer.threads is not None:
        torch.set_num_threads(config.trainer.threads)
    disable_progress_bar()  # of transformers, one for the files of a checkpoint
    policy = build_policy(node(config.model), **asdict(config.lora), seed=config.seed)
    if gpu is not None:
        policy.to(torch.device("cuda", gpu))
    policy.cache_gb = config.memory.cache_gb
    folder = vision if config.vision.on_disk else None
    policy.keep_features(folder, max_bytes=int(config.vision.memory_gb * 1e9))
    return policy
