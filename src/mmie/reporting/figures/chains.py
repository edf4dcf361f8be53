"""Figure 7 of JMERE-R1: how many candidates each filter leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

from mmie.reporting.figures.drawing import COLOURS, Drawing, canvas, drawing
from mmie.reporting.figures.groups import by_experiment, kept, mapping, number
from mmie.reporting.runs import Run

NO_FILTERS = ("distilled", "usable", "selected", "samples")


def chains(runs: Sequence[Run]) -> list[Drawing]:
    """A panel a setting of the filters, a bar a filter; mean over the runs where they differ."""
    found, note = kept(runs)
    settings = _settings(found)
    if not settings:
        return []
    most = max(len(bars) for bars, *_ in settings.values())
    columns = min(2, len(settings))
    rows = -(-len(settings) // columns)
    figure, axes = canvas(rows, columns, 0.6 + rows * (0.9 + 0.28 * most), sharex=True)
    for axis, (setting, (counts, samples, _)) in zip(axes, settings.items(), strict=False):
        bars = axis.barh([*counts], [*counts.values()], color=COLOURS[0], height=0.7)
        axis.bar_label(bars, [f"{count:,.0f}" for count in counts.values()], padding=3)
        axis.set_title(f"{setting}\n{samples}", loc="left")
        axis.set_ylim(most - 0.5, -0.5)
        axis.spines["bottom"].set_visible(False)
        axis.tick_params(axis="x", bottom=False, labelbottom=False)
        axis.tick_params(axis="y", left=False)
        axis.margins(x=0.18)
    for axis in axes[len(settings) :]:
        axis.remove()
    of = "; ".join(
        f"{setting}: {', '.join(experiments)}" for setting, (_, _, experiments) in settings.items()
    )
    caption = f"Candidates left after each filter, in order; mean over seeds. Experiments by filters: {of}.{note}"
    return [
        drawing(
            "figure7-chains",
            "candidates left after each filter, Figure 7",
            caption,
            run=runs[0],
            figure=figure,
        )
    ]


def _settings(runs: Sequence[Run]) -> dict[str, tuple[dict[str, float], str, list[str]]]:
    """Setting → candidates after each step, number of samples in words, experiments."""
    groups: dict[str, list[tuple[str, Run]]] = {}
    for experiment, alike in by_experiment(runs).items():
        for run in alike:
            if mapping(run, "chains", run.found.get("chains")):
                groups.setdefault(_setting(run), []).append((experiment, run))
    found = {}
    for setting, having in groups.items():
        counts = [
            {key: number(run, f"chains.{key}", count) for key, count in run.found["chains"].items()}
            for _, run in having
        ]
        means = {key: mean(of[key] for of in counts if key in of) for key in counts[0]}
        samples = f"{means.pop('samples'):,.0f} samples" if "samples" in means else ""
        found[setting] = means, samples, sorted({experiment for experiment, _ in having})
    return dict(sorted(found.items(), key=lambda entry: -len(entry[1][0])))


def _setting(run: Run) -> str:
    """The filters' names in order, with their parameters where the results hold them."""
    config = mapping(run, "config.filter", run.config.get("filter"))
    names = []
    for name in run.found["chains"]:
        if name not in NO_FILTERS:
            parameters = config.get(name) if isinstance(config.get(name), Mapping) else {}
            told = ", ".join(
                f"{key} {value}"
                for key, value in (parameters or {}).items()
                if not key.startswith("_")
            )
            names.append(f"{name} ({told})" if told else name)
    return ", ".join(names) or "no filter"
