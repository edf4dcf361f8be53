"""The same as a report on wandb: tables in Markdown, curves and rollouts as panels of the runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmie.errors import InputError
from mmie.reporting.formats import markdown, markdown_grid
from mmie.reporting.runs import Run
from mmie.reporting.share_page import RUN_HEADER, differences, run_rows
from mmie.reporting.table import Table

# wandb's names are <stage>-<name in metrics.csv>
CURVES = (
    *("sft-train/loss", "sft-val/f1", "grpo-train/reward", "grpo-val/f1", "grpo-train/kl"),
    *("grpo-train/length_mean", "grpo-train/zero_variance_groups", "grpo-train/loss"),
)
PARTS = "^grpo-train/r_.*"  # of the reward
STEP = "trainer/global_step"


def publish(title: str, runs: Sequence[Run], tables: Sequence[Table], place: str) -> str:
    """Saves the report and gives its address.

    Raises:
        InputError: no package, no key, no such place, or no network.
    """
    from mmie.stages.tracking import has_key

    if not has_key():
        advice = "run `wandb login` or set WANDB_API_KEY (the page is written)"
        raise InputError(f"--wandb: no key for wandb; {advice}")
    made = report(title, runs, tables, place)
    import wandb

    try:
        made.save()
    except (wandb.Error, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"--wandb {place}: wandb does not take the report ({reason}); the page is written"
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
    tags = f"Tags() in {[run.results.key for run in runs]}"
    runset = wr.Runset(entity=entity, project=project, name="these runs", filters=tags)
    measures = dict.fromkeys(name for run in runs for of in run.systems.values() for name in of)
    panels: list[Any] = [
        *(wr.LinePlot(title=name, x=STEP, y=[name]) for name in CURVES),
        wr.LinePlot(title="parts of the reward", x=STEP, metric_regex=PARTS),
        *(wr.BarPlot(title=f"F1, {name}", metrics=[f"test/{name}/f1"]) for name in measures),
        wr.WeavePanelSummaryTable(table_name="rollouts", layout=wr.Layout(w=24, h=16)),
    ]
    grids = [(RUN_HEADER, run_rows(runs)), *differences(runs).values()]
    blocks: list[Any] = [
        *(wr.MarkdownBlock(markdown_grid(*grid)) for grid in grids),
        *(wr.MarkdownBlock(f"# {table.title}\n\n{markdown(table)}") for table in tables),
        wr.PanelGrid(runsets=[runset], panels=panels),
    ]
    return wr.Report(
        entity=entity, project=project, title=title[:128], blocks=blocks, width="fluid"
    )
