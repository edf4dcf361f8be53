"""What the figures select from runs before they draw it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.results import ANALYSIS, VOTING
from helpers.runs import run_of, scores_of
from mmie.errors import InputError
from mmie.reporting.figures import chains, confusion, drawings, errors, group_size, voting
from mmie.reporting.figures.groups import full_systems
from mmie.reporting.runs import Run
from mmie.results import Confused, Curve, StageRecord

CHAINS = {"distilled": 10, "usable": 9, "reprediction": 6, "selected": 4, "samples": 4}


def grouped(size: int, correct: int, *, seed: int = 0, alpha: float = 0.2, **changes: Any) -> Run:
    """A run with this group size."""
    config = {"grpo": {"group_size": size, "micro_prompts": size}, "reward": {"alpha": alpha}}
    systems = {
        "CoT-SFT": {"test/quintuple": scores_of(1)},
        "JMERE-R1": {"test/quintuple": scores_of(correct)},
    }
    return run_of("sweep", seed, config=config, systems=systems, **changes)


def trained_in(seconds: float) -> dict[str, StageRecord]:
    return {"grpo": StageRecord(seconds=0.0, made_in=seconds, cached=True, key="a")}


def test_f1_over_g_of_one_seed_has_its_interval_and_its_time() -> None:
    runs = [grouped(4, 5), grouped(2, 4, stages=trained_in(120.0))]
    [series] = group_size.select(runs)
    assert {size: tuple(band) for size, band in series.f1.items()} == {
        2: pytest.approx((40, 30, 50)),
        4: pytest.approx((50, 40, 60)),
    }
    assert series.minutes == {2: (2, 2, 2)}


def test_f1_over_g_of_several_seeds_is_mean_and_deviation() -> None:
    runs = [grouped(size, 4 + 2 * seed, seed=seed) for size in (2, 4) for seed in (0, 1)]
    [series] = group_size.select(runs)
    assert tuple(series.f1[2]) == pytest.approx((50, 35.858, 64.142), abs=1e-3)


def test_runs_that_differ_in_more_than_g_are_series_of_their_own() -> None:
    """Memory settings, such as micro_prompts above, do not matter; one G alone is no series."""
    settings = ((2, 0.0), (4, 0.0), (2, 0.2), (4, 0.2), (8, 0.5))
    series = group_size.select([grouped(size, 5, alpha=alpha) for size, alpha in settings])
    assert [one.name for one in series] == ["sweep, reward.alpha=0.0", "sweep, reward.alpha=0.2"]


def votes(*f1: float, k: tuple[int, ...] = (1, 2, 5), by_label: dict[str, float] | None = None):
    ends = tuple((value - 0.1, value + 0.1) for value in f1)
    curves = {"quintuple": {"quintuple": Curve(f1=f1, ci95=ends)}}
    return replace(VOTING, k=k, curves=curves, by_label={"quintuple": by_label or {}})


def test_the_vote_of_one_seed_has_its_interval() -> None:
    [one] = voting.select([run_of(voting={"JMERE-R1": votes(0.3, 0.4, 0.5)})])
    assert one.name == "JMERE-R1"
    assert tuple(one.curves["quintuple"][5]) == pytest.approx((50, 40, 60))


def test_the_vote_of_several_seeds_is_their_mean_where_all_have_voted() -> None:
    first = run_of(seed=0, voting={"R1": votes(0.3, 0.4, 0.5, by_label={"peer": 0.4})})
    second = run_of(seed=1, voting={"R1": votes(0.5, 0.6, k=(1, 2), by_label={"awarded": 0.2})})
    [one] = voting.select([first, second])
    assert {k: band.value for k, band in one.curves["quintuple"].items()} == {1: 40, 2: 50}
    assert one.by_label["quintuple"] == pytest.approx({"awarded": 10, "peer": 20})


def test_systems_of_two_experiments_vote_in_one_figure() -> None:
    """Figure 5 has CoT-SFT of Table 1 beside JMERE-R1; equal names get their experiment."""
    curve = votes(0.3, 0.4, 0.5)
    runs = [run_of("x", voting={"JMERE-R1": curve}), run_of("y", voting={"CoT-SFT": curve})]
    assert [one.name for one in voting.select(runs)] == ["JMERE-R1", "CoT-SFT"]
    runs.append(run_of("z", voting={"JMERE-R1": curve}))
    names = [one.name for one in voting.select(runs)]
    assert names == ["x: JMERE-R1", "z: JMERE-R1", "CoT-SFT"]


@pytest.mark.parametrize(("lowest", "limits"), [(0.45, (40, 80)), (0.39, (0, 100))])
def test_the_radar_has_the_papers_range_where_the_values_fit(
    lowest: float, limits: tuple[int, int]
) -> None:
    by_label = {"peer": lowest, "awarded": 0.8, "member of": 0.5}
    [one] = voting.select([run_of(voting={"R1": votes(0.3, 0.4, 0.5, by_label=by_label)})])
    assert voting.radar_range([one]) == limits


@pytest.mark.parametrize(("labels", "figures"), [("ab", 1), ("abc", 2)])
def test_two_labels_make_no_radar(labels: str, figures: int) -> None:
    by_label = dict.fromkeys(labels, 0.5)
    runs = [run_of(voting={"R1": votes(0.3, 0.4, 0.5, by_label=by_label)})]
    assert len(voting.figures(runs)) == figures


def test_candidates_are_counted_by_the_setting_of_the_filters() -> None:
    filters = {"filter": {"rule_score": {"_target_": "x", "threshold": 0.7}}}
    runs = [
        run_of("a", 0, chains=CHAINS),
        run_of("a", 1, chains={**CHAINS, "reprediction": 8}),
        run_of("b", chains={"usable": 9, "rule_score": 3, "samples": 3}, config=filters),
        run_of("c"),
    ]
    first, second = chains.select(runs)
    assert (first.name, first.samples, first.experiments) == ("reprediction", 4, ("a",))
    assert first.left == {"distilled": 10, "usable": 9, "reprediction": 7, "selected": 4}
    assert (second.name, second.left) == (
        "rule_score (threshold 0.7)",
        {"usable": 9, "rule_score": 3},
    )


def test_confusion_is_summed_over_seeds_and_sorted_by_frequency() -> None:
    counts = (("peer", "peer", 2), ("peer", "awarded", 1), ("awarded", "", 1), ("", "peer", 3))
    analysis = replace(ANALYSIS, confusion=tuple(Confused(*entry) for entry in counts))
    runs = [run_of("a", seed, analysis={"R1": analysis}) for seed in (0, 1)]
    found = confusion.select(runs, "R1")
    labels = ["peer", "awarded", "nothing"]
    assert ([*found.index], [*found.columns]) == (labels, labels)
    assert found.to_numpy().tolist() == [[4, 2, 0], [0, 0, 2], [6, 0, 0]]


def with_errors(**counts: int) -> Any:
    return replace(ANALYSIS, errors=counts)


def test_errors_are_means_over_seeds_in_the_order_of_the_results() -> None:
    runs = [
        run_of(
            "a",
            seed,
            analysis={
                "SFT": with_errors(missed=3 + seed, invented=0, cut=0),
                "R1": with_errors(missed=1, invented=2, cut=0),
            },
        )
        for seed in (0, 1)
    ]
    found, never_right = errors.select(runs)
    assert ([*found.index], never_right) == (["missed", "invented", "cut"], [])
    assert found.to_dict("list") == {"SFT": [3.5, 0, 0], "R1": [1, 2, 0]}


def test_a_system_that_is_never_right_has_no_bar() -> None:
    systems = {
        "zero-shot": {"test/quintuple": scores_of(0)},
        "R1": {"test/quintuple": scores_of(4)},
    }
    analysis = {"zero-shot": with_errors(missed=9), "R1": with_errors(missed=1)}
    run = run_of(systems=systems, analysis=analysis)
    assert errors.select([run])[1] == ["zero-shot"]
    [figure] = errors.figures([run])
    assert "Left out because no answer is right: zero-shot." in figure.caption


def test_a_report_of_many_runs_looks_closely_at_the_full_method() -> None:
    ablation, full = run_of("ablation"), run_of("jmere_r1")
    assert full_systems([ablation, full]) == [full]
    assert full_systems([ablation]) == [ablation]


def test_profiles_and_tasks_are_drawn_apart() -> None:
    kinds = (("toy", "jmere"), ("paper", "jmere"), ("toy", "more"))
    runs = [run_of(profile=profile, task=task, chains=CHAINS) for profile, task in kinds]
    title = "candidates left after each filter, Figure 7"
    assert {figure.name: figure.title for figure in drawings(runs)} == {
        "paper-jmere-figure7-chains": f"JMERE: {title} (paper profile)",
        "toy-jmere-figure7-chains": f"JMERE: {title} (toy profile)",
        "toy-more-figure7-chains": f"MORE: {title} (toy profile)",
    }


def test_runs_without_the_data_of_a_figure_draw_nothing() -> None:
    assert drawings([run_of(systems={"SFT": {"test/quintuple": scores_of(4)}})]) == []


def test_every_figure_is_drawn_and_saved_as_the_same_file_each_time(tmp_path: Path) -> None:
    by_label = dict.fromkeys("abc", 0.5)
    more = {
        "chains": CHAINS,
        "voting": {"R1": votes(0.3, 0.4, 0.5, by_label=by_label)},
        "analysis": {"R1": ANALYSIS},
    }
    runs = [grouped(size, 5, stages=trained_in(9.0), **more) for size in (2, 4)]
    names = [figure.name for figure in drawings(runs)]
    assert [name.removeprefix("toy-jmere-") for name in names] == [
        "figure3-group-size",
        "figure5-voting",
        "figure5-relations",
        "figure7-chains",
        "confusion-sweep",
        "errors-sweep",
    ]
    first, again = drawings(runs)[3], drawings(runs)[3]
    paths = first.save(tmp_path)
    assert [path.name for path in paths] == [f"{first.name}.svg", f"{first.name}.png"]
    assert first.svg() == again.svg()
    assert "<dc:date>" not in first.svg()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "figures").write_text("")
    [figure] = drawings([run_of(chains=CHAINS)])
    with pytest.raises(InputError, match=r"figure7-chains\.svg: cannot be written"):
        figure.save(tmp_path / "figures")


def test_a_figure_uses_the_newest_run() -> None:
    old = run_of("a", date="2026-01-01", key="c1", chains=CHAINS)
    new = run_of("a", date="2026-02-01", chains={"usable": 7, "selected": 5})
    [figure] = drawings([new, old])
    assert [text.get_text() for text in figure.figure.axes[0].texts] == ["7", "5"]
