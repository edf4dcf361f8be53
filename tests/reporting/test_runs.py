"""Runs are found, told apart from other files, and read whether they are old or new."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmie.errors import InputError
from mmie.reporting.runs import load_runs

MODELS = {"JMERE-R1": {"test/quintuple": {"f1": 0.5}}}
FOUND = {
    "experiment": "jmere_r1",
    "task": "jmere",
    "profile": "toy",
    "seed": 1,
    "commit": "abc",
    "models": MODELS,
}


def write(folder: Path, **changes: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    path.write_text(json.dumps({**FOUND, **changes}))
    return path


def test_runs_come_in_order_and_once(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "b", seed=2),
        write(tmp_path / "a" / "deep", seed=3),
        write(tmp_path / "c", experiment="cot_sft", seed=9),
    ]
    runs = load_runs([tmp_path, paths[0], tmp_path / "b"])
    assert [(run.experiment, run.seed) for run in runs] == [
        ("cot_sft", 9),
        ("jmere_r1", 2),
        ("jmere_r1", 3),
    ]
    assert runs[0].models == {"JMERE-R1": {"quintuple": {"f1": 0.5}}}


def test_older_results_are_read(tmp_path: Path) -> None:
    run = load_runs([write(tmp_path)])[0]
    assert run.command == "python run.py +experiment=jmere_r1 profile=toy seed=1"
    assert (run.analysis, run.config, run.predictions("JMERE-R1")) == ({}, {}, None)
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / "jmere-r1.jsonl").touch()
    assert run.predictions("JMERE-R1") == run.path.parent / "predictions" / "jmere-r1.jsonl"
    assert (
        load_runs([write(tmp_path, command="python run.py seed=1")])[0].command
        == "python run.py seed=1"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", r"the whole is \[\] and no mapping"),
        ("{}", "experiment is missing"),
        ('{"experiment": ""}', "task is missing"),
    ],
)
def test_what_is_no_run_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(InputError, match=rf"results\.json: .*{message}"):
        load_runs([tmp_path])


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no results\.json there"):
        load_runs([tmp_path])


def test_half_a_character_breaks_no_reader(tmp_path: Path) -> None:
    run = load_runs([write(tmp_path, experiment="a\ud800b")])[0]
    assert run.experiment == "a?b"
