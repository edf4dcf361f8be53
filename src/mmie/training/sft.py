"""Eq. 1: supervised fine-tuning of the adapter on responses."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from mmie.losses import sft_loss
from mmie.models.policy import Policy
from mmie.settings import ALL_AT_ONCE, LearningConfig, MemoryConfig
from mmie.training.module import AdapterModule
from mmie.training.plan import MicroBatch
from mmie.types import Example


@dataclass(frozen=True)
class Demonstration:
    """One SFT sample: the example, the text of its prompt and the token ids to learn."""

    example: Example
    prompt: str
    response_ids: list[int]

    def text_tokens(self, policy: Policy) -> int:
        """Tokens of prompt and response, without those of the pictures."""
        return len(policy.response_ids(self.prompt)) + len(self.response_ids)


class SFTModule(AdapterModule):
    """Token-mean cross-entropy on the response, prompt masked (eq. 1, section 3.2).

    Args:
        policy: base and adapter.
        config: the ``sft`` node.
        steps: number of optimizer steps.
        memory: what a pass holds at once.
        seed: with the step, the micro-batch and the process the only source of dropout's
            randomness.
    """

    def __init__(
        self,
        policy: Policy,
        config: LearningConfig,
        *,
        steps: int,
        memory: MemoryConfig = ALL_AT_ONCE,
        seed: int = 0,
    ) -> None:
        super().__init__(policy, config, steps=steps)
        self.seed = seed
        self.memory = memory

    def training_step(self, batch: MicroBatch, index: int) -> Tensor:
        encoded = [self.policy.encode(item.prompt, item.example.pictures) for item in batch.items]
        prompts = self.policy.batch(encoded)
        responses = self.policy.completions_of([item.response_ids for item in batch.items])
        logps = self.policy.row_logps(prompts, responses, memory=self.memory)
        loss = sft_loss(logps, responses.mask)
        self.require_finite(loss, batch)
        self.log("train/loss", loss.detach(), prog_bar=True, batch_size=len(batch.items))
        return loss * batch.weight

    def name_of(self, item: Demonstration) -> str:
        return item.example.id

    def on_fit_start(self) -> None:
        """Sets train mode, in which alone dropout works.

        Lightning leaves the mode as it finds it.
        """
        self.policy.train()

    def on_train_batch_start(self, batch: MicroBatch, batch_idx: int) -> None:
        """Makes the dropout of a step independent of all random numbers drawn before it.

        So it is the same after a resume.
        """
        micro_batch = batch_idx % self.trainer.accumulate_grad_batches
        key = f"dropout-{self.seed}-{batch.step}-{micro_batch}-{self.global_rank}"
        torch.manual_seed(random.Random(key).getrandbits(63))

    def on_train_end(self) -> None:
        self.policy.eval()
