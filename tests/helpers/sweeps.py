"""Jobs of a sweep, made by hand."""

from __future__ import annotations

from dataclasses import replace

from helpers.results import SCORES
from mmie.reporting.sweep import Job


def job(
    number: int,
    f1: float | None,
    *,
    test: float | None = None,
    error: str | None = None,
    **overrides: str,
) -> Job:
    """A job with this validation F1, and its test F1 with an interval of 0.125 about it."""
    values, folder = {"seed": "0", **overrides}, str(number)
    if test is None:
        return Job(number, values, f1, None, 12.5 + number, folder, error)
    scores = replace(SCORES, f1=test, ci95=(test - 0.125, test + 0.125))
    return Job(number, values, f1, scores, 12.5 + number, folder, error)


def product(**values: str) -> list[Job]:
    """One job per combination of comma-separated values; the sixth job failed."""
    rows: list[dict[str, str]] = [{}]
    for name, text in values.items():
        rows = [{**row, name: value} for row in rows for value in text.split(",")]
    jobs = []
    for number, row in enumerate(rows):
        failed = number == 5
        f1 = None if failed else (number * 7 % 11) / 20
        jobs.append(job(number, f1, error="x" if failed else None, **row))
    return jobs
