"""Stages sft and grpo: from chains to the warmed-up adapter, from there to the policy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmie.artifacts import Artifact
from mmie.config import GRPOConfig, SFTConfig, node
from mmie.errors import InputError
from mmie.files import write_json
from mmie.stages import keys
from mmie.stages.context import Context
from mmie.stages.difficulty import easy_samples
from mmie.stages.prepare import chosen, training_examples
from mmie.stages.tracking import wandb_loggers
from mmie.training.callbacks import RolloutRows
from mmie.training.fit import Fit, fit
from mmie.training.generate import Sampling, respond
from mmie.training.grpo import GRPOModule
from mmie.training.plan import StepLoader, plan_steps
from mmie.training.schedules.uniform import Uniform
from mmie.training.sft import Demonstration, SFTModule
from mmie.types import Example


def sft(
    context: Context,
    config: SFTConfig,
    data_stage: Artifact,
    division: Artifact | None,
    filter_stage: Artifact | None,
) -> Artifact:
    """SFT on the answers alone (``direct``) or on the chosen chains (``reasoned``); writes ``adapter/``."""
    task = context.direct if config.response == "direct" else context.reasoned

    def body(folder: Path) -> None:
        examples = {
            example.id: example
            for example in training_examples(context, data_stage, division, "sft")
        }
        chains: dict[str, str | None] = dict.fromkeys(examples)
        if filter_stage is not None:
            chains = {
                candidate.example_id: candidate.chain for candidate in chosen(filter_stage.folder)
            }
        policy = context.policy
        policy.load_adapter_state(context.fresh_adapter)
        items = [
            Demonstration(
                examples[name],
                task.prompt(examples[name]),
                policy.response_ids(task.target(examples[name], chain)),
            )
            for name, chain in chains.items()
        ]
        plan = _plan(
            context,
            "sft.batch_size",
            batch_size=config.batch_size,
            samples=len(items),
            epochs=config.epochs,
            schedule=Uniform(),
        )
        module = SFTModule(
            policy,
            config,
            steps=len(plan),
            gradient_checkpointing=config.gradient_checkpointing,
            seed=context.config.seed,
        )
        sizes = [len(item.response_ids) for item in items]

        def loader(rank: int, world_size: int) -> StepLoader:
            return StepLoader(
                items,
                plan,
                sizes=sizes,
                micro_batch_size=config.micro_batch_size,
                rank=rank,
                world_size=world_size,
            )

        _train(
            context,
            Fit(
                module,
                loader,
                _validation(context, task, data_stage),
                folder,
                wandb_loggers(context, "sft"),
            ),
            config,
        )

    parts = keys.sft(context, config, data_stage, division, filter_stage)
    return context.stage("sft", parts, body)


def grpo(
    context: Context,
    config: GRPOConfig,
    data_stage: Artifact,
    division: Artifact | None,
    *,
    sft_stage: Artifact | None,
    difficulty: Artifact | None,
) -> Artifact:
    """GRPO from the warmed-up adapter, or from the base where there is no warm-up; writes ``adapter/`` and ``rollouts.jsonl``."""

    def body(folder: Path) -> None:
        examples = training_examples(context, data_stage, division, "grpo")
        policy = context.policy
        policy.remove_reference()
        policy.load_adapter_state(context.fresh_adapter)
        if sft_stage is not None:
            policy.read_adapter(sft_stage.folder / "adapter")
            policy.add_reference()
        easy = None if difficulty is None else easy_samples(difficulty.folder, examples)
        plan = _plan(
            context,
            "grpo.prompts_per_step",
            batch_size=config.prompts_per_step,
            samples=len(examples),
            epochs=config.epochs,
            schedule=node(context.config.schedule),
            easy=easy,
        )
        reward = node(context.config.reward)
        updates = config.updates_per_group
        module = GRPOModule(
            policy,
            context.reasoned,
            reward,
            config,
            steps=len(plan) * updates,
            seed=context.config.seed,
        )

        def loader(rank: int, world_size: int) -> StepLoader:
            sizes = [1] * len(examples)
            return StepLoader(
                examples,
                plan,
                sizes=sizes,
                micro_batch_size=config.micro_prompts,
                updates=updates,
                rank=rank,
                world_size=world_size,
            )

        logger = context.config.logger
        rows = RolloutRows(
            folder / "rollouts.jsonl", every=logger.rollouts_every, per_step=logger.rollouts_kept
        )
        validate = _validation(context, context.reasoned, data_stage)
        _train(
            context,
            Fit(module, loader, validate, folder, wandb_loggers(context, "grpo"), [rows]),
            config,
        )

    parts = keys.grpo(
        context, config, data_stage, division, reference=sft_stage, difficulty=difficulty
    )
    return context.stage("grpo", parts, body)


def _plan(
    context: Context, key: str, *, batch_size: int, samples: int, epochs: float, **options: Any
) -> list[list[int]]:
    plan = plan_steps(
        batch_size=batch_size, samples=samples, epochs=epochs, seed=context.config.seed, **options
    )
    if not plan:
        raise InputError(
            f"{key}={batch_size} is more than {samples} samples × {epochs} epochs: not one step; make it smaller"
        )
    return plan


def _validation(context: Context, task: Any, data_stage: Artifact) -> Callable[[], float]:
    config = context.config.evaluation
    examples: list[Example] = context.examples(data_stage.folder, "val")[
        : config.validation_samples
    ]
    sampling = Sampling(config.temperature, config.max_new_tokens)

    def f1() -> float:
        responses = respond(
            context.policy,
            task,
            examples,
            sampling=sampling,
            batch_size=config.batch_size,
            seed=context.config.seed,
        )
        readings = [task.read(response.text, lenient=config.lenient) for response in responses]
        scores = task.score(
            [reading.prediction for reading in readings],
            examples,
            bootstrap_samples=0,
            seed=0,
            invalid=[reading.invalid for reading in readings],
        )
        return float(scores[task.selection_metric]["f1"])

    return f1


def _train(context: Context, training: Fit, config: SFTConfig | GRPOConfig) -> None:
    best = fit(training, config, context.config.trainer)
    if context.follower:
        return
    context.policy.save_adapter(training.folder / "adapter")
    write_json(
        training.folder / "validations.json",
        {"best_step": best.step, "best_f1": best.f1, "history": best.history},
    )
    shown = ", ".join(f"step {step}: {f1:.3f}" for step, f1 in best.history)
    context.console.print(f"validation F1 ({shown}); kept step {best.step}")
