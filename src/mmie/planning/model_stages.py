"""The part of a plan that computes: trainings, validations and evaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmie.artifacts import Artifact
from mmie.config import node
from mmie.costs import Shape
from mmie.models.prompt_tokens import PromptTokens
from mmie.planning.foresight import (
    Foreseen,
    answered,
    reasoned_length,
    reasoning_systems,
    steps_done,
)
from mmie.planning.result import Plan, StageCost
from mmie.planning.stage_costs import Cost, answering_cost, grpo_cost, sft_cost
from mmie.settings import LearningConfig
from mmie.stages import keys
from mmie.stages.context import Context
from mmie.stages.difficulty import easy_samples
from mmie.stages.prepare import chosen, training_examples
from mmie.stages.samples import Samples
from mmie.stages.system import System, systems, warmed_up
from mmie.tasks.task import Task
from mmie.training.plan import plan_steps
from mmie.training.schedules.uniform import Uniform
from mmie.types import Example


class ModelStages:
    """Adds the stages that use the model to a plan.

    Args:
        plan: takes them, and the assumptions.
        context, samples, foreseen: the run.
        tokens: counts tokens.
        shape: the model.
        answer_tokens: expected of a chain.

    Attributes:
        longest_prompt, longest_target: the most tokens of a prompt, and of what the warm-up learns.
    """

    def __init__(
        self,
        plan: Plan,
        context: Context,
        samples: Samples,
        foreseen: Foreseen,
        *,
        tokens: PromptTokens,
        shape: Shape,
        answer_tokens: float,
    ) -> None:
        self.result, self.context, self.samples, self.foreseen = plan, context, samples, foreseen
        self.config, self.tokens, self.shape = context.config, tokens, shape
        self.answer_tokens = answer_tokens
        self.longest_prompt = self.longest_target = 0
        self._prompts: dict[tuple[bool, str], int] = {}

    def add_all(self) -> None:
        sizes = self._targets()
        self.expected, source = reasoned_length(
            self.context,
            self.samples.data,
            self.foreseen,
            count=self.tokens.response,
            targets=[response for _, response in sizes] or self._guessed_targets(),
            targets_are="what the warm-up learns" if sizes else "the gold answer behind a chain",
        )
        if reasoning_systems(self.context, self.foreseen):
            self.result.assumptions.append(
                f"a response that reasons has {self.expected:,.0f} tokens ({source})"
            )
        self._sft(sizes)
        self._difficulty()
        self._grpo()
        self._evaluations()

    def _guessed_targets(self) -> list[float]:
        task = self.context.reasoned
        golds = [self.tokens.response(task.target(one, "")) for one in self._split("test")]
        return [gold + self.answer_tokens for gold in golds]

    def _targets(self) -> list[tuple[int, float]]:
        """Prompt and response tokens of what SFT learns; empty without SFT."""
        config = self.config.sft
        if config is None:
            return []
        examples = training_examples(self.context, self.samples, "sft")
        task: Task = self.context.reasoned if config.response == "reasoned" else self.context.direct
        chains: dict[str, str] | None = None
        if self.foreseen.chosen is not None and self._done("filter", self.foreseen.chosen):
            kept = chosen(self.foreseen.chosen.folder)
            chains = {candidate.example_id: candidate.chain for candidate in kept}
            of = {example.id: example for example in examples}
            examples = [of[name] for name in chains]
        elif self.foreseen.chosen is not None:
            self.result.assumptions.append("the filters keep a chain of every sample")
        prompts = self._prompt_tokens(task, examples)
        responses = [self._target_tokens(task, example, chains) for example in examples]
        self.longest_target = round(max(responses, default=0))
        return list(zip(prompts, responses, strict=True))

    def _target_tokens(
        self, task: Task, example: Example, chains: Mapping[str, str] | None
    ) -> float:
        if task is self.context.direct:
            return self.tokens.response(task.target(example, None))
        if chains is not None:
            return self.tokens.response(task.target(example, chains[example.id]))
        return self.tokens.response(task.target(example, "")) + self.answer_tokens

    def _sft(self, sizes: Sequence[tuple[int, float]]) -> None:
        config, artifact = self.config.sft, self.foreseen.sft
        if config is None or artifact is None or self._done("sft", artifact):
            return
        steps = plan_steps(
            Uniform(),
            samples=len(sizes),
            epochs=config.epochs,
            batch_size=config.batch_size,
            seed=self.config.seed,
        )
        done = steps_done(self.context, "sft", artifact)
        cost = sft_cost(self.shape, steps[done:], sizes, self.config.memory)
        self._add("sft", artifact, len(sizes), (cost, cost), updates=len(steps) - done)
        task = self.context.direct if config.response == "direct" else self.context.reasoned
        self._validations("sft", artifact, config, task, steps=len(steps), done=done)

    def _difficulty(self) -> None:
        artifact = self.foreseen.difficulty
        if artifact is None or self.foreseen.sft is None or self._done("difficulty", artifact):
            return
        examples = training_examples(self.context, self.samples, "grpo")
        done = len(answered(self.context, "difficulty", artifact, "answers.jsonl"))
        system = warmed_up(self.context, self.foreseen.sft)
        self._answers("difficulty", artifact, system, examples[done:])

    def _grpo(self) -> None:
        config, artifact = self.config.grpo, self.foreseen.grpo
        if config is None or artifact is None or self._done("grpo", artifact):
            return
        examples = training_examples(self.context, self.samples, "grpo")
        groups = plan_steps(
            node(self.config.schedule),
            samples=len(examples),
            epochs=config.epochs,
            batch_size=config.prompts_per_step,
            seed=self.config.seed,
            easy=self._easy(examples),
        )
        updates = config.updates_per_group
        done = steps_done(self.context, "grpo", artifact)
        left = groups[done // updates :]
        prompts = self._prompt_tokens(self.context.reasoned, examples)
        costs = [
            grpo_cost(
                self.shape,
                left,
                prompts,
                response=length,
                config=config,
                memory=self.config.memory,
                processes=self.config.trainer.processes,
            )
            for length in (min(self.expected, config.max_new_tokens), config.max_new_tokens)
        ]
        if config.resamples:
            self.result.assumptions.append("no group is drawn again (grpo.resamples)")
        total = len(groups) * updates
        self._add("grpo", artifact, len(examples), costs, updates=total - done)
        task = self.context.reasoned
        self._validations("grpo", artifact, config, task, steps=total, done=done)

    def _easy(self, examples: Sequence[Example]) -> list[bool] | None:
        artifact = self.foreseen.difficulty
        if artifact is None:
            return None
        if self.context.ready("difficulty", artifact):
            return easy_samples(artifact, examples)
        easy = round(self.config.plan.easy_share * len(examples))
        self.result.assumptions.append(
            f"the warm-up answers {easy:,} of {len(examples):,} samples of GRPO rightly"
        )
        return [place < easy for place in range(len(examples))]

    def _validations(
        self,
        stage: str,
        artifact: Artifact,
        config: LearningConfig,
        task: Task,
        *,
        steps: int,
        done: int,
    ) -> None:
        turns = range(1, config.validations + 1)
        at = {round(steps * turn / config.validations) for turn in turns}
        times = sum(step > done for step in at)
        examples = self._split("val")[: self.config.evaluation.validation_samples]
        costs = [cost * times for cost in self._answering(task, examples)]
        self._add(f"validate {stage}", artifact, times * len(examples), costs)

    def _evaluations(self) -> None:
        config = self.config.evaluation
        examples = self._split("test")
        for system in systems(self.context, self.foreseen.sft, self.foreseen.grpo):
            stage = f"evaluate {system.name}"
            parts = keys.evaluate(self.context, system, self.samples.data)
            artifact = self.context.foreseen("evaluate", parts)
            if self.context.ready("evaluate", artifact):
                self.result.finished.append(stage)
            else:
                done = answered(self.context, "evaluate", artifact, "predictions.jsonl")
                self._answers(stage, artifact, system, examples[len(done) :])
            if config.samples > 1 and system.adapter is not None:
                self._vote(system, examples)

    def _vote(self, system: System, examples: Sequence[Example]) -> None:
        parts = keys.vote(self.context, system, self.samples.data)
        artifact, stage = self.context.foreseen("vote", parts), f"vote {system.name}"
        if self.context.ready("vote", artifact):
            self.result.finished.append(stage)
            return
        self._answers(stage, artifact, system, examples, group=self.config.evaluation.samples)

    def _answers(
        self,
        stage: str,
        artifact: Artifact,
        system: System,
        examples: Sequence[Example],
        *,
        group: int = 1,
    ) -> None:
        costs = self._answering(system.task, examples, group=group)
        self._add(stage, artifact, len(examples), costs)

    def _answering(self, task: Task, examples: Sequence[Example], *, group: int = 1) -> list[Cost]:
        """With responses of the expected length, and with those of the limit."""
        config = self.config.evaluation
        limit = float(config.max_new_tokens)
        expected = [min(self.expected, limit)] * len(examples)
        if task is not self.context.reasoned:
            golds = [self.tokens.response(task.target(example, None)) for example in examples]
            expected = [min(float(gold), limit) for gold in golds]
        prompts = self._prompt_tokens(task, examples)
        together = self.shape.rows_within(
            self.config.memory.cache_gb,
            tokens=max(prompts, default=0) + limit,
            rows=config.batch_size if group == 1 else config.vote_rows,
        )
        return [
            answering_cost(self.shape, prompts, lengths, side_by_side=together, group=group)
            for lengths in (expected, [limit] * len(examples))
        ]

    def _done(self, stage: str, artifact: Artifact | None) -> bool:
        ready = artifact is not None and self.context.ready(stage, artifact)
        return self.result.has(stage, ready=ready)

    def _split(self, split: str) -> list[Example]:
        return self.context.examples(self.samples.data.folder, split)

    def _prompt_tokens(self, task: Task, examples: Sequence[Example]) -> list[int]:
        reasons = task is self.context.reasoned
        for example in examples:
            if (reasons, example.id) not in self._prompts:
                count = self.tokens.prompt(task.prompt(example), example.pictures)
                self._prompts[reasons, example.id] = count
                self.longest_prompt = max(self.longest_prompt, count)
        return [self._prompts[reasons, example.id] for example in examples]

    def _add(
        self,
        stage: str,
        artifact: Artifact,
        samples: int,
        costs: Sequence[Cost],
        *,
        updates: int = 0,
    ) -> None:
        """All processes share the work of every stage here; see ``mmie.stages.shares``."""
        processes = self.config.trainer.processes
        row = StageCost(stage, samples, updates, artifact.key, costs[0], costs[1], processes)
        self.result.stages.append(row)
