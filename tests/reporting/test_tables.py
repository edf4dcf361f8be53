"""Ours beside the papers': which run gives which cell, and what never stands side by side."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmie.errors import InputError
from mmie.reporting.backbones import name_of
from mmie.reporting.numbers import over_seeds, p_value, percent, signed
from mmie.reporting.runs import load_runs
from mmie.reporting.table import Table
from mmie.reporting.tables import tables
from mmie.results import Node

LLAVA = {"model": {"_target_": "mmie.models.llava.Llava"}}
COUNTS = {"correct": 1, "predicted": 2, "gold": 2}
SHARES = {"precision": 0.5, "recall": 0.5, "f1": 0.5, **COUNTS}
Write = Callable[..., Path]
Scores = Callable[..., dict[str, Any]]


def made(tmp_path: Path) -> dict[str, Table]:
    return {table.name: table for table in tables(load_runs([tmp_path / "runs"]))}


def cells(table: Table, row: str) -> list[str]:
    [found] = [cells for cells in table.rows if cells[0] == row]
    return list(found[1:])


def test_spreads_and_signs() -> None:
    assert over_seeds([0.5], None) == "50.0"
    assert over_seeds([0.5], (0.4496, 0.55)) == "50.0 [45.0, 55.0]"
    assert over_seeds([0.5, 0.6], (0.45, 0.55)) == "55.0 ± 7.1"
    assert [percent(share) for share in (None, 0.0, 0.9996)] == ["–", "0.0", "100.0"]
    assert [p_value(p) for p in (0.0009, 0.0011, 1.0)] == ["< 0.001", "0.001", "1.000"]
    assert [signed(points) for points in (1.25, -3.06, 0.0, -0.04)] == [
        "+1.2",
        "−3.1",
        "+0.0",
        "+0.0",
    ]
    assert signed(-3.0, 0) == "−3"


def two_seeds(write_run: Write, scores: Scores, profile: str) -> None:
    for seed, correct in ((0, 5), (1, 6)):
        full = {"quintuple": scores(correct, 8, 12), "entity": scores(9, 10, 10)}
        systems = {"warm-up": {"quintuple": scores(3, 8, 12)}, "JMERE-R1": full}
        write_run("jmere_r1", systems, seed=seed, profile=profile)
    one = {"warm-up": {}, "JMERE-R1": {"quintuple": scores(4, 8, 12)}}
    write_run("ablation_no_filter", one, profile=profile)


def test_ours_stand_beside_the_papers(tmp_path: Path, write_run: Write, scores: Scores) -> None:
    two_seeds(write_run, scores, "paper")
    found = made(tmp_path)
    assert list(found) == ["paper-jmere-table-1", "paper-jmere-table-2"]
    table = found["paper-jmere-table-2"]
    assert table.header == (
        "",
        "P",
        "P (paper)",
        "R",
        "R (paper)",
        "F1",
        "F1 (paper)",
        "seeds",
        "Δ F1",
        "p",
    )
    assert cells(table, "JMERE-R1") == [
        "68.8 ± 8.8",
        "58.99",
        "45.8 ± 5.9",
        "54.84",
        "55.0 ± 7.1",
        "56.84",
        "2",
        "–",
        "–",
    ]
    assert cells(table, "JMERE-R1 w/o all filters") == [
        "50.0",
        "55.08",
        "33.3",
        "48.28",
        "40.0 [30.0, 50.0]",
        "51.46",
        "1",
        "−10.0",
        "–",
    ]
    assert cells(table, "CoT-SFT") == [
        "–",
        "50.54",
        "–",
        "43.59",
        "–",
        "46.77",
        "–",
        "–",
        "–",
    ]
    first = found["paper-jmere-table-1"]
    full = cells(first, "JMERE-R1 (Qwen2.5-VL-7B)")
    assert full[4:6] == ["55.0 ± 7.1", "56.84"]
    assert full[6:] == [
        "90.0 ± 0.0",
        "80.14",
        "90.0 ± 0.0",
        "78.29",
        "90.0 ± 0.0",
        "79.20",
        "2",
        "–",
        "–",
    ]
    warm_up = cells(first, "Warm-up of JMERE-R1 (Qwen2.5-VL-7B)")
    assert (warm_up[4:6], warm_up[-3:]) == (["30.0 ± 0.0", "–"], ["2", "−25.0", "–"])
    assert cells(first, "EEGA")[:2] == ["–", "58.26"]
    assert cells(first, "CoT-SFT (LLaVA-1.5-7B)")[4:6] == ["–", "44.27"]


def test_a_toy_run_never_stands_beside_a_papers_number(
    tmp_path: Path, write_run: Write, scores: Scores
) -> None:
    """Its rows carry its own model's name, and no printed number, source or other system."""
    two_seeds(write_run, scores, "toy")
    write_run("more_r1", {"MORE-R1": {"relation": scores(6, 10, 10, accuracy=0.7)}}, task="more")
    found = made(tmp_path)
    names = ["toy-jmere-table-1", "toy-jmere-table-2", "toy-more-main", "toy-more-mixing"]
    assert list(found) == names
    for table in found.values():
        assert not any("paper" in title or "second source" in title for title in table.header)
        assert all(label.endswith(" (toy Qwen2.5-VL, 1.1 M)") for label, *_ in table.rows)
        assert all(value.runs and not value.source for value in table.values)
        text = "\n".join((table.caption, *table.notes))
        assert not any(name in text for name in ("7B", "EEGA", "printed", "Table "))
    full = "JMERE-R1 (toy Qwen2.5-VL, 1.1 M)"
    table = found["toy-jmere-table-2"]
    assert table.header == ("", "P", "R", "F1", "seeds", "Δ F1", "p")
    assert cells(table, full) == ["68.8 ± 8.8", "45.8 ± 5.9", "55.0 ± 7.1", "2", "–", "–"]
    without = cells(table, "JMERE-R1 w/o all filters (toy Qwen2.5-VL, 1.1 M)")
    assert without == ["50.0", "33.3", "40.0 [30.0, 50.0]", "1", "−10.0", "–"]
    first = found["toy-jmere-table-1"]
    labels = [label.partition(" (")[0] for label, *_ in first.rows]
    assert labels == ["Warm-up of JMERE-R1", "JMERE-R1"]


