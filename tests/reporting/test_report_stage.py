"""stages=[report] report.runs=…: tables of finished runs, with neither model nor data."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.configured import run_config
from helpers.results import NO_ANALYSIS
from mmie import pipeline
from mmie.artifacts import Artifact
from mmie.errors import InputError
from mmie.results import read_results

ROOT = Path(__file__).parents[2]
Write = Callable[..., Path]
Scores = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("override", "sources"), [("null", []), ("a", ["a"]), ("[a,b/c]", ["a", "b/c"]), ("[]", [])]
)
def test_runs_are_a_path_or_a_list_of_paths(override: str, sources: list[str]) -> None:
    assert run_config(f"report.runs={override}").report.sources == sources


@pytest.mark.parametrize(
    "override",
    ["report.runs=3", "report.runs=[3]", "report.runs=''", "+report.runs.a=b", "report.runs=false"],
)
def test_other_runs_are_refused(override: str) -> None:
    with pytest.raises(
        InputError, match=r"^report\.runs: .* is neither a path nor a list of paths; name"
    ):
        run_config(override)


def test_the_node_is_closed() -> None:
    with pytest.raises(Exception, match="folders"):  # noqa: PT011  (Hydra's own)
        run_config("report.folders=x")


def test_collecting_writes_the_tables(tmp_path: Path, write_run: Write, scores: Scores) -> None:
    write_run("sft", {"SFT": {"quintuple": scores(4, 8, 12)}})
    page = pipeline.collect(run_config("stages=[report]", "report.runs=runs"), tmp_path / "out")
    assert page == tmp_path / "out" / "report" / "README.md"
    assert "| SFT (toy Qwen2.5-VL, 1.1 M) | 50.0 | 33.3 |" in page.read_text(encoding="utf-8")
    other = pipeline.collect(
        run_config("stages=[report]", "report.runs=[runs]", "report.folder=x"), tmp_path / "out"
    )
    assert other == Path("x/README.md")
    assert other.is_file()


def test_a_run_writes_its_own_tables_after_its_results(
    tmp_path: Path,
    write_run: Write,
    scores: Scores,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The stages are left out here: they hand over the folder of an evaluation."""
    config = run_config("+experiment=sft", f"artifacts={tmp_path}/store", "trainer.threads=null")
    measures = {"test/quintuple": scores(4, 8, 12)}
    analysis = {**NO_ANALYSIS, "counts": {"quintuple": [[4, 8, 12]]}}
    (tmp_path / "metrics.json").write_text(json.dumps(measures))
    (tmp_path / "analysis.json").write_text(json.dumps(analysis))
    (tmp_path / "predictions.jsonl").touch()
    monkeypatch.setattr(pipeline, "quiet_libraries", lambda: None)
    monkeypatch.setattr(pipeline, "stages", lambda context: {"SFT": Artifact(tmp_path, "key")})
    path = pipeline.execute(config, tmp_path / "out")
    assert path == tmp_path / "out" / "results.json"
    results = read_results(path)
    assert results.last["quintuple"].f1 == 0.4
    assert (results.comparisons, results.cost.requests) == ((), 0)
    page = (tmp_path / "out" / "report" / "README.md").read_text(encoding="utf-8")
    assert "| SFT (toy Qwen2.5-VL, 1.1 M) | 50.0 |" in page
    assert (tmp_path / "out" / "predictions" / "sft.jsonl").is_file()
    printed = " ".join(capsys.readouterr().out.split())
    assert "SFT 50.0 33.3 40.0 [30.0, 50.0]" in printed
    monkeypatch.setattr(pipeline, "stages", lambda context: {})  # nothing evaluated
    pipeline.execute(config, tmp_path / "none")
    assert not (tmp_path / "none" / "report").exists()


def test_wrong_paths_are_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "stages", lambda context: pytest.fail("it ran"))
    monkeypatch.setattr(pipeline, "quiet_libraries", lambda: None)
    with pytest.raises(InputError, match=r"nowhere: no results\.json there"):
        pipeline.execute(
            run_config(f"report.runs={tmp_path}/nowhere", "trainer.threads=null"), tmp_path
        )


def test_the_command_line(
    tmp_path: Path,
    write_run: Write,
    scores: Scores,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for seed in (0, 1):
        write_run("sft", {"SFT": {"quintuple": scores(4, 8, 12)}}, seed=seed)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        sys, "argv", ["run.py", "stages=[report]", "report.runs=[runs]", "report.folder=page"]
    )
    runpy.run_path(str(ROOT / "run.py"), run_name="__main__")
    assert capsys.readouterr().out.splitlines()[-1] == "report: page/README.md"
    assert (tmp_path / "page" / "README.md").is_file()
    assert not (tmp_path / "artifacts").exists()
    assert not list(tmp_path.rglob("outputs/**/results.json"))
