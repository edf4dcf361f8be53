"""A task of bare words and small trainings of it, for tests of the loop."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from mmie.config import shipped
from mmie.settings import GRPOConfig, SFTConfig
from mmie.training.callbacks import BestAdapter, RolloutRows
from mmie.training.fit import Fit, fit
from mmie.training.generate import Sampling, respond
from mmie.training.grpo import GRPOModule
from mmie.training.plan import StepLoader, plan_steps
from mmie.training.schedules.uniform import Uniform
from mmie.training.sft import Demonstration, SFTModule
from mmie.types import Example, Picture, Reading

SHIPPED = shipped()
TRAINER = SHIPPED.trainer
TEXTS = [
    "wow Ann Lee and Bob Ray",
    "x",
    "Omar Pia @ Jazz Fest near Elm Bay",
    "today : Gus Hart",
    "Kofi Moss for Apex Club",
    "news :",
    "so proud ! Lena Young",
    "Ivan Cole via Echo Labs at Oak Falls",
]
WORDS = "red|heart boat|blue star kite|ring|green tree|cake|black medal flag|pink".split("|")


class WordTask:
    """The answer is a row of words; a response without one is invalid."""

    def prompt(self, example: Example) -> str:
        return f"text : {example.text} . name the entities ."

    def parse(self, response: str) -> tuple[str, ...] | None:
        return tuple(response.split()) or None

    def read(self, response: str, *, lenient: bool) -> Reading:
        return Reading(self.parse(response))

    def answer_of(self, response: str) -> str:
        return response.strip()

    def gold_answer(self, example: Example) -> str:
        return " ".join(example.gold)


def make_examples(pictures: Sequence[Picture]) -> list[Example]:
    """Eight samples with unequal texts, pictures and answers."""
    examples = []
    for number, (text, words) in enumerate(zip(TEXTS, WORDS, strict=True)):
        first, count = number % 5, 1 + number % 2
        own = tuple(pictures[first : first + count])
        examples.append(Example(f"train-{number}", text, own, tuple(words.split())))
    return examples


def demonstrations(policy: Any, examples: Sequence[Example]) -> list[Demonstration]:
    task = WordTask()
    return [
        Demonstration(example, task.prompt(example), policy.response_ids(task.gold_answer(example)))
        for example in examples
    ]


def length_reward(
    response: str, predicted: Any, gold: Any, answer: str, gold_answer: str
) -> dict[str, float]:
    """Something that differs between responses."""
    return {
        "reward": len(response) % 7 / 7 if predicted is not None else 0.0,
        "r_words": float(len(predicted or ())),
    }


def grpo_config(**changes: Any) -> GRPOConfig:
    """The shipped values of GRPO, but for those that make a step small and its effects visible."""
    assert SHIPPED.grpo is not None
    small = {"group_size": 3, "max_new_tokens": 5}
    visible = {"lr": 0.01, "warmup_ratio": 0.0, "temperature": 0.9, "kl_coef": 0.05}
    return replace(SHIPPED.grpo, **{**small, **visible, **changes})


def sft_config(**changes: Any) -> SFTConfig:
    assert SHIPPED.sft is not None
    return replace(SHIPPED.sft, **{"lr": 0.01, "warmup_ratio": 0.1, **changes})


def end_early(policy: Any) -> Any:
    """Makes many tokens end a response, as random weights hardly ever draw the one that does."""
    policy.backbone.model.generation_config.eos_token_id = list(range(14, 260))
    return policy


def loop_config(**changes: Any) -> GRPOConfig:
    """What the loop reads: gradient clipping, the number of validations, the resume points."""
    return grpo_config(**{"validations": 2, "checkpoint_every": 100, **changes})


@contextmanager
def silent(
    description: str, total: int, note: Callable[[], str], *, done: int
) -> Iterator[Callable[[int], None]]:
    """A progress that shows nothing."""
    yield lambda updates: None


def train_sft(
    policy: Any,
    examples: Sequence[Example],
    folder: Path,
    *,
    epochs: float,
    batch_size: int = 4,
    micro: int = 2,
    validate: Callable[[], float] = lambda: 0.0,
    callbacks: Sequence[Any] = (),
    loop: Any = None,
    config: Any = None,
    progress: Any = silent,
) -> BestAdapter:
    items = demonstrations(policy, examples)
    plan = plan_steps(Uniform(), samples=len(items), epochs=epochs, batch_size=batch_size, seed=0)
    module = SFTModule(policy, config or sft_config(), steps=len(plan))
    sizes = [len(item.response_ids) for item in items]

    def loader(rank: int, world_size: int) -> StepLoader:
        return StepLoader(
            items, plan, sizes=sizes, micro_batch_size=micro, rank=rank, world_size=world_size
        )

    training = Fit(module, loader, validate, folder, progress, (), list(callbacks))
    return fit(training, loop or loop_config(), TRAINER)


def train_grpo(
    policy: Any,
    examples: Sequence[Example],
    folder: Path,
    *,
    epochs: float,
    batch_size: int = 4,
    micro: int = 2,
    reward: Any = length_reward,
    validate: Callable[[], float] = lambda: 0.0,
    callbacks: Sequence[Any] = (),
    loop: Any = None,
    config: Any = None,
    engine: Any = None,
    task: Any = None,
    progress: Any = silent,
) -> BestAdapter:
    plan = plan_steps(
        Uniform(), samples=len(examples), epochs=epochs, batch_size=batch_size, seed=0
    )
    config = config or grpo_config()
    updates = config.updates_per_group
    task = task or WordTask()
    steps = len(plan) * updates
    module = GRPOModule(policy, task, reward, config, steps=steps, seed=0, engine=engine)

    def loader(rank: int, world_size: int) -> StepLoader:
        sizes = [1] * len(examples)
        return StepLoader(
            examples,
            plan,
            sizes=sizes,
            micro_batch_size=micro,
            updates=updates,
            rank=rank,
            world_size=world_size,
        )

    rows = RolloutRows(folder / "rollouts.jsonl", every=1, per_step=4)
    with warnings.catch_warnings():
        # Eval mode is intended: GRPO has no dropout.
        warnings.filterwarnings("ignore", "Found .* in eval mode")
        return fit(
            Fit(module, loader, validate, folder, progress, (), [rows, *callbacks]),
            loop or loop_config(),
            TRAINER,
        )


class KilledError(Exception):
    """Stands for the end of the process."""


class KillBefore(pl.Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.step:
            raise KilledError


def mean_length(policy: Any, examples: Sequence[Example]) -> Callable[[], float]:
    """A validation that decodes with random numbers and moves with the weights."""

    def validate() -> float:
        responses = respond(
            policy, WordTask(), examples, sampling=Sampling(0.8, 4), batch_size=3, seed=0
        )
        return sum(len(response.text) for response in responses) / 100

    return validate
