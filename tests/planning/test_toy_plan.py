"""A plan of a small toy run, beside what that run then does."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from helpers.small_runs import config_of
from mmie.pipeline import execute, plan
from mmie.training.actor import Actor
from mmie.training.sft import SFTModule

# Without broken chains every chain is asked about, as the plan takes it.
OVERRIDES = ["teacher.broken_format=0", "plan.memory=false"]


def planned(folder: Path, *overrides: str) -> dict[str, Any]:
    config = config_of(folder, "stages=[plan]", *OVERRIDES, *overrides)
    output = folder / "plan"
    output.mkdir(exist_ok=True)
    return json.loads(plan(config, output).read_text(encoding="utf-8"))


def run(folder: Path, stage: str) -> None:
    (folder / stage).mkdir()
    execute(config_of(folder, f"stages=[{stage}]", *OVERRIDES), folder / stage)


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
def history(folder: Path) -> dict[str, Any]:
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
    assert history["before"]["teacher"]["dollars"] is None


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


def test_memory_and_disk(folder: Path, history: dict[str, Any]) -> None:
    made = planned(folder, "plan.memory=true", "seed=3", "plan.cards.A40.memory_gb=0.1")
    assert made["memory"]["peak_gib"] > made["memory"]["weights_gib"] > 0
    assert made["cards"]["H100"]["fits"]
    assert not made["cards"]["A40"]["fits"]
    assert any(line.startswith("A40: ") for line in made["warnings"])
    assert made["disk"]["adapters"] > 0
