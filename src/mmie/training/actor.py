"""The actor samples the groups of one step from the policy and rewards every response."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mmie.losses import zero_variance
from mmie.models.policy import Policy
from mmie.serving.engine import Engine
from mmie.serving.local import LocalEngine
from mmie.settings import GRPOConfig
from mmie.tasks.task import Task
from mmie.training.generate import finite_logits, questions
from mmie.training.rollouts import Rollouts
from mmie.types import Example, Sampling

Reward = Callable[..., dict[str, float]]


class Actor:
    """Draws G responses per prompt and rewards them.

    The random numbers of a response belong to (seed, step, sample) and nothing else.

    Args:
        policy: the model; its active adapter answers.
        task: makes prompts and parses responses.
        reward: eq. 5 for one response, with its parts.
        config: the ``grpo`` node.
        seed: that of the run.
        engine: who samples; None stands for the policy itself.
    """

    def __init__(
        self,
        policy: Policy,
        task: Task,
        reward: Reward,
        config: GRPOConfig,
        *,
        seed: int,
        engine: Engine | None = None,
    ) -> None:
        self.policy = policy
        self.task = task
        self.reward = reward
        self.config = config
        self.seed = seed
        self.engine = engine or LocalEngine(policy)
        self.sampling = Sampling(config.temperature, config.max_new_tokens)

    def roll_out(self, examples: Sequence[Example], *, step: int) -> Rollouts:
        """Samples and rewards all groups of a step.

        With ``resamples`` above 0 this is DAPO's dynamic sampling: a group whose rewards are all
        equal is drawn again, up to ``resamples`` times, and stays as it is after that.
        """
        rollouts = self._draw(examples, f"rollout-{self.seed}-{step}", step=step)
        for attempt in range(1, self.config.resamples + 1):
            without_signal = zero_variance(rollouts.rewards).nonzero()[:, 0].tolist()
            if not without_signal:
                break
            key = f"rollout-{self.seed}-{step}-again{attempt}"
            again = self._draw([examples[place] for place in without_signal], key, step=step)
            rollouts = rollouts.with_replaced(without_signal, again)
        return rollouts

    def _draw(self, examples: Sequence[Example], key: str, *, step: int) -> Rollouts:
        """One rollout of the given samples; ``key`` and a sample's id seed its random numbers."""
        asked = questions(self.policy, self.task, examples)
        ids = [example.id for example in examples]
        with finite_logits(ids, where=f"step {step}, "):
            responses = self.engine.sample(
                asked,
                [f"{key}-{name}" for name in ids],
                sampling=self.sampling,
                group_size=self.config.group_size,
            )
        texts = self.policy.text(responses)
        return Rollouts(
            step=step,
            examples=list(examples),
            prompts=[question.prompt for question in asked],
            responses=responses,
            texts=texts,
            parts=self.rewards(examples, texts, responses.finished.tolist()),
            group_size=self.config.group_size,
        )

    def rewards(
        self, examples: Sequence[Example], texts: Sequence[str], finished: Sequence[bool]
    ) -> list[dict[str, Any]]:
        """The reward and its parts for each of N = B·G responses.

        Args:
            examples: B samples.
            texts: the N responses; those to one sample follow each other.
            finished: of each response whether it ended before the length limit.
        """
        size = self.config.group_size
        return [
            self._reward(examples[row // size], text, finished[row])
            for row, text in enumerate(texts)
        ]

    def _reward(self, example: Example, response: str, finished: bool) -> dict[str, Any]:
        # A response cut at the length limit is invalid even if its answer can be read. Otherwise
        # nothing would teach the policy to end its responses.
        text = response if finished else ""
        predicted = self.task.parse(text)
        answer, gold_answer = self.task.answer_of(text), self.task.gold_answer(example)
        parts = self.reward(text, predicted, example.gold, answer, gold_answer)
        return {**parts, "invalid": float(predicted is None), "truncated": float(not finished)}
