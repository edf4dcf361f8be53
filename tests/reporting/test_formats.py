"""Markdown, CSV and LaTeX to the letter, and the page that holds them."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mmie.reporting.formats import csv_text, latex, markdown
from mmie.reporting.page import write_page
from mmie.reporting.runs import Run, load_runs
from mmie.reporting.table import Table, Value
from mmie.reporting.tables import tables

Write = Callable[..., Path]
Scores = Callable[..., dict[str, Any]]
COMMIT = 40 * "a"


@pytest.fixture
def runs(tmp_path: Path, write_run: Write, scores: Scores) -> list[Run]:
    command = "python run.py +experiment=jmere_r1 'filter=[]' seed=0"
    full, less = ({"JMERE-R1": {"quintuple": scores(correct, 8, 12)}} for correct in (5, 4))
    write_run("jmere_r1", full, command=command, date="2026-11-21T10:00:00", profile="paper")
    write_run("ablation_no_filter", less, profile="paper", command="python run.py")
    return load_runs([tmp_path / "runs"])


def test_markdown_has_the_table_and_where_its_numbers_come_from(runs: list[Run]) -> None:
    lines = markdown(tables(runs)[1]).splitlines()
    assert lines[0] == "The paper's data set and model. Paper: JMERE-R1, Table 2, Qwen2.5-VL-7B."
    assert lines[2] == "|  | P | P (paper) | R | R (paper) | F1 | F1 (paper) | seeds | Δ F1 | p |"
    assert lines[3] == f"| --- |{' ---: |' * 9}"
    full = "62.5 | 58.99 | 41.7 | 54.84 | 50.0 [40.0, 60.0] | 56.84 | 1 | – | –"
    assert lines[4] == f"| JMERE-R1 | {full} |"
    less = "50.0 | 55.08 | 33.3 | 48.28 | 40.0 [30.0, 50.0] | 51.46 | 1 | −10.0 | –"
    assert f"| JMERE-R1 w/o all filters | {less} |" in lines
    assert lines[lines.index("Where the numbers come from:") + 2 :] == [
        "- jmere_r1, seed 0: `python run.py +experiment=jmere_r1 'filter=[]' seed=0`,"
        " commit `aaaaaaaaaa`, `runs/jmere_r1-0/results.json`",
        "- ablation_no_filter, seed 0: `python run.py`,"
        " commit `aaaaaaaaaa`, `runs/ablation_no_filter-0/results.json`",
    ]


def test_every_number_of_the_csv_can_be_traced(runs: list[Run]) -> None:
    frame = pd.read_csv(StringIO(csv_text(tables(runs)[1])), keep_default_na=False)
    assert [*frame] == [
        *("table", "row", "column", "origin", "value", "low", "high", "seed", "experiment"),
        *("system", "command", "commit", "date", "path", "source"),
    ]
    assert set(frame["table"]) == {"paper-jmere-table-2"}
    by_place = frame.set_index(["row", "column"])
    printed = by_place.loc[("JMERE-R1", "P (paper)")]
    assert (printed["origin"], printed["value"], printed["path"]) == ("paper", 58.99, "")
    assert printed["source"] == "JMERE-R1, Table 2, Qwen2.5-VL-7B"
    ours = by_place.loc[("JMERE-R1", "F1")]
    assert [*ours["value":"high"]] == [50.0, "40.00", "60.00"]
    assert ours["command"] == "python run.py +experiment=jmere_r1 'filter=[]' seed=0"
    assert (ours["commit"], ours["date"]) == (COMMIT, "2026-11-21T10:00:00")
    assert (ours["system"], ours["path"]) == ("JMERE-R1", "runs/jmere_r1-0/results.json")
    delta = by_place.loc[("JMERE-R1 w/o all filters", "Δ F1")]
    assert (delta["value"], delta["experiment"]) == (-10.0, "ablation_no_filter; jmere_r1")
    paths = "runs/ablation_no_filter-0/results.json; runs/jmere_r1-0/results.json"
    assert delta["path"] == paths
    assert len(frame) == 8 * 3 + 2 * 4 + 1


def test_latex_is_a_whole_table(runs: list[Run]) -> None:
    lines = latex(tables(runs)[1]).splitlines()
    assert lines[:2] == [r"\begin{table}", r"\centering"]
    assert lines[2].startswith(r"\caption{JMERE: ablations (paper profile). The paper's data set")
    assert lines[3:7] == [
        r"\label{tab:paper-jmere-table-2}",
        r"\begin{tabular}{lrrrrrrrrr}",
        r"\toprule",
        r" & P & P (paper) & R & R (paper) & F1 & F1 (paper) & seeds & $\Delta$ F1 & p \\",
    ]
    numbers = r"50.0 & 55.08 & 33.3 & 48.28 & 40.0 [30.0, 50.0] & 51.46 & 1 & $-$10.0 & --"
    assert rf"JMERE-R1 w/o all filters & {numbers} \\" in lines
    assert lines[-4:-2] == [r"\bottomrule", r"\end{tabular}"]
    assert lines[-2].startswith(
        r"\par\smallskip\footnotesize Ours: \% on the test set, mean $\pm$ standard deviation"
    )
    assert lines[-1] == r"\end{table}"


def test_what_formats_read_as_signs_is_escaped() -> None:
    label = "a|b_c*`d` 5% & <x> {y}\\ \n~^#$"
    values = (
        Value(row=label, column="p", kind="p", value=0.00042, source='"q", r'),
        Value(row="[z]", column="p", kind="difference", value=-0.01),
    )
    table = Table(name="n", title="50 % of_it", caption="1 < 2", columns=("p",), values=values)
    cells = "a\\|b_c\\*\\`d\\` 5% & \\<x> {y}\\\\  ~^#$ | \\< 0.001"
    assert f"| {cells} |" in markdown(table).splitlines()
    lines = latex(table).splitlines()
    assert r"\caption{50 \% of\_it. 1 $<$ 2}" in lines
    escaped = r"a$|$b\_c*`d` 5\% \& $<$x$>$ \{y\}\textbackslash{}  \textasciitilde{}"
    assert escaped + r"\textasciicircum{}\#\$ & $<$ 0.001 \\" in lines
    assert r"{}[z] & $-$1.0 \\" in lines
    assert f'n,"{label}",p,paper,0.0004,,,,,,,,,,"""q"", r"\n' in csv_text(table)


