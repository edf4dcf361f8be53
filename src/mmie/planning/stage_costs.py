"""Tokens and work of the stages that use the model, from their numbers alone.

Rows of a batch are taken to be of one length: padding, and steps in which only the longest response
of a batch still runs, are left out. So is the vision tower, which sees every picture once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mmie.costs import Pass, Shape, Speed, Work, decoding, forward, hours, learning, sequence
from mmie.settings import GRPOConfig, MemoryConfig


@dataclass(frozen=True)
class Cost:
    """What a stage computes.

    Attributes:
        prompt_tokens: of the prompts of all steps; a prompt counts once for all its responses.
        response_tokens: that are learned or sampled.
        passes: passes over whole texts, which are bound by their FLOPs.
        decoding: token by token, which is mostly bound by the bytes that it reads.
    """

    prompt_tokens: float = 0.0
    response_tokens: float = 0.0
    passes: Work = field(default_factory=Work)
    decoding: Work = field(default_factory=Work)

    @property
    def flops(self) -> float:
        return self.passes.flops + self.decoding.flops

    def hours(self, speed: Speed) -> float:
        """On one card; what is decoded and what is passed over takes its time in turn."""
        return hours(self.passes, speed) + hours(self.decoding, speed)

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.prompt_tokens + other.prompt_tokens,
            self.response_tokens + other.response_tokens,
            self.passes + other.passes,
            self.decoding + other.decoding,
        )

    def __mul__(self, times: float) -> Cost:
        tokens = (self.prompt_tokens * times, self.response_tokens * times)
        return Cost(*tokens, self.passes * times, self.decoding * times)


def sft_cost(
    shape: Shape,
    steps: Sequence[Sequence[int]],
    sizes: Sequence[tuple[int, float]],
    memory: MemoryConfig,
) -> Cost:
    """Eq. 1 on whole rows of prompt and response.

    Args:
        shape: the model.
        steps: samples of each update.
        sizes: prompt and response tokens of each sample.
        memory: says what is computed again.
    """
    total = Cost()
    for index in (index for step in steps for index in step):
        prompt, response = sizes[index]
        flops = learning(
            shape,
            sequence(prompt + response, logits=response),
            layers_again=memory.recompute_layers,
            logits_again=memory.logits_chunk is not None,
        )
        total += Cost(prompt, response, Work(flops))
    return total


def grpo_cost(
    shape: Shape,
    steps: Sequence[Sequence[int]],
    prompts: Sequence[int],
    *,
    response: float,
    config: GRPOConfig,
    memory: MemoryConfig,
    processes: int,
) -> Cost:
    """Rollouts, and for each update on them the reference and the policy.

    Args:
        shape: the model.
        steps: samples of each rollout.
        prompts: tokens of each sample's prompt.
        response: tokens of a response.
        config, memory: the sections.
        processes: among which the prompts of a step are divided.
    """
    at_once = config.prompts_per_step // processes * config.group_size
    total, of_length = Cost(), {}
    for prompt in (prompts[index] for step in steps for index in step):
        if prompt not in of_length:
            tokens = prompt + config.max_new_tokens
            rows = shape.rows_within(memory.cache_gb, tokens=tokens, rows=at_once)
            rollout = one_answer(
                shape, prompt, response, group=config.group_size, side_by_side=rows
            )
            update = _update_flops(shape, prompt, response, config, memory)
            of_length[prompt] = rollout + Cost(passes=Work(config.updates_per_group * update))
        total += of_length[prompt]
    return total


def one_answer(
    shape: Shape, prompt: float, response: float, *, group: int, side_by_side: int
) -> Cost:
    """A prompt that is computed once, and ``group`` responses to it."""
    first = forward(shape, sequence(prompt, logits=1))
    one = decoding(shape, prompt=prompt, response=response, side_by_side=side_by_side)
    return Cost(prompt, group * response, Work(first), one * group)


def _update_flops(
    shape: Shape, prompt: float, response: float, config: GRPOConfig, memory: MemoryConfig
) -> float:
    """One update on one group: the prompt is computed once and followed by its responses."""
    first = sequence(prompt, logits=1)
    later = sequence(response, before=prompt, logits=response)
    group = Pass(*(config.group_size * part for part in (later.tokens, later.seen, later.logits)))
    reference = forward(shape, first) + forward(shape, group) if config.kl_coef else 0.0
    in_parts = memory.micro_responses is not None  # then they are computed again as a whole
    logits_again = memory.logits_chunk is not None or (in_parts and not memory.recompute_layers)
    policy = learning(
        shape, first, layers_again=memory.recompute_layers, logits_again=False
    ) + learning(
        shape,
        group,
        layers_again=memory.recompute_layers or in_parts,
        logits_again=logits_again,
    )
    return reference + policy


def answering_cost(
    shape: Shape,
    prompts: Sequence[int],
    responses: Sequence[float],
    *,
    side_by_side: int,
    group: int = 1,
) -> Cost:
    """``group`` responses to each prompt.

    Args:
        shape: the model.
        prompts, responses: tokens of each sample.
        side_by_side: responses that are decoded at once.
        group: responses to one prompt.
    """
    total = Cost()
    for prompt, response in zip(prompts, responses, strict=True):
        total += one_answer(shape, prompt, response, group=group, side_by_side=side_by_side)
    return total