def test_profiles_have_their_own_tables(tmp_path: Path, write_run: Write, scores: Scores) -> None:
    write_run("jmere_r1", {"JMERE-R1": {"quintuple": scores(5, 8, 12)}})
    write_run(
        "jmere_r1", {"JMERE-R1": {"quintuple": scores(6, 8, 12)}}, profile="paper", folder="large"
    )
    found = made(tmp_path)
    assert list(found) == [
        f"{profile}-jmere-table-{number}" for profile in ("paper", "toy") for number in (1, 2)
    ]
    for profile, row, at, f1 in (
        ("paper", "JMERE-R1", 4, "60.0 [50.0, 70.0]"),
        ("toy", "JMERE-R1 (toy Qwen2.5-VL, 1.1 M)", 2, "50.0 [40.0, 60.0]"),
    ):
        table = found[f"{profile}-jmere-table-2"]
        assert cells(table, row)[at] == f1
        assert {run.profile for value in table.values for run in value.runs} == {profile}


@pytest.mark.parametrize(
    "config",
    [
        {"data": {"_target_": "mmie.tasks.jmere.toy_source.ToySource"}},
        {"model": {"path": "mmie:toy/qwen2_5_vl"}},
    ],
)
def test_the_paper_profile_on_toy_data_or_a_toy_model_is_no_row_of_the_paper(
    tmp_path: Path, write_run: Write, scores: Scores, config: dict[str, Any]
) -> None:
    write_run(
        "jmere_r1", {"JMERE-R1": {"quintuple": scores(5, 8, 12)}}, profile="paper", config=config
    )
    assert list(made(tmp_path)) == ["paper-jmere-others"]


def test_seeds_share_their_data_and_the_tables_say_so(
    tmp_path: Path, write_run: Write, scores: Scores
) -> None:
    two_seeds(write_run, scores, "toy")
    assert "± is the spread of training alone" in made(tmp_path)["toy-jmere-table-1"].notes[0]


