"""An answer that is right but for an invalid item is not shown as right."""

from pathlib import Path
from typing import Any

from helpers.casebook_runs import GOLD, line, write_run
from mmie.reporting.casebook.answers import Answer, read_models
from mmie.reporting.runs import load_runs


def shown(folder: Path, **changes: Any) -> Answer:
    response = "<think> why </think> <answer> [Ann Lee, per], … </answer>"
    run = write_run(folder / "run", {"R1": [line(response=response, **changes)]})
    [model] = read_models(load_runs([run]))
    return model.answers["test-0"]


def test_a_right_quintuple_beside_an_invalid_item_is_partly_right(tmp_path: Path) -> None:
    known = shown(tmp_path, parsed=[GOLD], invalid=1)
    assert known.verdict == "partly"
    assert [part.kind for part in known.judged] == ["invalid answer", ""]
    assert "[Ann Lee, per]" in known.raw


def test_an_answer_without_any_readable_item_is_invalid(tmp_path: Path) -> None:
    known = shown(tmp_path, parsed=None, invalid=2)
    assert known.verdict == "invalid answer"
    assert [part.kind for part in known.judged] == ["invalid answer", "invalid answer", "missed"]
