"""The loop that asks for answers, and the file that they go to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mmie.artifacts import Store
from mmie.errors import InputError
from mmie.stages.answers import AnswerFile, answer
from mmie.stages.context import Context
from mmie.types import Example

SAMPLES = [Example(f"test-{number}", f"text {number}", (), ()) for number in range(5)]


class Asked:
    """Answers with the samples' texts and notes the batches; is killed at the given one."""

    def __init__(self, *, killed_at: int | None = None) -> None:
        self.batches: list[list[str]] = []
        self.killed_at = killed_at

    def __call__(self, examples: Sequence[Example]) -> list[str]:
        if len(self.batches) == self.killed_at:
            raise KeyboardInterrupt
        self.batches.append([example.id[-1] for example in examples])
        return [example.text.upper() for example in examples]


def context_of(folder: Path) -> Context:
    config: Any = SimpleNamespace(trainer=SimpleNamespace(processes=1))
    return Context(config, Store(folder), folder)


def file_at(path: Path) -> AnswerFile[str]:
    def row(example: Example, text: str) -> dict[str, Any]:
        return {"id": example.id, "response": text, "path": path}

    return AnswerFile(path, row, itemgetter("response"), keys=["id", "response"])


def test_answers_come_in_batches_and_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = Asked()
    answers = answer(context_of(tmp_path), SAMPLES, ask, batch_size=2)
    assert answers == [f"TEXT {number}" for number in range(5)]
    assert ask.batches == [["0", "1"], ["2", "3"], ["4"]]
    assert capsys.readouterr().out == ""  # nobody wants to see the progress of a validation
    answer(context_of(tmp_path), SAMPLES, ask, batch_size=5, label="answering")
    assert "answering: 5 of 5" in capsys.readouterr().out


@pytest.mark.parametrize("torn", [b"", b'{"id": "test-4", "resp', b'{"id": "test-4"}\n'])
def test_a_killed_loop_goes_on_after_the_last_whole_line(tmp_path: Path, torn: bytes) -> None:
    context, path = context_of(tmp_path), tmp_path / "answers.jsonl"
    with pytest.raises(KeyboardInterrupt):
        answer(context, SAMPLES, Asked(killed_at=2), batch_size=2, file=file_at(path))
    path.write_bytes(path.read_bytes() + torn)
    ask = Asked()
    answers = answer(context, SAMPLES, ask, batch_size=3, file=file_at(path))
    assert ask.batches == [["4"]]
    assert answers == [f"TEXT {number}" for number in range(5)]
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows] == [example.id for example in SAMPLES]
    assert rows[0] == {"id": "test-0", "response": "TEXT 0", "path": str(path)}


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "answers.jsonl"
    with pytest.raises(InputError, match=rf"^{path}: cannot be written"):
        answer(context_of(tmp_path), SAMPLES, Asked(), batch_size=2, file=file_at(path))