def test_numbers_that_we_have_not_read_are_called_so(
    tmp_path: Path, write_run: Write, scores: Scores
) -> None:
    measured = {"MORE-R1": {"relation": scores(6, 10, 10, accuracy=0.7)}}
    write_run("more_r1", measured, task="more", profile="paper")
    write_run("jmere_r1", {"JMERE-R1": {"quintuple": scores(6, 8, 12)}}, profile="paper")
    found = made(tmp_path)
    for name in ("paper-more-main", "paper-more-mixing"):
        table = found[name]
        assert "F1 (second source)" in table.header
        assert "from a second source; only the abstract of MORE-R1 was read by us." in table.caption
        printed = [value for value in table.values if value.source]
        assert printed
        assert all("second source" in value.source for value in printed)
    [baseline] = [value for value in found["paper-jmere-table-1"].values if value.row == "MAF*"]
    assert baseline.source == "not in JMERE-R1; from a second source, not checked by us"


def test_backbones_have_their_own_rows(tmp_path: Path, write_run: Write, scores: Scores) -> None:
    """Same experiment and seed are no duplicate; each is compared on its own backbone."""
    for name, config, correct in (("qwen", {}, 5), ("llava", LLAVA, 6)):
        write_run(
            "jmere_r1",
            {"JMERE-R1": {"quintuple": scores(correct, 8, 12)}},
            folder=name,
            profile="paper",
            config=config,
        )
    write_run("sft", {"SFT": {"quintuple": scores(4, 8, 12)}}, profile="paper", config=LLAVA)
    table = made(tmp_path)["paper-jmere-table-1"]
    assert [
        cells(table, f"JMERE-R1 ({name})")[4][:4] for name in ("Qwen2.5-VL-7B", "LLaVA-1.5-7B")
    ] == ["50.0", "60.0"]
    assert cells(table, "SFT (LLaVA-1.5-7B)")[-2] == "−20.0"
    assert cells(table, "SFT (Qwen2.5-VL-7B)")[4] == "–"
    assert not any("differ in" in note for note in table.notes)


def test_zero_shot_is_a_row_of_any_run_its_own_first(
    tmp_path: Path, write_run: Write, scores: Scores
) -> None:
    """Seed 0 from experiment zero_shot, seed 1 from the only run that has it."""
    write_run("zero_shot", {"zero-shot": {"quintuple": scores(1, 10, 10)}})
    write_run("jmere_r1", {"zero-shot": {"quintuple": scores(2, 10, 10)}})
    write_run("only_rl", {"zero-shot": {"quintuple": scores(3, 10, 10)}}, seed=1)
    table = made(tmp_path)["toy-jmere-table-3"]
    assert [
        (value.runs[0].experiment, value.value)
        for value in table.values
        if value.column == "F1" and value.runs
    ] == [
        ("zero_shot", 0.1),
        ("only_rl", 0.3),
    ]


def test_the_newest_of_two_runs_is_kept_and_it_is_said(
    tmp_path: Path, write_run: Write, scores: Scores
) -> None:
    dates = {"b": "2026-11-21T10:00:00", "a": "2026-11-22T10:00:00", "c": "2026-11-20T10:00:00"}
    for name, correct in (("a", 6), ("b", 5), ("c", 4)):
        write_run(
            "jmere_r1",
            {"JMERE-R1": {"quintuple": scores(correct, 8, 12)}},
            folder=name,
            date=dates[name],
            commit=name * 40,
        )
    table = made(tmp_path)["toy-jmere-table-2"]
    assert cells(table, "JMERE-R1 (toy Qwen2.5-VL, 1.1 M)")[2:4] == ["60.0 [50.0, 70.0]", "1"]
    assert table.notes[-1] == (
        "jmere_r1, seed 0: 3 runs differ in configuration or commit;"
        " the newest is used, of 2026-11-22T10:00:00."
    )


