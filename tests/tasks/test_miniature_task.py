"""A task is one folder of Python and one of configuration: a miniature runs through every stage.

``tests/tasks/miniature`` holds both: ``colours`` would lie in ``src/mmie/tasks``, and ``conf`` in
``conf/tasks/colours``. docs/extending.md explains it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import mmie.tasks
from helpers.configured import CONF, run_config
from helpers.small_runs import SMALL
from mmie import resolvers
from mmie.pipeline import execute
from mmie.results import Results, read_results
from mmie.tasks.responses import Direct
from mmie.toy.drawing import draw_scene
from mmie.types import Example, Judged, Reading

MINIATURE = Path(__file__).parent / "miniature"
SIZES = [value for value in SMALL if not value.startswith(("filter=", "data."))]
STAGES = "stages=[data,distil,filter,sft,grpo,evaluate,report,predict]"


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped configuration with the folder of the miniature; its module is importable."""
    shutil.copytree(CONF, tmp_path / "conf")
    shutil.copytree(MINIATURE / "conf", tmp_path / "conf" / "tasks" / "colours")
    monkeypatch.setattr(resolvers, "CONF", tmp_path / "conf")
    monkeypatch.setattr(mmie.tasks, "__path__", [*mmie.tasks.__path__, str(MINIATURE)])
    return tmp_path / "conf"


@pytest.fixture
def colours(conf: Path) -> Any:
    from mmie.tasks.colours import Colours  # type: ignore[import-not-found]

    return Colours(response=Direct())


def execute_miniature(conf: Path, folder: Path, *overrides: str) -> Results:
    given = ["task=colours", *SIZES, *overrides]
    config = run_config(*given, conf=conf, artifacts=folder / "artifacts")
    (folder / "output").mkdir()
    path = execute(config, folder / "output")
    assert path is not None
    return read_results(path)


@pytest.mark.slow
def test_it_runs_through_every_stage(conf: Path, tmp_path: Path, no_pictures: None) -> None:
    questions = tmp_path / "questions.jsonl"
    picture = tmp_path / "red.png"
    draw_scene([("red", "ball", 0)]).save(picture)
    rows = [{"text": f"picture {number}", "image": str(picture)} for number in range(3)]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    results = execute_miniature(conf, tmp_path, STAGES, f"predict.file={questions}")

    assert (results.task, results.main_measure, results.unit) == ("colours", "colour", "colours")
    assert list(results.systems) == ["zero-shot", "warm-up", "Colours-R1"]
    assert list(results.chains) == ["distilled", "usable", "confirmed", "selected", "samples"]
    assert results.chains["distilled"] == 24 > results.chains["confirmed"] > 0
    assert {"data", "distil", "filter", "sft", "grpo"} <= set(results.stages)
    for analysis in results.analysis.values():
        assert set(analysis.errors) <= {"invalid answer", "truncated", "invented", "missed"}
    output = tmp_path / "output"
    for name in ("zero-shot", "warm-up", "colours-r1"):
        assert len(_rows(output / "predictions" / f"{name}.jsonl")) == 6
    assert [row["id"] for row in _rows(output / "predictions.jsonl")] == ["1", "2", "3"]
    assert (output / "report").is_dir()


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_what_a_task_inherits(colours: Any) -> None:
    example = Example("x", "picture 1", (), ("blue", "red"))
    assert colours.prompt(example) == "picture 1"
    assert colours.target(example, None) == "blue, red"
    assert colours.parse("red, blue") == ("blue", "red")
    assert colours.parse("red and blue") is None
    assert colours.read("red and blue", lenient=True) == Reading(("blue", "red"), 1)
    assert colours.is_right(("blue", "red"), example)
    assert not colours.is_right(("blue", "red"), example, invalid=1)
    assert (colours.size(example), colours.stratum(example)) == (2, "blue, red")
    assert colours.describe(("red",)) == ["('red',)"]
    assert colours.votes([("red",), None, ("blue",), ("red",)]) == {"answer": ("red",)}
    assert (colours.fields(example), colours.breakdown([], [])) == ({}, {})


def test_scores_follow_from_the_counts(colours: Any) -> None:
    examples = [Example("x", "", (), ("blue", "red")), Example("y", "", (), ("pink",))]
    scores = colours.score([("red",), None], examples, bootstrap_samples=0, seed=0, invalid=[1, 0])
    assert list(scores) == ["colour"]
    score = scores["colour"]
    assert (score["correct"], score["predicted"], score["gold"]) == (1, 2, 3)
    assert (score["precision"], score["ci95"]) == (0.5, [0.0, 1.0])
    drawn = colours.score([("red",), None], examples, bootstrap_samples=50, seed=0)["colour"]
    low, high = drawn["ci95"]
    assert 0 <= low <= drawn["f1"] <= high <= 1


def test_an_answer_is_judged_part_by_part(colours: Any) -> None:
    example = Example("x", "", (), ("blue", "red"))
    assert colours.judge(("pink", "red"), example, truncated=False, invalid=1) == [
        Judged(None, None, "invalid answer"),
        Judged(("red",), ("red",), ""),
        Judged(("pink",), None, "invented"),
        Judged(None, ("blue",), "missed"),
    ]
