"""Plans of both papers' runs, on small files in the layout of their data; nothing is fetched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpers.configured import run_config
from helpers.mnre_files import write_mnre
from helpers.more_files import fact, write_picture, write_split
from mmie.errors import InputError
from mmie.pipeline import plan


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise AssertionError("a plan needs no network")

    monkeypatch.setattr("socket.socket.connect", refuse)


def planned(folder: Path, *overrides: str) -> dict[str, Any]:
    chosen = ["stages=[plan]", "profile=paper", "plan.memory=false", *overrides]
    config = run_config(*chosen, artifacts=folder / "artifacts")
    return json.loads(plan(config, folder).read_text(encoding="utf-8"))


def write_more(root: Path) -> Path:
    for split in ("train", "valid", "test"):
        facts = [fact(f"Obama visits Kenya {number} {split}") for number in range(16)]
        write_split(root, split, facts)
        write_picture(root, split, "1.jpg", (400, 300))
    return root


def test_jmere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_mnre(tmp_path / "mnre")
    made = planned(tmp_path, "+experiment=jmere_r1", f"data.root={root}")
    purposes = made["teacher"]["purposes"]
    assert {name: one["requests"] for name, one in purposes.items()} == {
        "distil": 10,
        "repredict": 10,
        "score": 10,
    }
    # A picture of 90 × 80 pixels or 130 × 80 is one tile: 85 + 170 tokens.
    assert purposes["distil"]["prompt_tokens"] > 10 * 255
    tokens = [
        sum(one[kind] for one in purposes.values()) for kind in ("prompt_tokens", "answer_tokens")
    ]
    assert tokens[1] == 30 * 250
    assert made["teacher"]["dollars"] == pytest.approx((2.5 * tokens[0] + 10 * tokens[1]) / 1e6)
    updates = {one["stage"]: one["updates"] for one in made["stages"] if one["updates"]}
    assert updates == {"sft": 2 * 5 // 8, "grpo": 2 * 30 // 8}
    assert {one["processes"] for one in made["stages"]} == {4}  # evaluations are shared, too
    assert made["cards"]["A40"]["gpu_hours"] == pytest.approx(4 * made["cards"]["A40"]["hours"])
    assert made["warnings"] == []
    said = capsys.readouterr().out
    assert "teacher gpt-4o-2024-11-20: $" in said
    assert max(map(len, said.splitlines()[:-1])) <= 80


def test_more(tmp_path: Path) -> None:
    root = write_more(tmp_path / "more")
    made = planned(tmp_path, "+experiment=more_r1", f"data.root={root}")
    assert made["teacher"]["purposes"]["distil"]["requests"] > 0
    stages = [one["stage"] for one in made["stages"]]
    assert stages[:3] == ["sft", "validate sft", "difficulty"]
    assert any("of 12 samples of GRPO rightly" in line for line in made["assumptions"])


def test_the_teacher_as_a_system_is_asked_about_the_test_split(tmp_path: Path) -> None:
    root = write_mnre(tmp_path / "mnre")
    made = planned(tmp_path, "+experiment=zero_shot_teacher", f"data.root={root}")
    assert {name: one["requests"] for name, one in made["teacher"]["purposes"].items()} == {
        "answer": 2
    }
    assert made["stages"] == []


def test_batches_are_planned_at_their_price(tmp_path: Path) -> None:
    root = write_mnre(tmp_path / "mnre")
    dollars = [
        planned(tmp_path, f"data.root={root}", f"teacher.mode={mode}")["teacher"]["dollars"]
        for mode in ("online", "batch")
    ]
    assert dollars[1] == pytest.approx(dollars[0] / 2)


def test_a_model_without_a_price_costs_nobody_knows_what(tmp_path: Path) -> None:
    root = write_mnre(tmp_path / "mnre")
    made = planned(tmp_path, f"data.root={root}", "teacher.model=other")
    assert made["teacher"]["dollars"] is None
    assert any(line.startswith("teacher.prices: other") for line in made["warnings"])


def test_a_plan_stands_alone() -> None:
    with pytest.raises(InputError, match="^stages: plan runs nothing but the stage data"):
        run_config("stages=[plan,sft]")


def test_a_card_of_no_speed_is_refused() -> None:
    with pytest.raises(InputError, match="^plan.cards.A40.tflops: 0.0 is out of range"):
        run_config("plan.cards.A40.tflops=0")
