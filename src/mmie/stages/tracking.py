"""wandb, offline unless logged in; one run for all stages of a run."""

from __future__ import annotations

import netrc
import os
from dataclasses import asdict
from typing import Any

from mmie.stages.context import Context


def wandb_loggers(context: Context, stage: str) -> list[Any]:
    """A logger whose metrics carry the stage's name, or none where ``logger.wandb`` is off."""
    config = context.config.logger
    if not config.wandb:
        return []
    import wandb
    from pytorch_lightning.loggers import WandbLogger

    if wandb.run is None:
        os.environ.setdefault("WANDB_SILENT", "true")
        wandb.init(
            project=config.project, entity=config.entity, dir=str(context.output), mode=_mode(), group=context.config.experiment,
            name=f"{context.config.experiment}-{context.config.profile}-seed{context.config.seed}",
            tags=[context.config.experiment, context.config.profile], config=asdict(context.config),
            settings=wandb.Settings(silent=True, console="off"),
        )  # fmt: skip
    return [WandbLogger(experiment=wandb.run, prefix=stage)]


def _mode() -> Any:
    """``WANDB_MODE`` where it is set; else online with a key at hand, offline without."""
    return os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")


def _has_key() -> bool:
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
