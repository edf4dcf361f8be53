"""The jobs of a sweep in one table: what varies, what came out, what failed; the best one is chosen on the validation split."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.box import SIMPLE_HEAD
from rich.table import Table

from mmie.display import plain_text
from mmie.files import write_text
from mmie.reporting.escaping import in_code, in_markdown
from mmie.results import JOB, JOB_RESULTS, read_json

NOTES = "jobs"  # folder of the notes, <number>.json, in that of the sweep
UNENDED = "not ended: killed, or still running"
FIGURE = "sweep"  # name of the figure, without suffix
CHOICE = "The best job is chosen by validation F1; the test split chooses nothing."


@dataclass(frozen=True)
class Job:
    """One job of a sweep.

    Attributes:
        number: Hydra's number of the job.
        overrides: key → value as given, without ``+``.
        validation_f1: of the kept checkpoint of the last training, 0..1; None where nothing was trained, or the job failed.
        test: measure → scores of the last model, ``f1`` and ``ci95`` among them; empty without evaluation.
        seconds: wall time of the job in this sweep; what was kept from before costs nothing.
        folder: of the job, as seen from that of the sweep.
        error: why it failed, in one line; None where it did not.
    """

    number: int
    overrides: dict[str, str]
    validation_f1: float | None
    test: dict[str, dict[str, Any]]
    seconds: float
    folder: str
    error: str | None

    @property
    def state(self) -> str:
        return "failed" if self.error else "ok"

    @property
    def test_score(self) -> dict[str, Any] | None:
        """The scores of the first measure, which is the task's main one."""
        return next(iter(self.test.values()), None)

    def shown(self, names: Sequence[str]) -> str:
        """The job in the words of the command line."""
        return " ".join(
            f"{name}={short(self.overrides[name])}" for name in names if name in self.overrides
        )


def load_jobs(folder: Path) -> list[Job]:
    """The jobs noted so far in the folder of a sweep, by number."""
    paths = (folder / NOTES).glob("*.json")
    notes = [read_json(path, JOB, what="note of a job", advice="delete it") for path in paths]
    return sorted((_job(note, folder) for note in notes), key=lambda job: job.number)


def _job(note: dict[str, Any], folder: Path) -> Job:
    own, root = Path(note["folder"]), folder.resolve()
    given = (override.lstrip("+").partition("=") for override in note["overrides"])
    results = own / "results.json"
    return Job(
        note["job"],
        {name: value for name, _, value in given},
        note["validation_f1"],
        _metrics(results) if note["error"] is None and results.exists() else {},
        note["seconds"],
        str(own.relative_to(root)) if own.is_relative_to(root) else str(own),
        note["error"],
    )


def _metrics(path: Path) -> dict[str, dict[str, Any]]:
    advice = "run the job again"
    return read_json(path, JOB_RESULTS, what="results of a job", advice=advice)["metrics"]


def varying(jobs: Sequence[Job]) -> list[str]:
    """The keys that have not the same value in all jobs, in the order given."""
    names = dict.fromkeys(name for job in jobs for name in job.overrides)
    return [name for name in names if len({job.overrides.get(name) for job in jobs}) > 1]


def best_of(jobs: Sequence[Job]) -> Job | None:
    """The job with the highest validation F1, the earliest of equals; None where there is no such value."""
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
    """One line a job, F1 in 0..1, values of the overrides as given."""
    names, best = varying(jobs), best_of(jobs)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    ends = ["validation_f1", "test_f1", "test_f1_low", "test_f1_high", "seconds", "path", "error"]
    writer.writerow(["job", "state", "best", *names, *ends])
    for job in jobs:
        score = job.test_score
        test = [score["f1"], *score["ci95"]] if score else [None] * 3
        values = [job.overrides.get(name) for name in names]
        writer.writerow(
            [
                job.number,
                job.state,
                int(job is best),
                *values,
                job.validation_f1,
                *test,
                job.seconds,
                job.folder,
                job.error,
            ]
        )
    return text.getvalue()


def as_markdown(jobs: Sequence[Job], *, figure: bool) -> str:
    """The table, the best job in bold, then the failures."""
    failed, best, names = [job for job in jobs if job.error], best_of(jobs), varying(jobs)
    parts = [f"# A sweep of {len(jobs)} jobs, {len(failed)} failed", CHOICE]
    if best is not None:
        chosen = in_code(best.shown(names))
        f1 = _percent(best.validation_f1)
        parts.append(f"Best: job {best.number}, {chosen}, validation F1 {f1} %.")
    if figure:
        parts.append(f"![Validation F1 over what varies]({FIGURE}.svg)")
    head = [in_markdown(column) for column in _columns(jobs)]
    rows = [head, ["---"] * len(head)]
    rows += [_markdown_cells(job, names, best=job is best) for job in jobs]
    parts.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
    if failed:
        parts += ["## Failed", "\n".join(_failure(job, names) for job in failed)]
    return "\n\n".join(parts) + "\n"


def _markdown_cells(job: Job, names: Sequence[str], *, best: bool) -> list[str]:
    """The row of a job, number and validation F1 in bold where it is the best."""
    cells = [in_markdown(cell) for cell in _row(job, names, mark="{}")]
    for place in (0, len(names) + 1) if best else ():
        cells[place] = f"**{cells[place]}**"
    return cells


def _failure(job: Job, names: Sequence[str]) -> str:
    line = f"- job {job.number}, {in_code(job.shown(names))}: {in_markdown(job.error or '')}"
    return line if job.error == UNENDED else f"{line} ([error.txt]({quote(job.folder)}/error.txt))"


def score_table(jobs: Sequence[Job]) -> Table:
    """The same for a terminal of 80 columns: keys by their last part, no folders."""
    best, names = best_of(jobs), varying(jobs)
    table = Table(
        title=f"{CHOICE[:-1]}: *",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("job", justify="right", no_wrap=True)
    for name in names:
        table.add_column(plain_text(name.rpartition(".")[2]), overflow="fold")
    for column in ("val F1", "test F1", "seconds"):
        table.add_column(column, justify="right", no_wrap=True)
    for job in jobs:
        number, *values, f1, test, seconds, state, _ = _row(
            job, names, mark="{} *" if job is best else "{}"
        )
        cells = [number, *values, state if job.error else f1, test, seconds]
        style = "bold" if job is best else "red" if job.error else None
        table.add_row(*map(plain_text, cells), style=style)
    return table


def _columns(jobs: Sequence[Job]) -> list[str]:
    measure = next((name for job in jobs for name in job.test), "test").replace("/", " ")
    return ["job", *varying(jobs), "validation F1", f"{measure} F1", "seconds", "state", "folder"]


def _row(job: Job, names: Sequence[str], *, mark: str) -> list[str]:
    score = job.test_score
    test = (
        f"{_percent(score['f1'])} [{_percent(score['ci95'][0])}, {_percent(score['ci95'][1])}]"
        if score
        else "–"
    )
    return [
        mark.format(job.number),
        *(short(job.overrides.get(name, "")) for name in names),
        mark.format(_percent(job.validation_f1)),
        test,
        f"{job.seconds:.0f}",
        job.state,
        job.folder,
    ]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"
