"""The lines of ``rollouts.jsonl``, and broken ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmie.errors import InputError
from mmie.reporting.rollouts import Rollout, read_rollouts


def test_rollouts(tmp_path: Path) -> None:
    path = tmp_path / "rollouts.jsonl"
    row = {"step": 1, "text": "t", "response": "r", "reward": None, "r_q": 0.5, "image": ["a.png"]}
    path.write_text(json.dumps(row) + "\n\n")
    values = {"r_q": 0.5, "image": ["a.png"]}
    assert read_rollouts(path) == [
        Rollout(step=1, text="t", response="r", reward=None, values=values)
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"step": 1}', "rollouts.jsonl:2: not a rollout, text is missing"),
        ('{"r_q": [1]}', "rollouts.jsonl:2: not a rollout, r_q is [1] and not a number"),
        ('{"a\\nb": [1]}', "rollouts.jsonl:2: not a rollout, a b is [1] and not a number"),
        ("[]", "rollouts.jsonl:2: not a rollout, the whole is [] and not a mapping"),
        ("{", "rollouts.jsonl:2: not JSON"),
    ],
)
def test_a_broken_rollout_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "rollouts.jsonl"
    path.write_text("\n" + line)
    with pytest.raises(InputError) as refusal:
        read_rollouts(path)
    assert message in str(refusal.value)
