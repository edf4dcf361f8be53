"""Finished runs: their ``results.json`` and the files beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mmie.errors import InputError
from mmie.files import slug
from mmie.results import Results, Scores, read_results


@dataclass(frozen=True)
class Run:
    """One run: the ``path`` of its results file, and what it holds."""

    path: Path
    results: Results

    @property
    def experiment(self) -> str:
        return self.results.experiment

    @property
    def task(self) -> str:
        return self.results.task

    @property
    def profile(self) -> str:
        return self.results.profile

    @property
    def seed(self) -> int:
        return self.results.seed

    @property
    def commit(self) -> str:
        return self.results.commit

    @property
    def text_only(self) -> str:
        """What a page must say if no sample of the run had a picture; "" otherwise."""
        return self.results.text_only

    @property
    def short_commit(self) -> str:
        """Ten digits, and ``+dirty`` where the files were not those of the commit."""
        digits, plus, state = self.results.commit.partition("+")
        return f"{digits[:10]}{plus}{state}"

    @cached_property
    def systems(self) -> dict[str, dict[str, Scores]]:
        """System → measure, without ``test/`` → scores by the chosen reader; weakest first."""
        return {system: self.results.scores(system) for system in self.results.systems}

    def file(self, name: str) -> Path | None:
        """A file beside the results, where there is one."""
        path = self.path.parent / name
        return path if path.is_file() else None

    def predictions(self, system: str) -> Path | None:
        """The predictions of a system, where they were kept."""
        return self.file(f"predictions/{slug(system)}.jsonl")


def load_runs(sources: Iterable[str | Path]) -> list[Run]:
    """The runs of results files and of folders, which are searched through.

    Returns:
        Each file once, sorted by experiment, seed and path.

    Raises:
        InputError: a source does not exist, holds no results, or is not a results file.
    """
    paths = {path.resolve() for source in sources for path in _results_in(Path(source))}
    runs = [Run(path, read_results(path)) for path in paths]
    return sorted(runs, key=lambda run: (run.experiment, run.seed, str(run.path)))


def _results_in(source: Path) -> Sequence[Path]:
    if source.is_file():
        return [source]
    found = sorted(source.rglob("results.json"))
    if not found:
        raise InputError(f"{source}: no results.json there; give the folder of a run or of several")
    return found
