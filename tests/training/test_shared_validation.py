"""Real processes share a validation, and each of them learns what one process would."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import distributed

from helpers.training_runs import SHIPPED, WordTask, end_early
from mmie.artifacts import Artifact, Store
from mmie.serving.local import LocalEngine
from mmie.stages import difficulty, evaluate, trainings
from mmie.stages.answers import answer, ask_policy
from mmie.stages.context import Context
from mmie.stages.system import System
from mmie.training.shares import in_shares, interleaved
from mmie.types import Example

FORK = multiprocessing.get_context("fork")


class Scored(WordTask):
    """F1 is a number that no two lists of predictions share."""

    selection_metric = "words"

    def score(self, predictions: list[Any], examples: Any, **_: Any) -> dict[str, Any]:
        numbers = [len(" ".join(words or ())) for words in predictions]
        weighted = sum(place * number for place, number in enumerate(numbers, start=1))
        return {"words": {"f1": weighted / 1000}}


def context_of(folder: Path, policy: Any, examples: list[Example]) -> Context:
    small = {"max_new_tokens": 5, "batch_size": 2, "validation_samples": 100}
    evaluation = replace(SHIPPED.evaluation, temperature=0.8, **small)
    trainer = SimpleNamespace(processes=1)
    config: Any = SimpleNamespace(trainer=trainer, evaluation=evaluation, seed=0)
    context = Context(config, Store(folder), folder)
    context.policy = policy
    context.engine = LocalEngine(policy)
    context.examples = lambda folder, split: examples  # type: ignore[method-assign]
    return context


def validated(context: Context, examples: list[Example]) -> dict[str, Any]:
    """F1 and the responses of a validation, and the samples that this process was asked for."""
    asked: list[str] = []
    ask = ask_policy(context, Scored(), context.config.evaluation)

    def work(share: Sequence[Example]) -> list[Any]:
        asked.extend(example.id for example in share)
        return answer(context, share, ask, batch_size=2)

    responses = in_shares(examples, work)
    data = Artifact(context.output, "")
    f1 = trainings._validation(context, Scored(), data)()  # type: ignore[arg-type]
    return {"f1": f1, "responses": [list(response) for response in responses], "asked": asked}


def member(rank: int, size: int, context: Context, examples: list[Example]) -> None:
    torch.set_num_threads(1)
    place = f"file://{context.output / 'meeting'}"
    distributed.init_process_group("gloo", init_method=place, rank=rank, world_size=size)
    path = context.output / f"{rank}.json"
    path.write_text(json.dumps(validated(context, examples)), encoding="utf-8")
    distributed.destroy_process_group()


def test_shares_are_put_together_in_order() -> None:
    for size in (1, 2, 3, 5):
        assert interleaved([range(7)[rank::size] for rank in range(size)]) == list(range(7))
    assert interleaved([[0], [], []]) == [0]


@pytest.mark.parametrize("size", [2, 3])
def test_several_processes_validate_as_one_does(
    size: int, make_policy: Any, examples: list[Example], tmp_path: Path
) -> None:
    """Seven samples, so that the shares are unequal."""
    samples = examples[:7]
    context = context_of(tmp_path, end_early(make_policy("qwen")), samples)
    one = validated(context, samples)
    assert one["f1"] > 0
    assert len({text for text, _ in one["responses"]}) > 1
    ids = one.pop("asked")
    assert ids == [example.id for example in samples]
    processes = [
        FORK.Process(target=member, args=(rank, size, context, samples)) for rank in range(size)
    ]
    for process in processes:
        process.start()
    for rank, process in enumerate(processes):
        process.join(timeout=60)
        assert process.exitcode == 0
        result = json.loads((tmp_path / f"{rank}.json").read_text(encoding="utf-8"))
        assert result.pop("asked") == ids[rank::size]
        assert result == one


def test_a_validation_has_a_temperature_of_its_own(
    make_policy: Any, examples: list[Example], tmp_path: Path
) -> None:
    context = context_of(tmp_path, end_early(make_policy("qwen")), examples)
    settings = context.config.evaluation

    def f1(temperature: float, training_temperature: float | None) -> float:
        settings.temperature = temperature
        settings.training_temperature = training_temperature
        data = Artifact(context.output, "")
        return trainings._validation(context, Scored(), data)()  # type: ignore[arg-type]

    assert f1(0.8, 0.0) == f1(0.0, None)
    assert f1(0.0, 0.8) == f1(0.8, None) != f1(0.0, None)


def temperatures(monkeypatch: pytest.MonkeyPatch, stage: Any) -> list[float]:
    """Those at which the stage asks from now on; it gets no answers."""
    asked_at: list[float] = []

    def answers(*arguments: Any) -> None:
        asked_at.append(arguments[-1].temperature)

    monkeypatch.setattr(stage, "answers", answers)
    return asked_at


def test_so_has_the_division_into_hard_and_easy_samples(
    make_policy: Any, examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_of(tmp_path, make_policy("qwen"), examples)
    context.config.evaluation.training_temperature = 0.3
    asked_at = temperatures(monkeypatch, difficulty)
    system = System("warm-up", Scored(), None)  # type: ignore[arg-type]
    difficulty._write_easy(context, system, examples, tmp_path)
    assert asked_at == [0.3]


def test_the_test_split_is_answered_at_the_other_temperature(
    make_policy: Any, examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_of(tmp_path, make_policy("qwen"), examples)
    context.config.evaluation.training_temperature = 0.3

    @contextmanager
    def opened(*_: Any, **__: Any) -> Iterator[Any]:
        yield SimpleNamespace(new=True, work=tmp_path, artifact=None)

    asked_at = temperatures(monkeypatch, evaluate)
    monkeypatch.setattr(evaluate.keys, "evaluate", lambda *_: {})
    monkeypatch.setattr(context, "open", opened)
    system = System("warm-up", Scored(), None)  # type: ignore[arg-type]
    evaluate.evaluate(context, system, Artifact(tmp_path, ""))
    assert asked_at == [0.8]
