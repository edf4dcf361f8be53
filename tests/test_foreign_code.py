"""A configuration from elsewhere runs no code but mmie's own classes, at whatever depth."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from helpers.configured import run_config
from mmie.config import node
from mmie.errors import InputError
from mmie.types import Picture

ROOT = Path(__file__).parents[1]
MARK = "{_target_: pathlib.Path.touch, self: {_target_: pathlib.Path, _args_: [PLACE]}}"


def refusal(*overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        run_config(*overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("override", "key"),
    [
        (f"+task.relations.x={MARK}", "task.relations.x._target_"),
        (f"+task.relations.x=[{MARK}]", "task.relations.x[0]._target_"),
        (f"+task.relations.x=[[1,{{deep: [{MARK}]}}]]", "task.relations.x[0][1].deep[0]._target_"),
        (f"report.runs=[{MARK}]", "report.runs[0]._target_"),
        (f"+filter.mine={MARK}", "filter.mine._target_"),
        (f"+cot.chains.extra={MARK}", "cot.chains.extra._target_"),
        (
            "+task.relations.x={_target_: torch.load, f: evil.pt, weights_only: false}",
            "task.relations.x._target_",
        ),
        ("reward._target_=mmie.artifacts.subprocess.run", "reward._target_"),
        ("reward._target_=mmie.files.os.system", "reward._target_"),
        ("reward._target_=mmie.artifacts.log", "reward._target_"),
        ("reward._target_=mmie.stages.tracking.asdict", "reward._target_"),
        ("reward._target_=mmie.config.dataclass", "reward._target_"),
        ("reward._target_=mmie.stages.tracking.names", "reward._target_"),
        ("reward._target_='mmie..x'", "reward._target_"),
        ("reward._target_=mmie.", "reward._target_"),
        ("+reward._args_=[1]", "reward._args_"),
        ("+reward._partial_=true", "reward._partial_"),
        ("+reward._recursive_=false", "reward._recursive_"),
        ("+task.relations.x={_convert_: none}", "task.relations.x._convert_"),
        ("+task.relations.x=[{_args_: [1]}]", "task.relations.x[0]._args_"),
    ],
)
def test_what_is_not_mmies_own_is_refused_with_its_full_key(override: str, key: str) -> None:
    assert refusal(*override.split(" ;; ")).startswith(f"{key}: ")


def test_arguments_of_deep_nodes_are_checked_too() -> None:
    deep = "{_target_: mmie.tasks.jmere.rewards.JMEREReward, alpha: 0.1, beta: 0.1, gamma: 1}"
    assert refusal(f"+task.relations.x=[{{y: {deep}}}]").startswith("task.relations.x[0].y.gamma: ")


def test_text_that_looks_like_an_interpolation_stays_text(tmp_path: Path) -> None:
    """It was resolved once; a second time would turn text into nodes that nobody has checked."""
    place = tmp_path / "touched"
    touch = (
        f"{{_target_: pathlib.Path.touch, self: {{_target_: pathlib.Path, _args_: ['{place}']}}}}"
    )
    text = f"${{oc.create:{touch}}}"
    assert node({"_target_": "mmie.types.Picture", "path": text}).path == text
    assert not place.exists()


def test_nested_nodes_are_built() -> None:
    picture = {"_target_": "mmie.types.Picture", "path": None}
    value = {
        "_target_": "mmie.types.Example",
        "id": "1",
        "text": "t",
        "pictures": [picture],
        "gold": {"deep": picture},
    }
    example = node(value, extra={"_target_": "left alone"})
    assert (example.pictures, example.gold) == ([Picture(None)], {"deep": Picture(None)})
    assert example.extra == {"_target_": "left alone"}


def test_environment_variables_may_still_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELSEWHERE", "/data")
    assert run_config("artifacts=${oc.env:ELSEWHERE}").artifacts == "/data"


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["+hydra.callbacks.x._target_=pathlib.PurePath"], "hydra.callbacks.x._target_"),
        (
            ["-m", "seed=0,1", "+hydra.sweeper.x={_target_: pathlib.PurePath}"],
            "hydra.sweeper.x._target_",
        ),
        (
            ["-m", "seed=0,1", "+hydra.launcher.x=[{_target_: pathlib.PurePath}]"],
            "hydra.launcher.x[0]._target_",
        ),
    ],
)
def test_hydras_own_nodes_are_hydras_or_its_plugins(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    key: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(ROOT / "run.py"), run_name="__main__")
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {key}: pathlib.PurePath is ")
    assert error.count("\n") == 1
