"""Finished runs, as their ``results.json`` tell them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmie.errors import InputError
from mmie.files import slug
from mmie.results import read_results

OTHER_READER = ("_strict", "_lenient")  # how the measures end that the other reader gives


@dataclass(frozen=True)
class Run:
    """One run: ``path`` of its results file and ``found``, what ``read_results`` gives for it."""

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
        return (
            self.found.get("command")
            or f"python run.py +experiment={self.experiment} profile={self.profile} seed={self.seed}"
        )

    @property
    def models(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Model → measure, without ``test/`` → scores by the chosen reader; weakest paradigm first."""
        return {
            model: _by_chosen_reader(measures) for model, measures in self.found["models"].items()
        }

    @property
    def analysis(self) -> dict[str, dict[str, Any]]:
        """Model → counts a sample, error kinds, breakdowns; empty for results that do not hold it."""
        return self.found.get("analysis") or {}

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
    own = {
        measure: scores
        for measure, scores in measures.items()
        if not measure.endswith(OTHER_READER)
    }
    return {measure.removeprefix("test/"): scores for measure, scores in own.items()}


def load_runs(sources: Iterable[str | Path]) -> list[Run]:
    """The runs of results files and of folders, which are searched through; sorted by experiment and seed, each file once.

    Raises:
        InputError: a source is not there, holds no results, or a file is none.
    """
    paths = sorted({path.resolve() for source in sources for path in _results_in(Path(source))})
    return sorted(
        (_load(path) for path in paths), key=lambda run: (run.experiment, run.seed, str(run.path))
    )


def _results_in(source: Path) -> Sequence[Path]:
    if source.is_file():
        return [source]
    found = sorted(source.rglob("results.json"))
    if not found:
        raise InputError(f"{source}: no results.json there; give the folder of a run or of several")
    return found


def _load(path: Path) -> Run:
    return Run(path, read_results(path))
