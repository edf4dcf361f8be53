"""What the figures show, read back from their axes; files; what is not drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes

from mmie.errors import InputError
from mmie.reporting.figures import Drawing, draw, drawings
from mmie.reporting.page import write_page
from mmie.reporting.runs import load_runs

Write = Callable[..., Path]
Scores = Callable[..., dict[str, Any]]
CHAINS = {"distilled": 10, "usable": 9, "reprediction": 6, "selected": 4, "samples": 4}


def drawn() -> dict[str, Drawing]:
    return {drawing.name: drawing for drawing in drawings(load_runs(["runs"]))}


def line(axis: Axes, place: int = 0) -> list[tuple[float, float]]:
    found = axis.get_lines()[place]
    return [
        (round(float(x), 6), round(float(y), 6))
        for x, y in zip(found.get_xdata(), found.get_ydata(), strict=True)
    ]


def legend(drawing: Drawing) -> list[str]:
    return [text.get_text() for text in drawing.figure.legends[0].get_texts()]


def sized(size: int, *, alpha: float = 0.2) -> dict[str, Any]:
    return {"grpo": {"group_size": size}, "reward": {"alpha": alpha}}


def voting(
    f1: list[float], *, k: tuple[int, ...] = (1, 2, 5), relations: dict[str, float] | None = None
) -> dict[str, Any]:
    curve = {"f1": f1, "ci95": [[value - 0.1, value + 0.1] for value in f1]}
    return {"k": list(k), "quintuple": curve, "per_relation": {"quintuple": relations or {}}}


def analysis(confusion: list[list[Any]], **errors: int) -> dict[str, Any]:
    return {"errors": errors, "confusion": confusion}


def test_f1_over_g_of_one_seed_has_its_interval_and_beside_it_what_it_cost(
    write_run: Write, scores: Scores
) -> None:
    for size, correct, cached in ((2, 4, False), (4, 5, True), (8, 6, False)):
        stages = {"grpo": {"seconds": 100 * size, "cached": cached}}
        models = {
            "CoT-SFT": {"quintuple": scores(1, 10, 10)},
            "JMERE-R1": {"quintuple": scores(correct, 10, 10)},
        }
        write_run("sweep", models, folder=f"g{size}", config=sized(size), stages=stages)
    figure = drawn()["toy-jmere-figure3-group-size"]
    f1, cost = figure.figure.axes
    assert line(f1) == [(2, 40), (4, 50), (8, 60)]
    assert [[round(y, 6) for _, y in bar] for bar in f1.collections[0].get_segments()] == [
        [30, 50],
        [40, 60],
        [50, 70],
    ]
    assert line(cost) == [(2, round(200 / 60, 6)), (8, round(800 / 60, 6))]
    assert cost.get_ylabel() == "time of the reinforcement, minutes"
    assert legend(figure) == ["sweep (95 % interval, 1 seed)"]
    assert figure.figure.get_suptitle() == "JMERE: F1 over G, Figure 3 (toy profile)"


def test_f1_over_g_of_several_seeds_is_mean_and_deviation(write_run: Write, scores: Scores) -> None:
    for size in (2, 4):
        for seed, correct in ((0, 4), (1, 6)):
            write_run(
                "sweep",
                {"JMERE-R1": {"quintuple": scores(correct, 10, 10)}},
                folder=f"{size}-{seed}",
                seed=seed,
                config=sized(size),
            )
    figure = drawn()["toy-jmere-figure3-group-size"]
    (axis,) = figure.figure.axes  # no run says what it cost
    assert line(axis) == [(2, 50), (4, 50)]
    assert [round(float(y), 3) for _, y in axis.collections[0].get_segments()[0]] == [
        35.858,
        64.142,
    ]  # sd 14.142
    assert legend(figure) == ["sweep (mean ± sd, 2 seeds)"]


def test_runs_that_differ_in_more_than_g_are_lines_of_their_own(
    write_run: Write, scores: Scores
) -> None:
    for size, alpha in ((2, 0.0), (4, 0.0), (2, 0.2), (4, 0.2), (8, 0.5)):
        models = {"JMERE-R1": {"quintuple": scores(5, 10, 10)}}
        write_run("sweep", models, folder=f"{size}-{alpha}", config=sized(size, alpha=alpha))
    names = legend(drawn()["toy-jmere-figure3-group-size"])
    assert names == [
        "sweep, reward.alpha=0.0 (95 % interval, 1 seed)",
        "sweep, reward.alpha=0.2 (95 % interval, 1 seed)",
    ]


def test_the_vote_over_k_is_a_line_a_model(write_run: Write) -> None:
    write_run(
        "vote", {}, voting={"CoT-SFT": voting([0.3, 0.4, 0.5]), "JMERE-R1": voting([0.5, 0.6, 0.7])}
    )
    figure = drawn()["toy-jmere-figure5-voting"]
    (axis,) = figure.figure.axes
    assert (line(axis, 0), line(axis, 1)) == (
        [(1, 30), (2, 40), (5, 50)],
        [(1, 50), (2, 60), (5, 70)],
    )
    assert (axis.get_title(), axis.get_xscale()) == ("vote on: quintuple", "log")
    assert sorted({round(float(y), 6) for _, y in axis.collections[0].get_paths()[0].vertices}) == [
        20,
        30,
        40,
        50,
        60,
    ]
    assert legend(figure) == ["CoT-SFT (95 % interval, 1 seed)", "JMERE-R1 (95 % interval, 1 seed)"]


def test_the_vote_of_several_seeds_is_their_mean_where_all_have_voted(write_run: Write) -> None:
    write_run("vote", {}, seed=0, voting={"JMERE-R1": voting([0.3, 0.4, 0.5])})
    write_run("vote", {}, seed=1, voting={"JMERE-R1": voting([0.5, 0.6], k=(1, 2))})
    figure = drawn()["toy-jmere-figure5-voting"]
    assert line(figure.figure.axes[0]) == [(1, 40), (2, 50)]
    assert legend(figure) == ["JMERE-R1 (mean ± sd, 2 seeds)"]


@pytest.mark.parametrize(
    ("lowest", "limits", "told"),
    [
        (0.45, (40, 80), "centre 40 %, rim 80 % as in the paper"),
        (0.39, (0, 100), "centre 0 %, rim 100 %; the paper's"),
    ],
)
def test_the_radar_has_the_papers_range_where_the_values_fit(
    write_run: Write, lowest: float, limits: tuple[int, int], told: str
) -> None:
    write_run(
        "vote",
        {},
        voting={
            "JMERE-R1": voting(
                [0.3, 0.4, 0.5], relations={"peer": lowest, "awarded": 0.8, "member of": 0.5}
            )
        },
    )
    figure = drawn()["toy-jmere-figure5-relations"].figure
    (axis,) = figure.axes
    assert [y for _, y in line(axis)] == [80, 50, 100 * lowest, 80]
    assert [text.get_text() for text in axis.texts] == ["awarded", "member of", "peer"]
    assert axis.get_ylim() == limits
    assert told in figure.get_suptitle()


def test_systems_of_two_experiments_vote_in_one_figure(write_run: Write) -> None:
    """Figure 5 holds CoT-SFT of Table 1 against JMERE-R1; a name that both experiments have is told apart."""
    curve = voting([0.3, 0.4, 0.5], relations={"peer": 0.5, "awarded": 0.8, "member of": 0.5})
    write_run("figure5_voting", {}, voting={"warm-up": curve, "JMERE-R1": curve})
    write_run("figure5_voting_cot_sft", {}, voting={"CoT-SFT": curve})
    figures = drawn()
    names = [label.partition(" (")[0] for label in legend(figures["toy-jmere-figure5-voting"])]
    assert sorted(names) == ["CoT-SFT", "JMERE-R1", "warm-up"]
    assert "one for each relation is our guess" in figures["toy-jmere-figure5-relations"].caption
    write_run("other", {}, voting={"JMERE-R1": curve})
    names = [label.partition(" (")[0] for label in legend(drawn()["toy-jmere-figure5-voting"])]
    assert sorted(names) == ["CoT-SFT", "figure5_voting: JMERE-R1", "other: JMERE-R1", "warm-up"]


def test_two_relations_make_no_radar(write_run: Write) -> None:
    write_run(
        "vote",
        {},
        voting={"JMERE-R1": voting([0.3, 0.4, 0.5], relations={"peer": 0.5, "awarded": 0.8})},
    )
    assert list(drawn()) == ["toy-jmere-figure5-voting"]


def test_chains_have_a_panel_a_setting_of_the_filters(write_run: Write) -> None:
    write_run("a", {}, chains=CHAINS, seed=0)
    write_run("a", {}, chains={**CHAINS, "reprediction": 8}, seed=1)
    filters = {"rule_score": {"_target_": "x", "threshold": 0.7}}
    write_run(
        "b", {}, chains={"usable": 9, "rule_score": 3, "samples": 3}, config={"filter": filters}
    )
    first, second = drawn()["toy-jmere-figure7-chains"].figure.axes
    assert first.get_title(loc="left") == "reprediction\n4 samples"
    assert second.get_title(loc="left") == "rule_score (threshold 0.7)\n3 samples"
    assert [bar.get_width() for bar in first.patches] == [10, 9, 7, 4]
    assert [text.get_text() for text in first.texts] == ["10", "9", "7", "4"]
    assert [label.get_text() for label in second.get_yticklabels()] == ["usable", "rule_score"]


def curve_file(run: Path, rows: str) -> None:
    (run.parent / "metrics").mkdir()
    (run.parent / "metrics" / "grpo.csv").write_text(rows, encoding="utf-8")


def test_training_curves_are_the_mean_and_a_band_over_seeds(write_run: Write) -> None:
    curve_file(
        write_run("a", {}, seed=0),
        "step,name,value\n1,val/f1,0.2\n2,val/f1,0.4\n0,seconds/sample,1\n0,train/reward,1\n",
    )
    curve_file(
        write_run("a", {}, seed=1),
        "step,name,value\n1,val/f1,0.4\n3,val/f1,0.8\n4,val/f1,0.9\n0,train/reward,2\n",
    )
    figure = drawn()["toy-jmere-training"]
    reward, f1 = figure.figure.axes
    assert (reward.get_title(), f1.get_title()) == ("reward", "F1 on the validation split")
    assert line(f1, 0) == [
        (1, 0.3),
        (2, pytest.approx(0.5)),
    ]  # 0.4 and, half way from 0.4 to 0.8, 0.6; the second seed goes on alone
    (band,) = f1.collections
    assert band.get_paths()[0].get_extents().intervaly.tolist() == pytest.approx([0.2, 0.6])
    assert line(reward, 0) == [(0, 1.5)]
    assert legend(figure) == ["a (2 seeds)"]


def test_training_curves_are_smoothed_by_their_neighbours(write_run: Write) -> None:
    curve_file(write_run("a", {}), "".join(f"{step},train/reward,{step}\n" for step in range(12)))
    smoothed = line(drawn()["toy-jmere-training"].figure.axes[0], 0)
    assert smoothed[0] == (0, 2)  # mean of 0 … 4
    assert smoothed[6] == (6, 6)
    assert smoothed[11] == (11, 9)  # mean of 7 … 11


@pytest.mark.parametrize(
    "garbage", ["1,train/reward", "x,train/reward,1", "1,train/reward,much", "1,train/reward,1,2"]
)
def test_a_bad_line_of_training_curves_is_named(write_run: Write, garbage: str) -> None:
    curve_file(write_run("a", {}), f"step,name,value\n{garbage}\n")
    with pytest.raises(InputError, match=r"metrics/grpo\.csv:2: not step,name,value"):
        drawn()


def test_confusion_is_of_the_last_model_and_all_seeds(write_run: Write) -> None:
    for seed in (0, 1):
        confusion = [
            ["peer", "peer", 2],
            ["peer", "awarded", 1],
            ["awarded", "", 1],
            ["", "peer", 3],
        ]
        write_run(
            "a",
            {},
            seed=seed,
            analysis={"CoT-SFT": analysis([["peer", "peer", 9]]), "JMERE-R1": analysis(confusion)},
        )
    axis = drawn()["toy-jmere-confusion-a"].figure.axes[0]
    names = ["peer", "awarded", "nothing"]
    assert (
        [label.get_text() for label in axis.get_yticklabels()]
        == [label.get_text() for label in axis.get_xticklabels()]
        == names
    )
    cells = {
        (names[int(text.get_position()[1])], names[int(text.get_position()[0])]): text.get_text()
        for text in axis.texts
    }
    assert cells == {
        ("peer", "peer"): "4",
        ("peer", "awarded"): "2",
        ("awarded", "nothing"): "2",
        ("nothing", "peer"): "6",
    }
    assert axis.images[0].get_array().round(2).tolist() == [[0.67, 0.33, 0], [0, 0, 1], [1, 0, 0]]


def test_errors_are_bars_of_means(write_run: Write) -> None:
    for seed in (0, 1):
        write_run(
            "a",
            {},
            seed=seed,
            analysis={
                "SFT": analysis([], missed=3 + seed),
                "R1": analysis([], invented=2, missed=1),
            },
        )
    figure = drawn()["toy-jmere-errors-a"]
    (axis,) = figure.figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["missed", "invented"]
    assert [bar.get_width() for bar in axis.patches] == [3.5, 0, 1, 2]
    assert [text.get_text() for text in axis.texts] == ["3.5", "0", "1", "2"]
    assert legend(figure) == ["SFT", "R1"]


def test_a_model_that_is_never_right_has_no_bar(write_run: Write, scores: Scores) -> None:
    right, wrong = ({"quintuple": scores(correct, 8, 12)} for correct in (4, 0))
    write_run(
        "a",
        {"zero-shot": wrong, "R1": right},
        analysis={"zero-shot": analysis([], missed=9), "R1": analysis([], missed=1)},
    )
    figure = drawn()["toy-jmere-errors-a"]
    assert [bar.get_width() for bar in figure.figure.axes[0].patches] == [1]
    assert "Left out, as nothing that they say is right: zero-shot." in figure.caption


def test_older_results_draw_nothing(write_run: Write, scores: Scores, tmp_path: Path) -> None:
    write_run("sft", {"SFT": {"quintuple": scores(4, 8, 12)}})
    assert draw(load_runs(["runs"]), tmp_path / "figures") == []
    assert not (tmp_path / "figures").exists()


def test_profiles_and_tasks_are_apart(write_run: Write) -> None:
    for profile, task in (("toy", "jmere"), ("paper", "jmere"), ("toy", "more")):
        write_run("a", {}, folder=profile + task, profile=profile, task=task, chains=CHAINS)
    found = {name: drawing.title for name, drawing in drawn().items()}
    assert found == {
        "paper-jmere-figure7-chains": "JMERE: candidates left after each filter, Figure 7 (paper profile)",
        "toy-jmere-figure7-chains": "JMERE: candidates left after each filter, Figure 7 (toy profile)",
        "toy-more-figure7-chains": "MORE: candidates left after each filter, Figure 7 (toy profile)",
    }


def test_drawn_twice_the_files_have_the_same_bytes(write_run: Write, tmp_path: Path) -> None:
    write_run(
        "a",
        {},
        chains=CHAINS,
        voting={"R1": voting([0.3, 0.4, 0.5])},
        analysis={"R1": analysis([["x", "", 1]], missed=1)},
    )
    first, second = (draw(load_runs(["runs"]), tmp_path / name) for name in ("first", "second"))
    assert [path.name for path in first[:2]] == [
        "toy-jmere-figure5-voting.svg",
        "toy-jmere-figure5-voting.png",
    ]
    assert len(first) == 8
    assert {path.parent for path in first} == {tmp_path / "first"}
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert b"<dc:date>" not in first[0].read_bytes()


def test_the_page_shows_the_figures_below_the_tables(
    write_run: Write, scores: Scores, tmp_path: Path
) -> None:
    write_run("sft", {"SFT": {"quintuple": scores(4, 8, 12)}}, chains=CHAINS)
    page = write_page(load_runs(["runs"]), tmp_path / "report").read_text(encoding="utf-8")
    title = "JMERE: candidates left after each filter, Figure 7 (toy profile)"
    assert page.index("| SFT") < page.index(
        f"## {title}\n\n![{title}](figures/toy-jmere-figure7-chains.svg)\n\nCandidates left"
    )
    assert (tmp_path / "report" / "figures" / "toy-jmere-figure7-chains.svg").is_file()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("chains", {"usable": "many"}),
        ("chains", [1]),
        ("voting", [1]),
        ("voting", {"R1": {"k": [1], "quintuple": {"f1": [0.1, 0.2]}}}),
        ("voting", {"R1": {"k": [0], "quintuple": {"f1": [0.1]}}}),
        ("voting", {"R1": {"k": [1], "quintuple": 3}}),
        ("analysis", {"R1": {"confusion": [["a", "b"]]}}),
        ("analysis", {"R1": {"confusion": 3}}),
        ("analysis", {"R1": {"errors": [3]}}),
        ("analysis", {"R1": {"errors": {"missed": None}}}),
    ],
)
def test_garbage_in_results_is_named(write_run: Write, key: str, value: Any) -> None:
    path = write_run("a", {}, **{key: value})
    with pytest.raises(
        InputError,
        match=rf"^{path}: no results of a run, {key}.* and no.*; leave the file out or run again$",
    ):
        drawn()


def test_a_folder_that_cannot_be_written_is_named(write_run: Write, tmp_path: Path) -> None:
    write_run("a", {}, chains=CHAINS)
    (tmp_path / "figures").write_text("")
    with pytest.raises(
        InputError, match=r"figures/toy-jmere-figure7-chains\.svg: cannot be written"
    ):
        draw(load_runs(["runs"]), tmp_path / "figures")


def test_a_figure_uses_the_newest_run_and_says_so(write_run: Write) -> None:
    write_run("a", {}, folder="old", chains=CHAINS, date="2026-01-01", config_fingerprint="c1")
    write_run("a", {}, folder="new", chains={"usable": 7, "selected": 5}, date="2026-02-01")
    figure = drawn()["toy-jmere-figure7-chains"]
    assert [bar.get_width() for bar in figure.figure.axes[0].patches] == [7, 5]
    assert (
        "a, seed 0: 2 runs differ in configuration or commit; the newest is used" in figure.caption
    )


def test_a_figure_says_nothing_of_other_experiments(write_run: Write) -> None:
    for date in ("2026-01-01", "2026-02-01"):
        write_run(
            "a",
            {},
            folder=date,
            analysis={"R1": analysis([["x", "", 1]], missed=1)},
            date=date,
            config_fingerprint=date,
        )
    write_run("b", {}, analysis={"R1": analysis([["x", "", 1]], missed=1)})
    told = {name for name, drawing in drawn().items() if "2 runs differ" in drawing.caption}
    assert told == {"toy-jmere-errors-a", "toy-jmere-confusion-a"}
