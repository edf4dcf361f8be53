"""What a training says of how far it has come."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from helpers.training_runs import KillBefore, KilledError, loop_config, train_grpo, train_sft
from mmie.stages.progress import progress


@pytest.fixture(autouse=True)
def _every_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows each update, where users see one line per minute."""
    monkeypatch.setattr("mmie.stages.progress.PERIOD", 0.0)


def updates_shown(examples: list[Any], policy: Any, folder: Path, *callbacks: Any) -> list[str]:
    """The lines of a training of four updates, each of which is shown."""
    output = StringIO()
    with suppress(KilledError):
        train_sft(
            policy,
            examples[:8],
            folder,
            epochs=2,
            validate=lambda: 0.25,
            loop=loop_config(checkpoint_every=2),
            callbacks=callbacks,
            progress=partial(progress, Console(file=output, width=200)),
        )
    return output.getvalue().splitlines()


def test_every_update_counts_once_also_those_before_a_resume(
    make_policy: Any, examples: list[Any], tmp_path: Path
) -> None:
    killed = updates_shown(examples, make_policy(), tmp_path, KillBefore(3))
    assert [line.split(" after ")[0] for line in killed] == [
        "updates: 1 of 4",
        "updates: 2 of 4",
        "updates: 3 of 4",
    ]
    resumed = updates_shown(examples, make_policy(), tmp_path)
    assert [line.split(" after ")[0] for line in resumed] == [
        "updates: 3 of 4 (2 in earlier runs)",
        "updates: 4 of 4 (2 in earlier runs)",
    ]


def test_the_lines_have_the_loss_and_the_last_validation(
    make_policy: Any, examples: list[Any], tmp_path: Path
) -> None:
    first, second, *_ = updates_shown(examples, make_policy(), tmp_path)
    assert re.fullmatch(r"updates: 1 of 4 after \d+ s; loss \d+\.\d+", first)
    assert re.fullmatch(r"updates: 2 of 4 after \d+ s; loss \d+\.\d+, validation F1 0\.25", second)


def test_the_lines_of_grpo_have_the_reward_and_not_the_loss(
    make_policy: Any, examples: list[Any], tmp_path: Path
) -> None:
    output = StringIO()
    shown = partial(progress, Console(file=output, width=200))
    train_grpo(make_policy(), examples[:4], tmp_path, epochs=1, progress=shown)
    assert re.fullmatch(
        r"updates: 1 of 1 after \d+ s; reward \d\S*, validation F1 0\n", output.getvalue()
    )
