"""The tables of one run, as a terminal of 80 columns shows them."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console
from rich.table import Table

from helpers.results import SCORES, VOTING, results_of
from mmie.reporting.terminal import (
    comparison_line,
    difficulty_table,
    score_table,
    summary,
    voting_table,
)
from mmie.results import Comparison, DifficultyPart, Results

ENTITY = replace(SCORES, f1=0.75, ci95=None)
LABELS = replace(SCORES, accuracy=0.25)
PARTS = {"easy": DifficultyPart(samples=1200, systems={"stage 1": {"relation": SCORES}})}


FOUND = Comparison(
    first="b", second="a", measure="quintuple", difference=-0.0512, p=0.0421, exact=False
)


def lines(table: Table) -> list[str]:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(table)
    return [" ".join(line.split()) for line in captured.get().splitlines()]


def of_systems(**more: object) -> Results:
    measures = {"test/quintuple": SCORES, "test/entity": ENTITY, "test/quintuple_strict": SCORES}
    return results_of(systems={"warm-up": measures, "JMERE-R1": measures}, **more)


def test_one_row_per_system_by_the_chosen_reader() -> None:
    shown = lines(score_table(of_systems()))
    assert shown[0] == "Test set, toy profile, seed 0: % and the 95 % bootstrap interval of F1"
    assert "system P R quintuple F1 P R entity F1" in shown
    assert shown[-3:-1] == [
        f"{name} 50.0 50.0 50.0 [40.0, 60.0] 50.0 50.0 75.0" for name in ("warm-up", "JMERE-R1")
    ]


def test_perfect_entity_scores_are_not_cut() -> None:
    perfect = replace(SCORES, precision=1.0, recall=1.0, f1=1.0, ci95=(1.0, 1.0))
    measures = {"test/quintuple": SCORES, "test/entity": perfect, "test/quintuple_strict": SCORES}
    shown = lines(score_table(results_of(systems={"CoT-SFT *": measures})))
    assert "CoT-SFT * 50.0 50.0 50.0 [40.0, 60.0] 100.0 100.0 100.0 [100.0, 100.0]" in shown


def test_labels_have_an_accuracy() -> None:
    shown = lines(score_table(results_of(systems={"MORE-R1": {"test/relation": LABELS}})))
    assert "system Acc P R relation F1" in shown
    assert "MORE-R1 25.0 50.0 50.0 50.0 [40.0, 60.0]" in shown


def test_what_two_systems_differ_by() -> None:
    assert comparison_line(FOUND) == "b − a: −5.1 F1, p = 0.042 (paired randomisation)"
    assert ", p < 0.001 (" in comparison_line(replace(FOUND, p=0.0001))


def test_easy_and_hard_samples() -> None:
    shown = lines(difficulty_table(PARTS))
    assert "part system relation" in shown
    assert "easy (1,200) stage 1 50.0" in shown


def test_votes_have_a_column_per_system_and_way() -> None:
    table = voting_table({"CoT-SFT": VOTING, "JMERE-R1": VOTING})
    headers = [str(column.header) for column in table.columns]
    assert headers == ["k", "CoT-SFT\nquintuple", "JMERE-R1\nquintuple"]
    assert lines(table)[-1] == "2 50.0 [40.0, 60.0] 50.0 [40.0, 60.0]"


def test_a_run_has_the_tables_that_it_has_results_for() -> None:
    assert [*summary(results_of())] == []
    assert len([*summary(of_systems())]) == 1
    assert len([*summary(of_systems(comparisons=(FOUND, FOUND)))]) == 3
    assert len([*summary(of_systems(by_difficulty=PARTS, voting={"JMERE-R1": VOTING}))]) == 3
