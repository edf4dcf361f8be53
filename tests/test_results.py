"""results.json: what is written is read back, and anything else is one line with file and key."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.results import ANALYSIS, SCORES, VOTING, results_of
from mmie.errors import InputError
from mmie.results import Cost, Results, read_results, write_results

WHOLE = results_of(
    systems={"warm-up": {"test/quintuple": SCORES}, "JMERE-R1": {"test/quintuple": SCORES}},
    analysis={"JMERE-R1": ANALYSIS},
    voting={"JMERE-R1": VOTING},
)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write_results(tmp_path / "results.json", WHOLE)
    return tmp_path / "results.json"


def changed(path: Path, *keys: Any, value: Any) -> Path:
    found = inner = json.loads(path.read_text())
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(found))
    return path


def test_what_is_written_is_read_back(written: Path) -> None:
    assert read_results(written) == WHOLE
    assert json.loads(written.read_text())["cost"] == {
        "requests": None,
        "tokens": None,
        "dollars": None,
    }


def test_scores_that_a_task_does_not_have_are_not_in_the_file(written: Path) -> None:
    scores = json.loads(written.read_text())["systems"]["JMERE-R1"]["test/quintuple"]
    assert [*scores] == ["precision", "recall", "f1", "correct", "predicted", "gold", "ci95"]


def test_unknown_keys_are_ignored(written: Path) -> None:
    assert read_results(changed(written, "later", value=1)) == WHOLE
    path = changed(written, "systems", "JMERE-R1", "test/quintuple", "later", value={})
    assert read_results(path) == WHOLE


def test_systems_by_the_chosen_reader() -> None:
    measures = {"test/quintuple": SCORES, "test/quintuple_strict": SCORES}
    results = replace(WHOLE, systems={"SFT": measures})
    assert [*results.scores("SFT")] == ["quintuple"]
    assert results.last == {"quintuple": SCORES}
    assert replace(WHOLE, systems={}).last == {}


def test_settings_are_read_of_the_configuration() -> None:
    config = {"model": {"path": "x", "dtype": "float32"}, "grpo": {"group_size": 8}, "seed": 1}
    settings = replace(WHOLE, config=config).settings
    assert settings.model.path == "x"
    assert settings.grpo is not None
    assert settings.grpo.group_size == 8
    assert replace(WHOLE, config={}).settings.grpo is None


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["seed"], "x", 'seed is "x" and not a whole number'),
        (["seed"], -1, "seed is -1 and not a whole number, 0 or more"),
        (["seed"], True, "seed is true and not a whole number"),
        (["systems"], [], "systems is [] and not a mapping"),
        (["systems", "SFT"], {"test/quintuple": {}}, "systems.SFT.test/quintuple.precision is mis"),
        (["cost", "requests"], 0.5, "cost.requests is 0.5 and not a whole number"),
        (["cost", "dollars"], float("nan"), "cost.dollars is NaN and not a number"),
        (["chains"], {"usable": None}, "chains.usable is null and not a whole number"),
        (["config", "grpo"], {"group_size": "x"}, 'config.grpo.group_size is "x" and not a whole'),
        (["analysis", "JMERE-R1", "counts", "quintuple", 0], [1], "counts.quintuple[0] is [1] and"),
        (["analysis", "JMERE-R1", "confusion", 0, 2], "x", 'JMERE-R1.confusion[0][2] is "x" and'),
        (["voting", "JMERE-R1", "k"], [1], "voting.JMERE-R1: curves.quintuple is not as long as"),
    ],
)
def test_another_shape_is_named(written: Path, keys: list[Any], value: Any, message: str) -> None:
    path = changed(written, *keys, value=value)
    with pytest.raises(InputError) as refusal:
        read_results(path)
    assert str(refusal.value).startswith(f"{path}: not the results of a run, ")
    assert message in str(refusal.value)
    assert str(refusal.value).endswith("; leave the file out or run again")


def test_an_earlier_layout_is_refused_in_one_line(written: Path) -> None:
    with pytest.raises(InputError, match="it has the key models of an earlier version; leave"):
        read_results(changed(written, "models", value={}))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"results\.json: cannot be read as the results of a run"):
        read_results(path)


def test_half_a_character_is_replaced(written: Path) -> None:
    assert read_results(changed(written, "experiment", value="a\ud800b")).experiment == "a?b"


def test_costs_may_be_known() -> None:
    assert replace(WHOLE, cost=Cost(requests=3, tokens=5, dollars=0.1)).cost.dollars == 0.1


def test_every_field_is_required_but_the_one_that_came_later() -> None:
    optional = [field for field in Results.__dataclass_fields__ if hasattr(Results, field)]
    assert optional == ["hardware"]  # recorded files from before it was added lack it
