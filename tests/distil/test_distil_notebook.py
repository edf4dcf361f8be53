"""Distillation from inside a running event loop, as in a notebook's cell."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from helpers.configured import prompts
from mmie.distil.answer import Answer
from mmie.distil.candidates import run_distillation, run_to_end
from mmie.distil.record import Record
from mmie.errors import InputError
from mmie.tasks.jmere.chains import JMEREChains
from mmie.types import Candidate, Example, Quintuple

GOLD = (Quintuple("Josh Gordon", "per", "Browns", "org", "member of"),)


class Fixed:
    """Answers by purpose."""

    model = "fixed"
    parameters: dict[str, float] = {}
    concurrency = 2
    max_pixels = 1 << 22
    max_refused = 0.1
    price = budget = in_batches = None

    async def ask(self, request: object) -> Answer:
        await asyncio.sleep(0)
        texts = {
            "distil": "A chain.",
            "repredict": "[Josh Gordon, per, Browns, org, member of]",
            "score": "Score: 0.9",
        }
        return Answer(texts[request.purpose])  # type: ignore[attr-defined]

    async def close(self) -> None: ...


def distilled(path: Path) -> list[Candidate]:
    return run_distillation(
        [Example(f"train-{number}", "x", (), GOLD) for number in range(2)],
        Fixed(),
        Record(path),
        candidates=1,
        chains=JMEREChains(types=["per", "org"], relations=["member_of"], **prompts("jmere")),
        progress=lambda done: None,
    )


def test_it_works_with_and_without_a_running_loop(tmp_path: Path) -> None:
    async def cell() -> list[Candidate]:
        return distilled(tmp_path / "inside.jsonl")

    expected = [
        Candidate(
            f"train-{number}",
            0,
            "A chain.",
            {"repredicted": [[*one] for one in GOLD], "score": 0.9},
        )
        for number in range(2)
    ]
    assert distilled(tmp_path / "outside.jsonl") == expected
    assert asyncio.run(cell()) == expected


def test_errors_arrive_as_they_are() -> None:
    async def fail() -> None:
        raise InputError("one line")

    async def cell() -> None:
        run_to_end(fail())

    with pytest.raises(InputError, match="^one line$"):
        asyncio.run(cell())