def test_the_page_holds_all_tables_and_links_their_files(tmp_path: Path, runs: list[Run]) -> None:
    folder = tmp_path / "a" / "report"
    page = write_page(runs, folder)
    text = page.read_text(encoding="utf-8")
    assert page == folder / "README.md"
    names = ["paper-jmere-table-1", "paper-jmere-table-2"]
    assert sorted(path.name for path in folder.iterdir() if "jmere" in path.name) == [
        f"{n}.{end}" for n in names for end in ("csv", "tex")
    ]
    assert [line for line in text.splitlines() if line.startswith("#")][:3] == [
        "# Results",
        "## JMERE: paradigms and backbones (paper profile)",
        "## JMERE: ablations (paper profile)",
    ]
    for table in tables(runs):
        assert markdown(table) in text
        assert f"[CSV]({table.name}.csv), [LaTeX]({table.name}.tex)" in text
        assert (folder / f"{table.name}.csv").read_text(encoding="utf-8") == csv_text(table)
        assert (folder / f"{table.name}.tex").read_text(encoding="utf-8") == latex(table)


def test_no_format_of_a_toy_table_holds_a_papers_number(
    tmp_path: Path, write_run: Write, scores: Scores
) -> None:
    """Neither a printed F1 nor the name of the paper's model, in Markdown, CSV and LaTeX."""
    write_run("jmere_r1", {"JMERE-R1": {"quintuple": scores(5, 8, 12)}})
    found = tables(load_runs([tmp_path / "runs"]))
    assert [table.name for table in found] == ["toy-jmere-table-1", "toy-jmere-table-2"]
    for table in found:
        for text in (markdown(table), csv_text(table), latex(table)):
            assert "JMERE-R1 (toy Qwen2.5-VL, 1.1 M)" in text
            assert not any(
                number in text for number in ("56.84", "54.93", "55.29", "7B", "(paper)")
            )
