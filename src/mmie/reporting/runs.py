"""Finished runs, as their ``results.json`` tell them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmie.errors import InputError
from mmie.files import slug

REQUIRED = ("experiment", "task", "profile", "seed", "commit", "models")
OTHER_READER = ("_strict", "_lenient")  # how the measures end that the other reader gives


@dataclass(frozen=True)
class Run:
    """One run: ``path`` of its results file and ``found``, what stands in it."""

    path: Path
    found: dict[str, Any]

    @property
    def experiment(self) -> str:
        return self.found["experiment"]

    @property
    def task(self) -> str:
        return self.found["task"]

    @property
    def profile(self) -> str:
        return self.found["profile"]

    @property
    def seed(self) -> int:
        return self.found["seed"]

    @property
    def commit(self) -> str:
        return self.found["commit"]

    @property
    def command(self) -> str:
        """As typed; for results that do not tell, the one that makes such a run."""
        return self.found.get("command") or f"python run.py +experiment={self.experiment} profile={self.profile} seed={self.seed}"

    @property
    def models(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Model → measure, without ``test/`` → scores by the chosen reader; weakest paradigm first."""
        return {model: _by_chosen_reader(measures) for model, measures in self.found["models"].items()}

    @property
    def analysis(self) -> dict[str, dict[str, Any]]:
        """Model → counts a sample, error kinds, breakdowns; empty for results that do not hold it."""
        return self.found.get("analysis", {})

    @property
    def config(self) -> dict[str, Any]:
        """The resolved configuration; empty for results that do not hold it."""
        return self.found.get("config") or {}

    def file(self, name: str) -> Path | None:
        """A file beside the results, where it is there."""
        path = self.path.parent / name
        return path if path.is_file() else None

    def predictions(self, model: str) -> Path | None:
        """The predictions of a model, where they were kept."""
        return self.file(f"predictions/{slug(model)}.jsonl")


def _by_chosen_reader(measures: dict[str, Any]) -> dict[str, Any]:
    own = {measure: scores for measure, scores in measures.items() if not measure.endswith(OTHER_READER)}
    return {measure.removeprefix("test/"): scores for measure, scores in own.items()}


def load_runs(sources: Iterable[str | Path]) -> list[Run]:
    """The runs of results files and of folders, which are searched through; sorted by experiment and seed, each file once.

    Raises:
        InputError: a source is not there, holds no results, or a file is none.
    """
    paths = sorted({path.resolve() for source in sources for path in _results_in(Path(source))})
    return sorted((_load(path) for path in paths), key=lambda run: (run.experiment, run.seed, str(run.path)))


def _results_in(source: Path) -> Sequence[Path]:
    if source.is_file():
        return [source]
    found = sorted(source.rglob("results.json"))
    if not found:
        raise InputError(f"{source}: no results.json there; give the folder of a run or of several")
    return found


def _load(path: Path) -> Run:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as results of a run ({error}); leave it out or run again") from error
    missing = [key for key in REQUIRED if not isinstance(found, dict) or key not in found]
    if missing:
        raise InputError(f"{path}: no results of a run, {missing[0]} is missing; leave it out")
    run = Run(path, found)
    _check(run)
    return run


def _check(run: Run) -> None:
    """InputError where what every table and figure needs has another shape."""
    for key in ("experiment", "task", "profile", "commit"):
        if not isinstance(run.found[key], str):
            raise InputError(f"{run.path}: {key} {run.found[key]!r} is no text; leave the file out or run again")
    models = run.found["models"]
    shaped = isinstance(models, dict) and all(isinstance(measures, dict) for measures in models.values())
    if not shaped or not all(isinstance(scores, dict) for measures in models.values() for scores in measures.values()):
        raise InputError(f"{run.path}: models is no mapping of model to measure to scores; leave the file out or run again")
    analysis = run.analysis
    if not isinstance(analysis, dict) or not all(isinstance(of_model, dict) for of_model in analysis.values()):
        raise InputError(f"{run.path}: analysis is no mapping of model to what was found; leave the file out or run again")
    configuration = run.config
    if not isinstance(configuration, dict) or not isinstance(configuration.get("model") or {}, dict):
        raise InputError(f"{run.path}: config is no configuration of a run; leave the file out or run again")
    if type(run.seed) is not int:
        raise InputError(f"{run.path}: seed {run.seed!r} is no whole number; leave the file out or run again")