def test_seeds_of_other_settings_or_commits_are_told(
    tmp_path: Path, write_run: Write, scores: Scores
) -> None:
    for seed, lr, commit in ((0, 1e-4, "a"), (1, 1e-2, "b")):
        config = {
            "seed": seed,
            "grpo": {"lr": lr, "group_size": 8},
            "data": {"images": f"{seed}/x", "root": "r"},
        }
        write_run(
            "jmere_r1",
            {"JMERE-R1": {"quintuple": scores(4, 8, 12)}},
            seed=seed,
            config=config,
            commit=commit * 40,
        )
    [table] = [
        table
        for table in tables(load_runs([tmp_path / "runs"]))
        if table.name == "toy-jmere-table-1"
    ]
    assert (
        "jmere_r1: the runs of its seeds differ in grpo.lr; their mean is of different systems."
        in table.notes
    )
    assert (
        f"jmere_r1: the runs of its seeds are of the commits {'a' * 10}, {'b' * 10}." in table.notes
    )


def test_seeds_of_other_hardware_are_told_where_it_is_known(
    tmp_path: Path, write_run: Write, scores: Scores
) -> None:
    for seed, hardware in enumerate(["", "Intel Xeon", "AMD EPYC"]):
        shares = {"JMERE-R1": {"quintuple": scores(4, 8, 12)}}
        write_run("jmere_r1", shares, seed=seed, hardware=hardware)
    told = [note for note in made(tmp_path)["toy-jmere-table-1"].notes if "hardware" in note]
    different = "ended on different hardware: Intel Xeon and AMD EPYC."
    assert told == [f"jmere_r1: the runs of its seeds {different}"]


@pytest.mark.parametrize(
    ("path", "row"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", "JMERE-R1 (Qwen2.5-VL-7B)"),
        ("models/llava-1.5-7b-hf/", "JMERE-R1 (LLaVA-1.5-7B)"),
        ("mmie:toy/qwen2_5_vl", None),
        ("Qwen/Qwen2.5-VL-3B-Instruct", None),
    ],
)
def test_another_checkpoint_is_no_row_of_the_paper(
    tmp_path: Path, write_run: Write, scores: Scores, path: str, row: str | None
) -> None:
    config = {"model": {"_target_": "mmie.models.qwen2_5_vl.Qwen25VL", "path": path}}
    write_run(
        "jmere_r1", {"JMERE-R1": {"quintuple": scores(4, 8, 12)}}, profile="paper", config=config
    )
    ours = [
        value.row
        for table in tables(load_runs([tmp_path / "runs"]))
        for value in table.values
        if value.runs
    ]
    model = name_of(Node(**config["model"]), profile="paper")
    other = f"jmere_r1: JMERE-R1 ({model})"
    assert set(ours) == {other} if row is None else row in ours


def test_copies_of_a_run_count_once_and_silently(
    tmp_path: Path, write_run: Write, scores: Scores
) -> None:
    for name in "ab":
        write_run("jmere_r1", {"JMERE-R1": {"quintuple": scores(5, 8, 12)}}, folder=name)
    table = made(tmp_path)["toy-jmere-table-2"]
    assert cells(table, "JMERE-R1 (toy Qwen2.5-VL, 1.1 M)")[3] == "1"
    assert not any("differ in" in note for note in table.notes)


def test_more_has_accuracy_and_its_interval(
    tmp_path: Path, write_run: Write, scores: Scores
) -> None:
    measured = {
        "zero-shot": {"relation": scores(1, 10, 10, accuracy=0.2)},
        "stage 1": {"relation": scores(4, 10, 10, accuracy=0.5)},
        "MORE-R1": {"relation": scores(6, 10, 10, accuracy=0.75, accuracy_ci95=[0.7, 0.8])},
    }
    write_run("more_r1", measured, task="more")
    found = made(tmp_path)
    assert list(found) == ["toy-more-main", "toy-more-mixing"]
    model = " (toy Qwen2.5-VL, 1.1 M)"
    assert cells(found["toy-more-main"], f"MORE-R1{model}")[0] == "75.0 [70.0, 80.0]"
    assert cells(found["toy-more-main"], f"stage 1{model}")[-2] == "−20.0"
    progressive = cells(found["toy-more-mixing"], f"progressive (α 0.5){model}")
    assert progressive[:3] == ["75.0 [70.0, 80.0]", "60.0 [50.0, 70.0]", "1"]
    assert len(found["toy-more-mixing"].rows) == 1


