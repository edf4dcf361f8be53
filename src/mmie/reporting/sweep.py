"""The jobs of a sweep in one table: what varies, what came out and what failed.

The best job is chosen on the validation split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from rich.table import Table

from mmie.files import write_text
from mmie.json_types import read_json
from mmie.reporting.escaping import in_code, in_markdown
from mmie.reporting.numbers import NOTHING, percent, with_interval
from mmie.reporting.terminal import grid
from mmie.results import Scores, read_results

NOTES = "jobs"  # folder of the notes, <number>.json, in that of the sweep
UNENDED = "not ended: killed, or still running"
FIGURE = "sweep"  # name of the figure, without suffix
CHOICE = "The best job is chosen by validation F1; the test split chooses nothing."


@dataclass(frozen=True, kw_only=True)
class JobNote:
    """``jobs/<number>.json``: one job, as the sweep notes it; see ``Job`` for the fields."""

    job: int
    overrides: tuple[str, ...]
    folder: str
    seconds: float
    validation_f1: float | None
    error: str | None


@dataclass(frozen=True)
class Job:
    """One job of a sweep.

    Attributes:
        number: Hydra's number of the job.
        overrides: key → value as given, without ``+``.
        validation_f1: of the kept checkpoint of the last training, 0..1; None where nothing was
            trained, or the job failed.
        test: scores of the last system in the main measure; None without an evaluation.
        seconds: wall time of the job in this sweep; what was taken from the store costs nothing.
        folder: of the job, as seen from that of the sweep.
        error: why it failed, in one line; None where it did not.
    """

    number: int
    overrides: dict[str, str]
    validation_f1: float | None
    test: Scores | None
    seconds: float
    folder: str
    error: str | None

    def shown(self, names: Sequence[str]) -> str:
        """The job in the words of the command line."""
        given = [name for name in names if name in self.overrides]
        return " ".join(f"{name}={short(self.overrides[name])}" for name in given)


def load_note(path: Path) -> JobNote:
    """Reads one note.

    Raises:
        InputError: it is broken.
    """
    return read_json(JobNote, path, what="the note of a job", advice="delete it")


def load_jobs(folder: Path) -> list[Job]:
    """The jobs noted so far in the folder of a sweep, by number.

    Raises:
        InputError: a note or a job's results are broken.
    """
    jobs, root = [], folder.resolve()
    for path in (folder / NOTES).glob("*.json"):
        note = load_note(path)
        own = Path(note.folder)
        file = own / "results.json"
        results = read_results(file) if note.error is None and file.exists() else None
        given = (override.lstrip("+").partition("=") for override in note.overrides)
        job = Job(
            number=note.job,
            overrides={name: value for name, _, value in given},
            validation_f1=note.validation_f1,
            test=results.last.get(results.main_measure) if results else None,
            seconds=note.seconds,
            folder=str(own.relative_to(root)) if own.is_relative_to(root) else str(own),
            error=note.error,
        )
        jobs.append(job)
    return sorted(jobs, key=lambda job: job.number)


def varying(jobs: Sequence[Job]) -> list[str]:
    """The keys that do not have the same value in all jobs, in the order given."""
    names = dict.fromkeys(name for job in jobs for name in job.overrides)
    return [name for name in names if len({job.overrides.get(name) for job in jobs}) > 1]


def best_of(jobs: Sequence[Job]) -> Job | None:
    """The job with the highest validation F1, the earliest of equals; None without such a value."""
    scored = [job for job in jobs if job.validation_f1 is not None]
    return max(scored, key=lambda job: job.validation_f1 or 0.0, default=None)


def short(value: str) -> str:
    """A decimal number to three digits, anything else as it is."""
    try:
        return f"{float(value):.3g}" if "." in value else value
    except ValueError:
        return value


def write_summary(folder: Path, jobs: Sequence[Job]) -> None:
    """Writes ``summary.md`` and ``summary.csv``."""
    write_text(folder / "summary.csv", as_csv(jobs))
    write_text(folder / "summary.md", as_markdown(jobs, figure=(folder / f"{FIGURE}.svg").exists()))


def as_csv(jobs: Sequence[Job]) -> str:
    """One line per job, F1 in 0..1, values of the overrides as given."""
    import pandas as pd  # late: every run starts without it

    names, best, rows = varying(jobs), best_of(jobs), []
    for job in jobs:
        low, high = (job.test and job.test.ci95) or (None, None)
        row = {"job": job.number, "state": _state(job, None), "best": int(job is best)}
        row |= {name: job.overrides.get(name) for name in names}
        row |= {"validation_f1": job.validation_f1, "test_f1": job.test and job.test.f1}
        row |= {"test_f1_low": low, "test_f1_high": high, "seconds": job.seconds}
        rows.append({**row, "path": job.folder, "error": job.error})
    return pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")


def as_markdown(jobs: Sequence[Job], *, figure: bool) -> str:
    """The best job, the table and the failures."""
    from mmie.reporting.formats import markdown_grid  # late, as above

    failed, best, names = [job for job in jobs if job.error], best_of(jobs), varying(jobs)
    parts = [f"# A sweep of {len(jobs)} jobs, {len(failed)} failed", CHOICE]
    if best is not None:
        words = f"{in_code(best.shown(names))}, validation F1 {percent(best.validation_f1)} %."
        parts.append(f"Best: job {best.number}, {words}")
    if figure:
        parts.append(f"![Validation F1 over what varies]({FIGURE}.svg)")
    columns = ["job", *names, "validation F1", "test F1", "seconds", "state"]
    parts.append(markdown_grid(columns, _rows(jobs)))
    if failed:
        parts += ["## Failed", "\n".join(_failure(job, names) for job in failed)]
    return "\n\n".join(parts) + "\n"


def _failure(job: Job, names: Sequence[str]) -> str:
    line = f"- job {job.number}, {in_code(job.shown(names))}: {in_markdown(job.error or '')}"
    return line if job.error == UNENDED else f"{line} ([error.txt]({quote(job.folder)}/error.txt))"


def score_table(jobs: Sequence[Job]) -> Table:
    """The same for a terminal of 80 columns: keys by their last part."""
    keys = [name.rpartition(".")[2] for name in varying(jobs)]
    columns = ["job", *keys, "val F1", "test F1", "seconds", "state"]
    table = grid(CHOICE, columns, _rows(jobs), collapse_padding=True)
    for column in table.columns[1 : 1 + len(keys)]:
        column.no_wrap, column.overflow, column.justify = False, "fold", "left"
    return table


def _rows(jobs: Sequence[Job]) -> list[list[str]]:
    """The cells of every job, its state last."""
    best, names = best_of(jobs), varying(jobs)
    rows = []
    for job in jobs:
        values = [short(job.overrides.get(name, "")) for name in names]
        test = with_interval(job.test.f1, job.test.ci95) if job.test else NOTHING
        scores = [percent(job.validation_f1), test, f"{job.seconds:.0f}"]
        rows.append([str(job.number), *values, *scores, _state(job, best)])
    return rows


def _state(job: Job, best: Job | None) -> str:
    if job.error:
        return "failed"
    return "best" if job is best else "ok"
