"""Small sessions with a served toy model: the same against a real vLLM and against a stand-in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from helpers.configured import run_config
from mmie.config import node
from mmie.models.batch import Completions
from mmie.models.policy import Policy, build_policy
from mmie.serving.choice import VLLM, Use
from mmie.serving.engine import Question
from mmie.serving.vllm import VLLMEngine, open_engine
from mmie.types import Picture, Sampling

CONFIG = run_config("rollout=vllm")
RANK = 8
TEXTS = (
    "text : Ann Lee and Bob Ray at Elm Bay . think then answer .",
    "text : so proud of Omar Pia ! think then answer .",
    "text : Kofi Moss for Apex Club . think then answer .",
)
GREEDY, NEUTRAL, COOL = Sampling(0.0, 12), Sampling(1.0, 12), Sampling(0.8, 12)


@cache
def _loaded(rank: int) -> Policy:
    torch.set_num_threads(1)
    return build_policy(node(CONFIG.model), rank=rank, alpha=16, dropout=0.0, seed=0).eval()


def toy_policy(*, rank: int = RANK) -> Policy:
    """The toy checkpoint; its adapter is that of ``adapt(policy, 1)``."""
    policy = _loaded(rank)
    adapt(policy, 1)
    return policy


def adapt(policy: Policy, seed: int) -> None:
    """Gives the policy an adapter of random weights."""
    generator = torch.Generator().manual_seed(seed)
    state = {
        key: 0.05 * torch.randn(value.shape, generator=generator)
        for key, value in sorted(policy.adapter_state().items())
    }
    policy.load_adapter_state(state)


def choice_of(address: str | None, **changes: Any) -> VLLM:
    settings = {"address": address, "retries": 0, "timeout": 300.0, **changes}
    return replace(node(CONFIG.rollout), **settings)


def use_of(folder: Path, *, rank: int = RANK) -> Use:
    return Use(
        model=CONFIG.model,
        rank=rank,
        targets=None,
        processes=1,
        leader=True,
        folder=folder,
        new_tokens=12,
        run="test",
    )


@contextmanager
def opened(address: str, policy: Policy, folder: Path, **changes: Any) -> Iterator[VLLMEngine]:
    """An engine on a server that goes on running, as one at ``rollout.address`` does."""
    with closing(open_engine(choice_of(address, **changes), policy, use_of(folder))) as engine:
        yield engine


def questions(policy: Policy, folder: Path) -> list[Question]:
    """Three questions with pictures of unequal sizes."""
    asked = []
    for number, text in enumerate(TEXTS):
        path = folder / f"{number}.png"
        colour = (200, 60 * number, 30)
        Image.new("RGB", (60 + 40 * number, 84), colour).save(path)
        pictures = (Picture(path),)
        asked.append(Question(f"q{number}", pictures, policy.encode(text, pictures)))
    return asked


@dataclass(frozen=True)
class Seen:
    """What ``whole_session`` has seen."""

    greedy: Completions
    neutral: Completions
    cool: Completions
    second: Completions


def whole_session(engine: VLLMEngine, policy: Policy, asked: Sequence[Question]) -> Seen:
    """Answers of the base, groups of an adapter, and answers of the adapter after it."""
    keys = [f"key-{question.id}" for question in asked]
    with policy.base():
        greedy = engine.sample(asked, keys, sampling=GREEDY)
    neutral = engine.sample(asked, keys, sampling=NEUTRAL, group_size=3)
    cool = engine.sample(asked[:1], keys[:2], sampling=COOL)
    adapt(policy, 2)
    second = engine.sample(asked, keys, sampling=GREEDY)
    return Seen(greedy, neutral, cool, second)
