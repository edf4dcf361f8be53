"""The plan of a run: requests, updates, tokens, FLOPs, memory, hours and disk, before it is paid.

Only the stage data is run. Everything else is computed from the configuration, from what earlier
runs have left in the store, and from the assumptions of the section ``plan``.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mmie.artifacts import Artifact
from mmie.bench.memory import GIB, simulate
from mmie.checks import locate
from mmie.config import node
from mmie.costs import Speed
from mmie.data.source import SPLITS
from mmie.distil.estimate import (
    Asked,
    Ledger,
    Sizes,
    dollars,
    estimate_distillation,
    recorded_tokens,
    tile_tokens,
)
from mmie.distil.record import Record
from mmie.distil.teacher import Request, Teacher
from mmie.models.backbone import DTYPES
from mmie.models.prompt_tokens import PromptTokens, picture_size, shape_of
from mmie.planning.foresight import answered, foresee, reasoned_length, steps_done
from mmie.planning.stage_costs import Cost, answering_cost, grpo_cost, sft_cost
from mmie.settings import LearningConfig
from mmie.stages import keys
from mmie.stages.context import Context
from mmie.stages.difficulty import easy_samples
from mmie.stages.prepare import chosen, record_path, training_examples
from mmie.stages.samples import Samples
from mmie.stages.system import System, systems, warmed_up
from mmie.tasks.responses import Direct
from mmie.tasks.task import Task
from mmie.training.plan import plan_steps
from mmie.training.schedules.uniform import Uniform
from mmie.types import Example

CUDA_GIB = 2.0  # what CUDA's context, NCCL and cuBLAS take; see ``mmie.bench.memory``
RECORD_LINE = 600  # bytes of a recorded answer besides its text
TRAINED_BYTES = 12  # of a weight of the adapter in a resume point: itself and two moments


@dataclass(frozen=True)
class StageCost:
    """One row of the plan.

    Attributes:
        stage: its name.
        samples, updates: that are left; updates of trainings alone.
        expected, at_most: what is left to compute, with responses of the expected length and with
            responses of the length limit.
        processes: that share the work; the others wait.
    """

    stage: str
    samples: int
    updates: int
    expected: Cost
    at_most: Cost
    processes: int = 1


@dataclass
class Plan:
    """What ``plan.json`` holds.

    Attributes:
        experiment, profile: what is planned.
        teacher: ``model``, ``purposes`` (purpose → requests), ``dollars`` and
            ``dollars_at_most`` (None where the prices are unknown).
        stages: what is left, in order.
        finished: stages whose results are there.
        memory: GiB per GPU by pass; None if it was not simulated.
        cards: card → memory, hours, GPU-hours, and whether the run fits.
        disk: bytes by kind.
        assumptions, warnings: sentences.
    """

    experiment: str
    profile: str
    teacher: dict[str, Any] = field(default_factory=dict)
    stages: list[StageCost] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    memory: dict[str, float] | None = None
    cards: dict[str, dict[str, Any]] = field(default_factory=dict)
    disk: dict[str, int] = field(default_factory=dict)
    assumptions: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def make_plan(context: Context, samples: Samples) -> Plan:
    """The plan of everything that the configuration has and that is not finished.

    Args:
        context: the run.
        samples: the finished stages data and divide.

    Raises:
        InputError: the model's architecture or a part of the configuration cannot be had.
    """
    return _Planner(context, samples).plan()


class _Planner:
    """Collects the plan piece by piece."""

    def __init__(self, context: Context, samples: Samples) -> None:
        self.context, self.samples = context, samples
        self.config, self.assumed = context.config, context.config.plan
        self.result = Plan(self.config.experiment, self.config.profile)
        model = self.config.model
        backbone = locate("model._target_", model["_target_"])
        self.tokens = PromptTokens(backbone, model, chars_per_token=self.assumed.chars_per_token)
        dtype = DTYPES[model.get("dtype", "float32")]
        self.shape = shape_of(
            self.tokens.config, rank=self.config.lora.rank, value_bytes=dtype.itemsize
        )
        self.schedule = node(self.config.schedule)
        self.foreseen = foresee(context, samples, by_difficulty=self.schedule.by_difficulty)
        self.longest_prompt = self.longest_target = 0
        self.answer_tokens = float(self.assumed.answer_tokens)
        self._prompts: dict[tuple[bool, str], int] = {}

    def plan(self) -> Plan:
        self._note_tokens()
        self._teacher()
        self._trainings_and_answers()
        self._memory()
        self._cards()
        self._disk()
        return self.result

    # Small questions.

    def _done(self, stage: str, artifact: Artifact | None) -> bool:
        done = artifact is not None and self.context.ready(stage, artifact)
        if done and stage not in self.result.finished:
            self.result.finished.append(stage)
        return done

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
        self, stage: str, samples: int, updates: int, costs: Sequence[Cost], **more: Any
    ) -> None:
        self.result.stages.append(StageCost(stage, samples, updates, costs[0], costs[1], **more))

    def _note_tokens(self) -> None:
        how = f"tokens of text are characters / {self.assumed.chars_per_token:g}"
        if self.tokens.exact:
            how = "tokens of the model's prompts are exact"
        self.result.assumptions.append(how)

    # The teacher.

    def _teacher(self) -> None:
        teacher: Teacher = node(self.config.teacher)
        path = record_path(self.context.store.root / "record", teacher.model)
        chars = self.assumed.chars_per_token
        recorded = recorded_tokens(path, chars_per_token=chars)
        ledger = Ledger(
            teacher,
            Record(path) if path.is_file() else None,
            Sizes(chars, recorded, self.assumed.answer_tokens, _teacher_pictures(teacher.price)),
        )
        self._count_distillation(ledger)
        self._count_zero_shot(ledger, teacher)
        first = next(iter(ledger.asked), "distil")
        self.answer_tokens = recorded.get(first, self.answer_tokens)
        if ledger.asked:
            self._note_teacher(ledger, teacher, recorded)

    def _count_distillation(self, ledger: Ledger) -> None:
        if self.foreseen.distil is None or self._done("distil", self.foreseen.distil):
            return
        examples = training_examples(self.context, self.samples, "sft")
        candidates = self.config.cot.candidates
        with self.context.progress("counting requests", len(examples) * candidates) as advance:
            estimate_distillation(
                examples,
                ledger,
                candidates=candidates,
                chains=node(self.config.cot.chains),
                progress=advance,
            )

    def _count_zero_shot(self, ledger: Ledger, teacher: Teacher) -> None:
        if "teacher" not in self.config.zero_shot.systems:
            return
        instruction = self.config.zero_shot.teacher_instruction
        task = node(self.config.task, response=Direct(instruction))
        parts = keys.evaluate_teacher(
            self.context, System(teacher.model, task, None), self.samples.data
        )
        if self.context.ready("evaluate", self.context.foreseen("evaluate", parts)):
            self.result.finished.append(f"evaluate {teacher.model}")
            return
        for example in self._split("test"):
            ledger.ask(Request("answer", example, 0, task.prompt(example)))

    def _note_teacher(
        self, ledger: Ledger, teacher: Teacher, recorded: Mapping[str, float]
    ) -> None:
        asked = list(ledger.asked.values())
        limit = teacher.parameters.get("max_tokens")
        longest = [
            Asked(one.recorded, one.requests, one.prompt_tokens, one.answer_tokens) for one in asked
        ]
        for one in longest:
            one.answer_tokens = max(one.answer_tokens, one.requests * int(limit or 0))
        self.result.teacher = {
            "model": teacher.model,
            "purposes": {purpose: asdict(one) for purpose, one in ledger.asked.items()},
            "dollars": dollars(asked, teacher.price),
            "dollars_at_most": dollars(longest, teacher.price) if limit else None,
        }
        unknown = [purpose for purpose in ledger.asked if purpose not in recorded]
        if unknown:
            named = ", ".join(unknown)
            self.result.assumptions.append(
                f"an answer of the teacher ({named}) has {self.assumed.answer_tokens} tokens"
            )
        self.result.assumptions.append("every chain is usable and is asked about")

    # The model.

    def _trainings_and_answers(self) -> None:
        sizes = self._targets()
        self.expected, source = reasoned_length(
            self.context,
            self.samples.data,
            self.foreseen,
            count=self.tokens.response,
            targets=[response for _, response in sizes] or self._guessed_targets(),
            targets_are="what the warm-up learns" if sizes else "the gold answer behind a chain",
        )
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
        processes = self.config.trainer.processes
        self._add("sft", len(sizes), len(steps) - done, (cost, cost), processes=processes)
        task = self.context.direct if config.response == "direct" else self.context.reasoned
        self._validations("sft", config, task, steps=len(steps), done=done)

    def _difficulty(self) -> None:
        artifact = self.foreseen.difficulty
        if artifact is None or self.foreseen.sft is None or self._done("difficulty", artifact):
            return
        examples = training_examples(self.context, self.samples, "grpo")
        done = len(answered(self.context, "difficulty", artifact, "answers.jsonl"))
        self._answers("difficulty", warmed_up(self.context, self.foreseen.sft), examples[done:])

    def _grpo(self) -> None:
        config, artifact = self.config.grpo, self.foreseen.grpo
        if config is None or artifact is None or self._done("grpo", artifact):
            return
        examples = training_examples(self.context, self.samples, "grpo")
        groups = plan_steps(
            self.schedule,
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
        processes = self.config.trainer.processes
        costs = [
            grpo_cost(
                self.shape,
                left,
                prompts,
                response=length,
                config=config,
                memory=self.config.memory,
                processes=processes,
            )
            for length in (min(self.expected, config.max_new_tokens), config.max_new_tokens)
        ]
        if config.resamples:
            self.result.assumptions.append("no group is drawn again (grpo.resamples)")
        total = len(groups) * updates
        self._add("grpo", len(examples), total - done, costs, processes=processes)
        task = self.context.reasoned
        self._validations("grpo", config, task, steps=total, done=done)

    def _easy(self, examples: Sequence[Example]) -> list[bool] | None:
        artifact = self.foreseen.difficulty
        if artifact is None:
            return None
        if self.context.ready("difficulty", artifact):
            return easy_samples(artifact, examples)
        easy = round(self.assumed.easy_share * len(examples))
        self.result.assumptions.append(
            f"the warm-up answers {easy:,} of {len(examples):,} samples of GRPO rightly"
        )
        return [place < easy for place in range(len(examples))]

    def _validations(
        self, stage: str, config: LearningConfig, task: Task, *, steps: int, done: int
    ) -> None:
        turns = range(1, config.validations + 1)
        at = {round(steps * turn / config.validations) for turn in turns}
        times = sum(step > done for step in at)
        examples = self._split("val")[: self.config.evaluation.validation_samples]
        costs = [cost * times for cost in self._answering(task, examples)]
        self._add(f"validate {stage}", times * len(examples), 0, costs)

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
                self._answers(stage, system, examples[len(done) :])
            if config.samples > 1 and system.adapter is not None:
                self._vote(system, examples)

    def _vote(self, system: System, examples: Sequence[Example]) -> None:
        parts = keys.vote(self.context, system, self.samples.data)
        if self.context.ready("vote", self.context.foreseen("vote", parts)):
            self.result.finished.append(f"vote {system.name}")
            return
        self._answers(f"vote {system.name}", system, examples, group=self.config.evaluation.samples)

    def _answers(
        self, stage: str, system: System, examples: Sequence[Example], *, group: int = 1
    ) -> None:
        self._add(stage, len(examples), 0, self._answering(system.task, examples, group=group))

    def _answering(self, task: Task, examples: Sequence[Example], *, group: int = 1) -> list[Cost]:
        """With responses of the expected length, and with those of the limit."""
        config = self.config.evaluation
        limit = float(config.max_new_tokens)
        expected = [min(self.expected, limit)] * len(examples)
        if task is not self.context.reasoned:
            golds = [self.tokens.response(task.target(example, None)) for example in examples]
            expected = [min(float(gold), limit) for gold in golds]
        prompts = self._prompt_tokens(task, examples)
        together = config.batch_size if group == 1 else config.vote_rows
        return [
            answering_cost(self.shape, prompts, lengths, side_by_side=together, group=group)
            for lengths in (expected, [limit] * len(examples))
        ]

    # Memory, cards and disk.

    def _memory(self) -> None:
        config = self.config
        trains = config.sft is not None or config.grpo is not None
        if not self.assumed.memory or not trains or not self.result.stages:
            return
        limit = config.grpo.max_new_tokens if config.grpo else self.longest_target
        with self.context.console.status("simulating the memory"):
            figures = simulate(config, prompt=self.longest_prompt, response=limit)
        rows = max(config.evaluation.batch_size, 1)
        if config.evaluation.samples > 1:
            rows = max(rows, config.evaluation.vote_rows)
        length = self.longest_prompt + config.evaluation.max_new_tokens
        figures["answers_gib"] = rows * length * self.shape.cache_bytes / GIB
        fixed = figures["weights_gib"] + figures["optimizer_gib"]
        figures["peak_gib"] = max(figures["peak_gib"], fixed + figures["answers_gib"])
        self.result.memory = figures
        self.result.assumptions.append(
            f"memory is that of the longest prompt ({self.longest_prompt:,} tokens) and of "
            f"responses at the limit ({limit:,} tokens)"
        )

    def _cards(self) -> None:
        processes = self.config.trainer.processes
        for name, card in self.assumed.cards.items():
            speed = Speed(
                card.tflops * 1e12,
                card.bandwidth * 1e9,
                self.assumed.peak_share,
                self.assumed.bandwidth_share,
            )
            expected = sum(one.expected.hours(speed) / one.processes for one in self.result.stages)
            most = sum(one.at_most.hours(speed) / one.processes for one in self.result.stages)
            row = {
                **asdict(card),
                "peak_share": self.assumed.peak_share,
                "bandwidth_share": self.assumed.bandwidth_share,
                "hours": expected,
                "hours_at_most": most,
                "gpu_hours": expected * processes,
                "gpu_hours_at_most": most * processes,
            }
            if self.result.memory is not None:
                row["fits"] = self._fits(name, card.memory_gb)
            self.result.cards[name] = row
        self._warn_of_lengths()

    def _fits(self, name: str, memory_gb: float) -> bool:
        assert self.result.memory is not None
        needed = self.result.memory["peak_gib"] + CUDA_GIB
        there = memory_gb * 1e9 / GIB
        if needed > there:
            self.result.warnings.append(
                f"{name}: {needed:.0f} GiB are needed and {there:.0f} are there; take memory=lean, "
                "a smaller grpo.rollout_prompts or evaluation.batch_size, or more processes"
            )
        return needed <= there

    def _warn_of_lengths(self) -> None:
        config = self.config
        limits = {"evaluation.max_new_tokens": config.evaluation.max_new_tokens}
        if config.grpo is not None:
            limits["grpo.max_new_tokens"] = config.grpo.max_new_tokens
        for key, limit in limits.items():
            if self.longest_target > limit:
                self.result.warnings.append(
                    f"{key}={limit}: the longest response that the warm-up learns has "
                    f"{self.longest_target:,} tokens and would be cut; raise it"
                )
        room = getattr(self.tokens.config.get_text_config(), "max_position_embeddings", None)
        needed = self.longest_prompt + max(limits.values())
        if room is not None and needed > room:
            self.result.warnings.append(
                f"the longest prompt and response have {needed:,} tokens, and the model knows "
                f"{room:,} positions; lower {' and '.join(limits)}"
            )

    def _disk(self) -> None:
        trainings = [one for one in self.result.stages if one.stage in ("sft", "grpo")]
        purposes = self.result.teacher.get("purposes", {}).values()
        adapter = self.shape.adapter_weights
        answers = sum(one["answer_tokens"] for one in purposes) * self.assumed.chars_per_token
        lines = sum(one["requests"] for one in purposes)
        self.result.disk = {
            "features of pictures": self._feature_bytes() if self.result.stages else 0,
            "adapters": 4 * adapter * len(trainings),
            "resume points": 2 * TRAINED_BYTES * adapter if trainings else 0,
            "record": round(answers + lines * RECORD_LINE),
        }
        free = shutil.disk_usage(self.context.store.root).free
        needed = sum(self.result.disk.values())
        if needed > free:
            self.result.warnings.append(
                f"artifacts={self.config.artifacts}: {needed / 1e9:.1f} GB are needed and "
                f"{free / 1e9:.1f} GB are free; choose another folder"
            )

    def _feature_bytes(self) -> int:
        if not self.config.vision.on_disk:
            return 0
        pictures = {one for split in SPLITS for each in self._split(split) for one in each.pictures}
        return sum(map(self.tokens.picture, pictures)) * self.shape.hidden * self.shape.value_bytes


def _teacher_pictures(price: Mapping[str, float] | None) -> Any:
    """Picture → tokens; 0 where nobody says what they are."""
    if price is None or "picture" not in price:
        return lambda picture: 0
    base, tile = int(price["picture"]), int(price["tile"])
    return lambda picture: tile_tokens(picture_size(picture), base=base, tile=tile)
