"""wandb, offline unless logged in; one run for all stages of a run, the jobs of a sweep as one group."""

from __future__ import annotations

import netrc
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mmie.artifacts import fingerprint

if TYPE_CHECKING:  # it loads torch, for which nobody who asks for a key should wait
    from mmie.stages.context import Context

TAG, NAME = 64, 128  # characters that wandb takes


def wandb_loggers(context: Context, stage: str) -> list[Any]:
    """A logger whose metrics carry the stage's name, or none where ``logger.wandb`` is off."""
    if not _wanted(context):
        return []
    from pytorch_lightning.loggers import WandbLogger

    return [WandbLogger(experiment=_run(context), prefix=stage)]


def summarise(context: Context, models: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """The test metrics into the summary of the wandb run: ``<model>/test/<measure>/<score>``, the last model's also without its name.

    Args:
        context: the run.
        models: model → ``test/<measure>`` → scores, as in ``results.json``.
    """
    if models and _wanted(context):
        rows = {f"{model}/": measures for model, measures in models.items()}
        rows[""] = [*models.values()][-1]
        _run(context).summary.update({f"{row}{name}": value for row, measures in rows.items() for name, value in _numbers(measures)})


def _numbers(measures: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    for measure, scores in measures.items():
        yield from ((f"{measure}/{name}", value) for name, value in scores.items() if isinstance(value, (int, float)))
        yield from ((f"{measure}/f1_{end}", value) for end, value in zip(("low", "high"), scores.get("ci95", ()), strict=False))


def names(context: Context) -> dict[str, Any]:
    """Group, name and tags: a sweep's jobs share a group and are named by what varies; the fingerprint finds runs of this configuration."""
    config = context.config
    return {
        "group": f"{config.experiment} {context.sweep}"[:NAME] if context.sweep else config.experiment,
        "name": " ".join(context.overrides)[:NAME] or f"{config.experiment}-{config.profile}-seed{config.seed}",
        "tags": [tag[:TAG] for tag in (config.experiment, config.profile, fingerprint(config=config), *context.overrides)],
    }


def _wanted(context: Context) -> bool:
    return context.config.logger.wandb and not context.follower


def _run(context: Context) -> Any:
    import wandb

    if wandb.run is None:
        os.environ.setdefault("WANDB_SILENT", "true")
        os.environ["WANDB_DATA_DIR"] = str(context.output / "wandb")  # tables with their pictures; without them nothing could be synced
        config = context.config
        wandb.init(
            project=config.logger.project, entity=config.logger.entity, dir=str(context.output), mode=_mode(), config=asdict(config),
            settings=wandb.Settings(silent=True, console="off"), **names(context),
        )  # fmt: skip
        wandb.define_metric("trainer/global_step")  # each stage counts its own steps; wandb's own count runs through all of them
        wandb.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    return wandb.run


def _mode() -> Any:
    """``WANDB_MODE`` where it is set; else online with a key at hand, offline without."""
    return os.environ.get("WANDB_MODE") or ("online" if has_key() else "offline")


def has_key() -> bool:
    """Whether wandb would find a key: in ``WANDB_API_KEY`` or, after ``wandb login``, in the netrc file."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return any("wandb" in host for host in netrc.netrc().hosts)
    except (OSError, netrc.NetrcParseError):
        return False


def finish() -> None:
    """Ends the wandb run, whatever happened."""
    import wandb

    if wandb.run is not None:
        wandb.finish()
