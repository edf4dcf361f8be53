"""The trainings of the stages sft and grpo: the model, the samples of each step, the validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mmie.artifacts import Artifact
from mmie.config import GRPOConfig, SFTConfig, node
from mmie.files import write_json
from mmie.models.policy import Policy
from mmie.stages.answers import answer, ask_policy
from mmie.stages.context import Context
from mmie.stages.difficulty import easy_samples
from mmie.stages.prepare import chosen, training_examples
from mmie.stages.samples import Samples
from mmie.stages.steps import planned_steps
from mmie.stages.tracking import wandb_loggers
from mmie.tasks.task import Task
from mmie.training.callbacks import RolloutRows
from mmie.training.fit import Fit, fit
from mmie.training.grpo import GRPOModule
from mmie.training.plan import StepLoader, group_by_length
from mmie.training.schedules.uniform import Uniform
from mmie.training.sft import Demonstration, SFTModule
from mmie.training.shares import in_shares
from mmie.types import Example, Responded


def train_sft(
    context: Context,
    config: SFTConfig,
    samples: Samples,
    chains: Artifact | None,
    folder: Path,
) -> None:
    """Trains on the chosen chains, or on the bare answers if there are none."""
    policy = context.untrained_policy()
    _ = context.engine  # one that cannot be had is refused before the training
    task = context.direct if config.response == "direct" else context.reasoned
    items = _demonstrations(context, task, policy, samples, chains)
    plan = planned_steps(
        Uniform(),
        key="sft.batch_size",
        batch_size=config.batch_size,
        samples=len(items),
        epochs=config.epochs,
        seed=context.config.seed,
    )
    if config.group_by_length:
        lengths = [item.text_tokens(policy) for item in items]
        plan = group_by_length(plan, lengths=lengths, seed=context.config.seed)
    module = SFTModule(
        policy,
        config,
        steps=len(plan),
        memory=context.config.memory,
        seed=context.config.seed,
    )

    def loader(rank: int, world_size: int) -> StepLoader:
        return StepLoader(
            items,
            plan,
            sizes=[len(item.response_ids) for item in items],
            micro_batch_size=config.micro_batch_size,
            rank=rank,
            world_size=world_size,
        )

    validate = _validation(context, task, samples.data)
    loggers = wandb_loggers(context, "sft")
    _train(context, config, Fit(module, loader, validate, folder, context.progress, loggers))


def _demonstrations(
    context: Context, task: Task, policy: Policy, samples: Samples, chains: Artifact | None
) -> list[Demonstration]:
    """What SFT learns: in the order of the chains, or of the data if there are none."""
    examples = {example.id: example for example in training_examples(context, samples, "sft")}
    chain_of: dict[str, str | None] = dict.fromkeys(examples)
    if chains is not None:
        chain_of = {candidate.example_id: candidate.chain for candidate in chosen(chains.folder)}
    items = []
    for name, chain in chain_of.items():
        example = examples[name]
        response = policy.response_ids(task.target(example, chain))
        items.append(Demonstration(example, task.prompt(example), response))
    return items


def train_grpo(
    context: Context,
    config: GRPOConfig,
    samples: Samples,
    folder: Path,
    *,
    reference: Artifact | None,
    difficulty: Artifact | None,
) -> None:
    """Trains from the reference, or from the base without one; see ``mmie.stages.learn.grpo``."""
    task, logger = context.reasoned, context.config.logger
    examples = training_examples(context, samples, "grpo")
    plan = planned_steps(
        node(context.config.schedule),
        key="grpo.prompts_per_step",
        batch_size=config.prompts_per_step,
        samples=len(examples),
        epochs=config.epochs,
        seed=context.config.seed,
        easy=None if difficulty is None else easy_samples(difficulty, examples),
    )
    updates = config.updates_per_group
    policy = _start_of_grpo(context, reference)
    module = GRPOModule(
        policy,
        task,
        node(context.config.reward),
        config,
        steps=len(plan) * updates,
        seed=context.config.seed,
        memory=context.config.memory,
        engine=context.engine,
    )

    def loader(rank: int, world_size: int) -> StepLoader:
        return StepLoader(
            examples,
            plan,
            sizes=[1] * len(examples),
            micro_batch_size=config.micro_prompts,
            updates=updates,
            rank=rank,
            world_size=world_size,
        )

    path = folder / "rollouts.jsonl"
    rows = RolloutRows(path, every=logger.rollouts_every, per_step=logger.rollouts_kept)
    validate = _validation(context, task, samples.data)
    loggers = wandb_loggers(context, "grpo")
    training = Fit(module, loader, validate, folder, context.progress, loggers, [rows])
    _train(context, config, training)


def _start_of_grpo(context: Context, reference: Artifact | None) -> Policy:
    policy = context.untrained_policy()
    if reference is not None:
        policy.read_adapter(reference.folder / "adapter")
        policy.add_reference()
    return policy


def _validation(context: Context, task: Task, data: Artifact) -> Callable[[], float]:
    """Measures F1 of the policy, as it is at the time, on the validation split.

    The processes of a training share the samples, and all of them learn the F1.
    """
    config = context.config.evaluation.for_training()
    examples = context.examples(data.folder, "val")[: config.validation_samples]
    ask = ask_policy(context, task, config)

    def answered(share: Sequence[Example]) -> list[Responded]:
        return answer(context, share, ask, batch_size=config.batch_size)

    def f1() -> float:
        responses = in_shares(examples, answered)
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


def _train(context: Context, config: SFTConfig | GRPOConfig, training: Fit) -> None:
    """Trains, and writes the adapter of the best validation."""
    best = fit(training, config, context.config.trainer)
    if context.follower:
        return
    context.policy.save_adapter(training.folder / "adapter")
    write_json(
        training.folder / "validations.json",
        {"best_step": best.step, "best_f1": best.f1, "history": best.history},
    )
    history = ", ".join(f"step {step}: {f1:.3f}" for step, f1 in best.history)
    context.console.print(f"validation F1 ({history}); kept step {best.step}")