def test_runs_that_are_no_row_have_a_table(
    tmp_path: Path, write_run: Write, scores: Scores
) -> None:
    write_run(
        "default",
        {"warm-up": {"quintuple": scores(3, 8, 12)}, "JMERE-R1": {"quintuple": scores(5, 8, 12)}},
    )
    [table] = made(tmp_path).values()
    assert (table.name, table.header) == ("toy-jmere-others", ("", "P", "R", "F1", "seeds"))
    assert table.rows[1] == ["default: JMERE-R1", "62.5", "41.7", "50.0 [40.0, 60.0]", "1"]


def test_each_point_of_a_sweep_has_its_rows(
    tmp_path: Path, write_run: Write, scores: Scores
) -> None:
    for seed, alpha, correct in ((0, 0.0, 3), (0, 0.2, 4), (1, 0.2, 4), (2, 0.2, 4)):
        write_run(
            "sweep_alpha",
            {"JMERE-R1": {"quintuple": scores(correct, 8, 12)}},
            folder=f"{alpha}-{seed}",
            seed=seed,
            config={"seed": seed, "reward": {"alpha": alpha, "beta": 0.1}},
        )
    [table] = made(tmp_path).values()
    assert [row[0] for row in table.rows] == [
        "sweep_alpha, reward.alpha=0.0: JMERE-R1",
        "sweep_alpha, reward.alpha=0.2: JMERE-R1",
    ]
    assert [row[-1] for row in table.rows] == ["1", "3"]
    assert not any("differ" in note for note in table.notes)


def test_runs_that_differ_in_much_are_no_sweep(
    tmp_path: Path, write_run: Write, scores: Scores
) -> None:
    for number in (1, 2):
        config = {"grpo": {key: number for key in ("lr", "epochs", "group_size", "kl_coef")}}
        measured = {"JMERE-R1": {"quintuple": scores(3, 8, 12)}}
        write_run("mine", measured, folder=str(number), config=config, key=str(number))
    [table] = made(tmp_path).values()
    assert [row[0] for row in table.rows] == ["mine: JMERE-R1"]
    assert "2 runs differ in configuration or commit" in table.notes[-1]


def test_runs_without_an_evaluation_give_nothing(tmp_path: Path, write_run: Write) -> None:
    write_run("jmere_r1", {})
    write_run("default", {})
    assert made(tmp_path) == {}


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"systems": []}, r"systems is \[\] and not a mapping"),
        (
            {"systems": {"JMERE-R1": {"test/quintuple": 3}}},
            r"JMERE-R1\.test/quintuple is 3 and not a mapping",
        ),
        (
            {"systems": {"JMERE-R1": {"test/quintuple": {**SHARES, "f1": "much"}}}},
            r'JMERE-R1\.test/quintuple\.f1 is "much" and not a number',
        ),
        (
            {"systems": {"JMERE-R1": {"test/quintuple": {**SHARES, "f1": float("nan")}}}},
            r"quintuple\.f1 is NaN and not a number",
        ),
        (
            {"systems": {"JMERE-R1": {"test/quintuple": {**SHARES, "ci95": [0.4]}}}},
            r"quintuple\.ci95 is \[0\.4\] and not a list of 2",
        ),
        ({"analysis": {"JMERE-R1": 3}}, r"analysis\.JMERE-R1 is 3 and not a mapping"),
        ({"seed": "one"}, 'seed is "one" and not a whole number'),
        ({"profile": ["toy"]}, r'profile is \["toy"\] and not text'),
    ],
)
def test_garbage_is_named_with_its_file(
    tmp_path: Path, write_run: Write, broken: dict[str, Any], message: str
) -> None:
    path = write_run("jmere_r1", {})
    path.write_text(json.dumps({**json.loads(path.read_text()), **broken}))
    with pytest.raises(InputError, match=rf"jmere_r1-0/results\.json: .*{message}") as caught:
        made(tmp_path)
    assert "\n" not in str(caught.value)
