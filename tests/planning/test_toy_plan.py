"""A plan of a small toy run, beside what that run then does."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.small_runs import config_of
from mmie.pipeline import execute, plan
from mmie.toy.teacher import ScriptedTeacher
from mmie.training.actor import Actor
from mmie.training.sft import SFTModule

OVERRIDES = ["plan.memory=false"]
PRICES = {"input": 2.5, "output": 10.0}


def planned(folder: Path, *overrides: str) -> dict[str, Any]:
    config = config_of(folder, "stages=[plan]", *OVERRIDES, *overrides)
    output = folder / "plan"
    output.mkdir(exist_ok=True)
    return json.loads(plan(config, output).read_text(encoding="utf-8"))


def run(folder: Path, stage: str) -> None:
    (folder / stage).mkdir()
    execute(config_of(folder, f"stages=[{stage}]", *OVERRIDES), folder / stage)


def costs(folder: Path, stage: str) -> dict[str, Any]:
    results = json.loads((folder / stage / "results.json").read_text(encoding="utf-8"))
    cost: dict[str, Any] = results["cost"]
    return cost


def row(made: dict[str, Any], stage: str) -> dict[str, Any]:
    return next(one for one in made["stages"] if one["stage"] == stage)


def requests(made: dict[str, Any], count: str = "requests") -> int:
    return sum(one[count] for one in made["teacher"]["purposes"].values())


def count_tokens(patch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the tokens that the trainings see."""
    tokens: Counter[str] = Counter()
    step, roll_out = SFTModule.training_step, Actor.roll_out

    def counting_step(self: Any, batch: Any, index: int) -> Any:
        for item in batch.items:
            prompt = self.policy.encode(item.prompt, item.example.pictures)
            tokens["sft prompt"] += len(prompt.ids)
            tokens["sft response"] += len(item.response_ids)
        return step(self, batch, index)

    def counting_roll_out(self: Any, *args: Any, **options: Any) -> Any:
        rollouts = roll_out(self, *args, **options)
        tokens["grpo prompt"] += sum(len(prompt.ids) for prompt in rollouts.prompts)
        tokens["grpo response"] += int(rollouts.tokens)
        return rollouts

    patch.setattr(SFTModule, "training_step", counting_step)
    patch.setattr(Actor, "roll_out", counting_roll_out)
    return tokens


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planned")


@pytest.fixture(scope="module")
def prices() -> Iterator[None]:
    """Here the toy teacher, which costs nothing, has prices."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptedTeacher, "price", PRICES)
        yield


@pytest.fixture(scope="module")
def history(folder: Path, prices: None) -> dict[str, Any]:
    """Plans before the run, between its stages and after it, and what it counted."""
    made: dict[str, Any] = {"before": planned(folder)}
    run(folder, "filter")
    made["between"] = planned(folder)
    with pytest.MonkeyPatch.context() as patch:
        made["counted"] = count_tokens(patch)
        run(folder, "evaluate")
    made["after"] = planned(folder)
    return made


def only(folder: Path, stage: str, file: str) -> Path:
    (path,) = (folder / "artifacts" / stage).glob(f"*/{file}")
    return path


def test_requests_are_those_of_the_run(folder: Path, history: dict[str, Any]) -> None:
    asked = json.loads(only(folder, "distil", "requests.json").read_text(encoding="utf-8"))
    assert requests(history["before"]) == asked["asked"] == 16 * 2 * 3
    assert costs(folder, "filter")["requests"] == asked["asked"]


def test_tokens_and_dollars_of_the_teacher_are_those_of_the_run(
    folder: Path, history: dict[str, Any]
) -> None:
    plan, run = history["before"]["teacher"], costs(folder, "filter")
    assert set(plan["purposes"]) == set(run["purposes"]) == {"distil", "repredict", "score"}
    for purpose, one in plan["purposes"].items():
        spent = run["purposes"][purpose]
        assert one["requests"] == one["foretold"] == spent["asked"]
        counts = ("prompt_tokens", "answer_tokens")
        assert [one[count] for count in counts] == [spent[count] for count in counts]
        assert spent["prompt_tokens"] > spent["answer_tokens"] > 0
    tokens = [requests(history["before"], kind) for kind in ("prompt_tokens", "answer_tokens")]
    assert run["tokens"] == sum(tokens)
    assert plan["dollars"] == pytest.approx(run["dollars"])
    assert plan["dollars"] == pytest.approx((2.5 * tokens[0] + 10 * tokens[1]) / 1e6)
    assert run["paid"] == run["dollars"]
    after = costs(folder, "evaluate")  # which finds the chains there
    assert (after["dollars"], after["paid"]) == (run["dollars"], 0.0)


@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_updates_are_those_of_the_run(folder: Path, history: dict[str, Any], stage: str) -> None:
    with only(folder, stage, "metrics.csv").open(encoding="utf-8") as file:
        steps = {line[0] for line in csv.reader(file) if line[1] == "train/loss"}
    assert row(history["before"], stage)["updates"] == len(steps) > 0


@pytest.mark.parametrize("part", ["prompt", "response"])
@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_tokens_are_those_of_the_run(history: dict[str, Any], stage: str, part: str) -> None:
    """Once the chains are there, those of the warm-up are exact; rollouts end at their limit."""
    expected = row(history["between"], stage)["expected"][f"{part}_tokens"]
    exact = part == "prompt" or stage == "sft"
    counted = history["counted"][f"{stage} {part}"]
    assert expected == pytest.approx(counted, rel=1e-9 if exact else 0.1)


def test_what_is_finished_is_not_planned(history: dict[str, Any]) -> None:
    before, between, after = (history[name] for name in ("before", "between", "after"))
    assert before["finished"] == []
    assert between["finished"] == ["distil", "filter"]
    assert between["teacher"] == {}
    assert [one["stage"] for one in between["stages"]] == [one["stage"] for one in before["stages"]]
    assert after["stages"] == []
    assert {"distil", "filter", "sft", "grpo", "evaluate zero-shot"} <= set(after["finished"])
    assert after["cards"]["A40"]["hours"] == 0


def test_the_expected_length_is_that_of_answers(history: dict[str, Any], folder: Path) -> None:
    """Another learning rate trains anew, and the old warm-up's answers say how long it responds."""
    again = planned(folder, "grpo.lr=1e-4")
    assert [one["stage"] for one in again["stages"]] == [
        "grpo",
        "validate grpo",
        "evaluate JMERE-R1",
    ]
    assert any("answers of warm-up" in line for line in again["assumptions"])


def test_recorded_answers_are_not_asked_again(folder: Path, history: dict[str, Any]) -> None:
    shutil.copytree(folder / "artifacts/record", folder / "half/artifacts/record")
    (path,) = (folder / "half/artifacts/record").glob("*.jsonl")
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:40]), encoding="utf-8")
    made = planned(folder / "half")
    assert requests(made, "recorded") == 40
    assert requests(made) == len(lines) - 40


@pytest.mark.slow
def test_memory_and_disk(folder: Path, history: dict[str, Any]) -> None:
    made = planned(folder, "plan.memory=true", "seed=3", "plan.cards.A40.memory_gb=0.1")
    assert made["memory"]["peak_gib"] > made["memory"]["weights_gib"] > 0
    assert made["cards"]["H100"]["fits"]
    assert not made["cards"]["A40"]["fits"]
    assert any(line.startswith("A40: ") for line in made["warnings"])
    assert made["disk"]["adapters"] > 0
