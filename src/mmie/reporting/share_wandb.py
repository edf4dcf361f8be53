"""The same as a report on wandb: tables in Markdown, curves and rollouts as panels of the runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmie.errors import InputError
from mmie.reporting.formats import markdown, markdown_grid
from mmie.reporting.runs import Run
from mmie.reporting.share_page import RUN_HEADER, differences, run_rows
from mmie.reporting.table import Table

STEP = "trainer/global_step"
CURVES = {  # title → metric; wandb's names are <stage>-<name in metrics.csv>
    "SFT loss": "sft-train/loss",
    "SFT validation F1": "sft-val/f1",
    "reward": "grpo-train/reward",
    "GRPO validation F1": "grpo-val/f1",
    "KL to the reference": "grpo-train/kl",
    "tokens of a response": "grpo-train/length_mean",
    "groups of equal rewards": "grpo-train/zero_variance_groups",
    "GRPO loss": "grpo-train/loss",
}
PARTS = "^grpo-train/r_.*"


def publish(title: str, runs: Sequence[Run], tables: Sequence[Table], place: str) -> str:
    """Saves the report and gives its address.

    Raises:
        InputError: no package, no key, no such place, or no network.
    """
    from mmie.stages.tracking import has_key

    if not has_key():
        raise InputError(
            "--wandb: no key for wandb; run `wandb login` or set WANDB_API_KEY"
            " (the page is written)"
        )
    made = report(title, runs, tables, place)
    import wandb

    try:
        made.save()
    except (wandb.Error, OSError, ValueError) as error:
        told = " ".join(str(error).split())
        raise InputError(
            f"--wandb {place}: wandb does not take the report ({told}); the page is written"
        ) from error
    return made.url


def report(title: str, runs: Sequence[Run], tables: Sequence[Table], place: str) -> Any:
    """The report, unsaved. Its panels show the wandb runs tagged with the keys of these runs.

    Raises:
        InputError: the package is not installed, or the place is no ENTITY/PROJECT.
    """
    entity, _, project = place.partition("/")
    if not entity or not project or "/" in project:
        raise InputError(f"--wandb {place}: give ENTITY/PROJECT (the page is written)")
    try:
        import wandb_workspaces.reports.v2 as wr
    except ImportError as error:
        install = "pip install -c constraints.txt -e '.[report]'"
        raise InputError(
            f"--wandb: wandb-workspaces is not installed; {install} (the page is written)"
        ) from error
    marks = [run.results.key for run in runs]
    shown = wr.Runset(
        entity=entity, project=project, name="these runs", filters=f"Tags() in {marks}"
    )
    responses = wr.WeavePanelSummaryTable(table_name="rollouts", layout=wr.Layout(w=24, h=16))
    blocks: list[Any] = [
        wr.P(f"{len(runs)} runs."),
        wr.H1("Runs"),
        wr.MarkdownBlock(markdown_grid(RUN_HEADER, run_rows(runs))),
        wr.H1("What differs"),
        *(wr.MarkdownBlock(markdown_grid(*grid)) for grid in differences(runs).values()),
        wr.H1("Tables"),
        *(wr.MarkdownBlock(markdown(table)) for table in tables),
        wr.H1("Curves"),
        wr.PanelGrid(runsets=[shown], panels=_curves(wr) + _bars(wr, runs)),
        wr.H1("Rollouts"),
        wr.PanelGrid(runsets=[shown], panels=[responses]),
    ]
    return wr.Report(
        entity=entity, project=project, title=title[:128], blocks=blocks, width="fluid"
    )


def _curves(wr: Any) -> list[Any]:
    return [
        *(wr.LinePlot(title=title, x=STEP, y=[metric]) for title, metric in CURVES.items()),
        wr.LinePlot(title="parts of the reward", x=STEP, metric_regex=PARTS),
    ]


def _bars(wr: Any, runs: Sequence[Run]) -> list[Any]:
    measures = dict.fromkeys(
        measure for run in runs for scores in run.systems.values() for measure in scores
    )
    return [
        wr.BarPlot(title=f"F1, {measure}", metrics=[f"test/{measure}/f1"]) for measure in measures
    ]
