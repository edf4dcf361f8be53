"""The stages sample with the engine that the configuration chooses, and say so in their files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from helpers.small_runs import config_of
from helpers.training_runs import WordTask, grpo_config, length_reward, make_examples
from mmie.artifacts import Store
from mmie.serving.choice import Local
from mmie.serving.engine import Question
from mmie.serving.local import LocalEngine
from mmie.stages.answers import ask_policy, response_file
from mmie.stages.context import Context
from mmie.stages.system import System
from mmie.stages.vote import drawn
from mmie.training.grpo import GRPOModule
from mmie.types import Example, Picture, Responded

SAMPLES = [Example(f"test-{n}", "Ann Lee", (Picture(None),), ()) for n in range(2)]


class Noting(LocalEngine):
    """Samples as this process does, under a name, and notes the keys."""

    name = "noting 1"

    def __init__(self, policy: Any) -> None:
        super().__init__(policy)
        self.keys: list[str] = []
        self.closed = False

    def sample(self, questions: Sequence[Question], keys: Sequence[str], **options: Any) -> Any:
        self.keys += keys
        return super().sample(questions, keys, **options)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[Noting]:
    opened: list[Noting] = []

    def open_noting(self: Local, policy: Any, use: Any) -> Noting:
        opened.append(Noting(policy))
        return opened[-1]

    monkeypatch.setattr(Local, "open", open_noting)
    return opened


def test_answers_and_votes_are_sampled_by_the_engine(tmp_path: Path, engines: list[Noting]) -> None:
    config = config_of(tmp_path, "evaluation.samples=2")
    context = Context(config, Store(tmp_path / "artifacts"), tmp_path)
    assert len(ask_policy(context, context.reasoned, context.config.evaluation)(SAMPLES)) == 2
    assert engines[0].keys == ["respond-0-test-0", "respond-0-test-1"]
    engines[0].keys.clear()
    base = System("base", context.reasoned, None)
    drawn(context, base, SAMPLES[:1], tmp_path / "samples.jsonl")
    assert engines[0].keys == ["respond-0-test-0", "respond-0-test-0-1"]
    assert '"engine": "noting 1"' in (tmp_path / "samples.jsonl").read_text()
    context.close()
    assert [engine.closed for engine in engines] == [True]


@pytest.mark.parametrize(("name", "said"), [("noting 1", {"engine": "noting 1"}), ("", {})])
def test_a_line_says_who_made_it_if_it_was_not_the_run_itself(
    tmp_path: Path, name: str, said: dict[str, str]
) -> None:
    context = Context(config_of(tmp_path), Store(tmp_path / "artifacts"), tmp_path)
    file = response_file(context, context.reasoned, tmp_path / "answers.jsonl", engine=name)
    row = file.row(SAMPLES[0], Responded("none", truncated=False))
    assert {key: value for key, value in row.items() if key == "engine"} == said


def test_rollouts_are_sampled_by_the_engine(make_policy: Any, pictures: list[Any]) -> None:
    policy, config = make_policy(), grpo_config(group_size=2, max_new_tokens=3)
    engine = Noting(policy)
    reward = length_reward
    module = GRPOModule(policy, WordTask(), reward, config, steps=1, seed=4, engine=engine)
    rollouts = module.actor.roll_out(make_examples(pictures)[:2], step=7)
    assert engine.keys == ["rollout-4-7-train-0", "rollout-4-7-train-1"]
    assert len(rollouts.texts) == 4
