"""wandb, offline unless logged in: one wandb run for all stages, the jobs of a sweep as one group.

A run can do without wandb, so wandb never ends one. Where the server cannot be used, the run is
logged offline. Where that fails as well, it is not logged. Either is one warning line.
"""

from __future__ import annotations

import logging
import netrc
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mmie.artifacts import fingerprint
from mmie.training.optional import Attempt

if TYPE_CHECKING:  # it loads torch, for which nobody who asks for a key should wait
    from mmie.stages.context import Context

TAG, NAME = 64, 128  # characters that wandb takes
CONNECT = 20  # seconds to wait for the server at the start
FINISH = 60  # seconds to wait at the end for what is still to be sent
MODES = ("online", "offline", "shared", "disabled", "dryrun", "run")
log = logging.getLogger(__name__)


def wandb_loggers(context: Context, stage: str) -> list[Any]:
    """A logger whose metrics carry the stage's name, or none where ``logger.wandb`` is off."""
    run = _run(context) if _wanted(context) else None
    if run is None:
        return []
    from mmie.training.wandb_log import WandbLog

    return [WandbLog(run, stage=stage)]


def summarise(context: Context, systems: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Writes the test scores into the summary of the wandb run.

    They are called ``<system>/test/<measure>/<score>``, and those of the last system also
    ``test/<measure>/<score>``.

    Args:
        context: the run.
        systems: system → ``test/<measure>`` → scores, as in ``results.json``.
    """
    run = _run(context) if systems and _wanted(context) else None
    if run is None:
        return
    named = {f"{system}/": measures for system, measures in systems.items()}
    named[""] = [*systems.values()][-1]
    scores: dict[str, float] = {}
    for prefix, measures in named.items():
        scores |= {f"{prefix}{name}": value for name, value in _numbers(measures)}
    with Attempt("wandb", otherwise="it does not get the test scores"):
        run.summary.update(scores)


def _numbers(measures: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    """Every single number of the scores; an interval becomes two."""
    for measure, scores in measures.items():
        for name, value in scores.items():
            if isinstance(value, (int, float)):
                yield f"{measure}/{name}", value
        for end, value in zip(("low", "high"), scores.get("ci95", ()), strict=False):
            yield f"{measure}/f1_{end}", value


def names(context: Context) -> dict[str, Any]:
    """Group, name and tags of the wandb run.

    The jobs of a sweep share a group and are named by what varies. One tag is the key of the whole
    configuration, by which its runs are found.
    """
    config = context.config
    group = f"{config.experiment} {context.sweep}" if context.sweep else config.experiment
    single = f"{config.experiment}-{config.profile}-seed{config.seed}"
    name = " ".join(context.overrides) or single
    tags = [config.experiment, config.profile, fingerprint(config=config), *context.overrides]
    return {"group": group[:NAME], "name": name[:NAME], "tags": [tag[:TAG] for tag in tags]}


def _wanted(context: Context) -> bool:
    return context.config.logger.wandb and not context.follower


def _run(context: Context) -> Any:
    """The wandb run, which is started if there is none yet; None if it cannot be started."""
    wandb = sys.modules.get("wandb")
    if wandb is not None and wandb.run is not None:
        return wandb.run
    if "wandb" in context.notes:
        return None
    config = context.config
    place = {"project": config.logger.project, "entity": config.logger.entity}
    options = {**place, "config": asdict(config), **names(context)}
    for mode in dict.fromkeys((_mode(), "offline")):
        otherwise = "going on without it" if mode == "offline" else "logging offline"
        with Attempt(f"wandb ({mode})", otherwise=otherwise):
            return _started(str(context.output), mode=mode, **options)
    context.notes["wandb"] = "not used: it could not be started"
    return None


def _started(folder: str, **options: Any) -> Any:
    import wandb

    logging.getLogger("wandb").setLevel(logging.CRITICAL)  # it logs all that it raises
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ["WANDB_DATA_DIR"] = f"{folder}/wandb"  # tables; nothing syncs without
    settings = wandb.Settings(
        silent=True, console="off", init_timeout=CONNECT, finish_timeout=FINISH
    )
    run = wandb.init(dir=folder, settings=settings, **options)
    # Each stage counts its own steps; wandb's own count runs through all of them.
    run.define_metric("trainer/global_step")
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    return run


def _mode() -> Any:
    """``WANDB_MODE`` if it is set; else online with a key and offline without."""
    mode = os.environ.get("WANDB_MODE")
    if mode and mode not in MODES:
        log.warning("WANDB_MODE=%s: it must be one of %s; logging offline", mode, ", ".join(MODES))
        mode = os.environ["WANDB_MODE"] = "offline"  # wandb reads the variable itself, too
    return mode or ("online" if has_key() else "offline")


def has_key() -> bool:
    """Whether wandb would find a key in ``WANDB_API_KEY`` or, after ``wandb login``, in netrc."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return any("wandb" in host for host in netrc.netrc().hosts)
    except (OSError, ValueError, netrc.NetrcParseError):  # ValueError: it is not UTF-8
        return False


def finish() -> None:
    """Ends the wandb run, whatever happened, and waits no longer than ``FINISH``."""
    wandb = sys.modules.get("wandb")
    if wandb is not None and wandb.run is not None:
        with Attempt("wandb", otherwise="what is not sent lies in the run's folder wandb"):
            wandb.finish()
