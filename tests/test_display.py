"""The terminal prints data as text: no markup, no emoji and no control characters count.

This holds whatever folders and labels are called.
"""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from helpers.results import SCORES, VOTING, results_of
from mmie.artifacts import Store
from mmie.data.statistics import statistics_table
from mmie.display import escape_invisible, plain_text, terminal
from mmie.reporting.sweep import Job, score_table
from mmie.reporting.terminal import score_table as report_table
from mmie.reporting.terminal import voting_table
from mmie.stages.context import Context
from mmie.stages.prepare import _counts_table

HOSTILE = "[/b] [red]x[/red] :100: [link=a]b"


def printed(thing: Any, *, console: Console | None = None) -> str:
    console = console or Console()
    console.file, console.width = StringIO(), 400
    console.print(thing)
    return console.file.getvalue()


def test_control_characters_become_visible() -> None:
    assert (
        escape_invisible("a\x1b[2J\rb\u202ec\u2066\x9b")
        == "a\\u001b[2J\\u000db\\u202ec\\u2066\\u009b"
    )
    assert escape_invisible("tab\tline\n é 模 \u200f אב 🎉") == "tab\tline\n é 模 \u200f אב 🎉"


def test_a_terminal_prints_text_as_it_is() -> None:
    assert printed(HOSTILE, console=terminal()).strip() == HOSTILE
    assert printed(plain_text(HOSTILE)).strip() == HOSTILE


def as_sweep() -> Table:
    return score_table(
        [
            Job(0, {HOSTILE: "1"}, 0.5, None, 1.0, "0", None),
            Job(1, {HOSTILE: HOSTILE}, None, None, 1.0, "1", "x"),
        ]
    )


def as_scores() -> Table:
    return report_table(results_of(profile=HOSTILE, systems={HOSTILE: {f"test/{HOSTILE}": SCORES}}))


def as_votes() -> Table:
    return voting_table({HOSTILE: replace(VOTING, curves={HOSTILE: VOTING.curves["quintuple"]})})


def as_counts() -> Table:
    return _counts_table([{"stage": HOSTILE, "candidates": 1, "samples": 1}])


def as_statistics() -> Table:
    counts = {
        "samples": 1,
        HOSTILE: 1,
        "labels": {HOSTILE: {HOSTILE: 1}},
        "words": {"mean": 1.0, "max": 1},
        "blank_pictures": 0,
    }
    return statistics_table({"train": counts, "shared_sentences": {HOSTILE: 1}}, unit=HOSTILE)


@pytest.mark.parametrize("table", [as_sweep, as_scores, as_votes, as_counts, as_statistics])
def test_tables_hold_names_as_they_are(table: Any) -> None:
    assert HOSTILE in printed(table())


def test_a_folder_may_be_called_like_markup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "[/b]" / "[red] :100:"
    config = SimpleNamespace(trainer=SimpleNamespace(processes=1))
    context = Context(config, Store(root), tmp_path)  # type: ignore[arg-type]
    for _ in range(2):
        with context.open("data", {}, label="[/b] evaluate [red]") as stage:
            artifact = stage.artifact
        with context.progress("[/b] answering [red]", 1) as advance:
            advance(1)
    output = "".join(capsys.readouterr().out.split())
    assert artifact.folder.is_relative_to(root)
    assert output.count("[/b]evaluate[red]") == 2
    assert "[/b]answering[red]" in output
    assert f"[/b]/[red]:100:/data/{artifact.folder.name}" in output
