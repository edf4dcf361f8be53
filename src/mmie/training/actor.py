"""The actor: samples the groups of one step from the policy and rewards every response."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from mmie.losses import zero_variance
from mmie.models.batch import Completions, concatenate
from mmie.models.policy import Policy
from mmie.settings import GRPOConfig
from mmie.tasks.task import Task
from mmie.training.generate import Sampling, finite_logits, uniforms
from mmie.training.rollouts import Rollouts
from mmie.types import Example

Reward = Callable[..., dict[str, float]]


class Actor:
    """Draws G responses per prompt and rewards them.

    The random numbers of a response belong to (seed, step, sample) and nothing else.

    Args:
        policy: the model; its active adapter answers.
        task: makes prompts, parses responses.
        reward: eq. 5 for one response, with its parts.
        config: the ``grpo`` node.
        seed: of the run.
    """

    def __init__(
        self, policy: Policy, task: Task, reward: Reward, config: GRPOConfig, *, seed: int
    ) -> None:
        self.policy = policy
        self.task = task
        self.reward = reward
        self.config = config
        self.seed = seed
        self.sampling = Sampling(config.temperature, config.max_new_tokens)

    def roll_out(self, examples: Sequence[Example], *, step: int) -> Rollouts:
        """Sample → reward for all groups of a step; ``resamples`` > 0 is DAPO's dynamic sampling.

        A group whose rewards are all equal is drawn again, up to ``resamples`` times, and kept as
        it is after that.
        """
        rollouts = self._attempt(examples, f"rollout-{self.seed}-{step}", step=step)
        for attempt in range(1, self.config.resamples + 1):
            stale = zero_variance(rollouts.rewards).nonzero()[:, 0].tolist()
            if not stale:
                break
            key = f"rollout-{self.seed}-{step}-again{attempt}"
            again = self._attempt([examples[place] for place in stale], key, step=step)
            rollouts = rollouts.replaced(stale, again)
        return rollouts

    def _attempt(self, examples: Sequence[Example], key: str, *, step: int) -> Rollouts:
        prompts = [
            self.policy.encode(self.task.prompt(example), example.pictures) for example in examples
        ]
        width = self.config.rollout_prompts or len(examples)
        parts = []
        for start in range(0, len(examples), width):
            names = [example.id for example in examples[start : start + width]]
            with finite_logits(names, where=f"step {step}, "):
                keys = [f"{key}-{name}" for name in names]
                parts.append(self._sample(prompts[start : start + width], keys))
        responses = concatenate(parts)
        texts, rewards = self.judge(examples, responses)
        size = self.config.group_size
        return Rollouts(step, list(examples), prompts, responses, texts, rewards, size)

    def _sample(self, prompts: Sequence[Any], keys: Sequence[str]) -> Completions:
        config = self.config
        numbers: Tensor = uniforms(keys, group_size=config.group_size, sampling=self.sampling)
        batch = self.policy.batch(prompts)
        return self.policy.sample(batch, numbers, temperature=config.temperature)

    def judge(
        self, examples: Sequence[Example], responses: Completions
    ) -> tuple[list[str], list[dict[str, Any]]]:
        """Texts and reward parts of N responses.

        A response cut at the length limit is invalid, even where what it says so far could be read:
        otherwise never ending would cost nothing.
        """
        texts = self.policy.text(responses)
        owners = [example for example in examples for _ in range(self.config.group_size)]
        judged = zip(owners, texts, responses.finished.tolist(), strict=True)
        return texts, [self._reward(*row) for row in judged]

    def _reward(self, example: Example, response: str, finished: bool) -> dict[str, Any]:
        text = response if finished else ""
        predicted = self.task.parse(text)
        answer, gold_answer = self.task.answer_of(text), self.task.gold_answer(example)
        parts = self.reward(text, predicted, example.gold, answer, gold_answer)
        return {**parts, "invalid": float(predicted is None), "truncated": float(not finished)}
