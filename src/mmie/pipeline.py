"""data → distil → filter → SFT warm-up → GRPO → evaluate → report, for one resolved configuration."""

from __future__ import annotations

import json
import logging
import os
import shlex
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from rich.logging import RichHandler
from transformers.utils.logging import disable_progress_bar

from mmie import stopping
from mmie.artifacts import Artifact, Store, fingerprint
from mmie.config import ON_DEMAND, STAGES, RunConfig, SFTConfig, node, to_run_config
from mmie.display import terminal
from mmie.errors import InputError
from mmie.reporting.runs import load_runs
from mmie.results import StageRecord, read_results, write_results
from mmie.stages import deliver, learn, prepare, tracking
from mmie.stages.answers import Phase
from mmie.stages.context import Context
from mmie.stages.difficulty import difficulty
from mmie.stages.evaluate import evaluate, metrics
from mmie.stages.heartbeat import beating, watching
from mmie.stages.report import report, results_of
from mmie.stages.teacher_row import evaluate_teacher
from mmie.stages.vote import vote


def run(cfg: DictConfig) -> float | None:
    """One Hydra job: runs it in its output folder and prints where the results, or the tables of other runs, are as the last line.

    Returns:
        What a sweeper may choose by: F1 of the last training's kept checkpoint on the validation split, never on the test
        split; None where nothing was trained.
    """
    job = HydraConfig.get()
    config, output = to_run_config(cfg), Path(job.runtime.output_dir)
    if config.stages == ["report"] and config.report.sources:
        print(f"report: {collect(config, output)}", flush=True)
        return None
    sweep = Path(job.sweep.dir).name if job.mode is RunMode.MULTIRUN else None
    if (
        sweep
        and config.trainer.devices * config.trainer.num_nodes > 1
        and "SLURM_NTASKS" not in os.environ
    ):
        raise InputError(
            "trainer.devices: each process of a job would start the whole sweep anew; sweep on one device, or under SLURM"
        )
    varied = [
        item for item in job.overrides.task if item not in sys.argv
    ]  # what all jobs share stands there as it was typed
    results = execute(
        config,
        output,
        command=_command(job.overrides.task, sys.argv),
        sweep=sweep,
        overrides=varied,
    )
    if results is None:
        return None
    print(f"results: {results}", flush=True)
    return validation_f1(Store(config.artifacts), read_results(results).stages)


def validation_f1(store: Store, stages: Mapping[str, StageRecord]) -> float | None:
    """Best validation F1 of the last training among a run's stages, trained in this run or kept from before."""
    trained = next((name for name in ("grpo", "sft") if name in stages), None)
    if trained is None:
        return None
    folder = store.path(trained, stages[trained].key)
    return json.loads((folder / "validations.json").read_text(encoding="utf-8"))["best_f1"]


def collect(config: RunConfig, output: Path, *own: Path) -> Path:
    """The tables of the runs in ``report.runs`` and of ``own`` results; gives their page. Loads neither model nor data.

    Raises:
        InputError: one of the runs cannot be read, or the folder cannot be written.
    """
    from mmie.reporting.page import write_page  # late: every other run starts without matplotlib

    folder = Path(config.report.folder or output / "report")
    runs = load_runs([*own, *config.report.sources])
    return write_page(runs, folder, console=None if own else terminal())


def _command(overrides: Sequence[str], typed: Sequence[str]) -> str:
    """What makes this run, typed anywhere: without the place of its artefacts.

    ``hydra.mode`` is no override of the task, but one point of an experiment that sweeps is not made without it.
    """
    own = [override for override in overrides if not override.startswith("artifacts=")]
    mode = [argument for argument in typed if argument.startswith("hydra.mode=")]
    return shlex.join(["python", "run.py", *own, *mode])


def execute(
    config: RunConfig,
    output: Path,
    *,
    command: str = "",
    sweep: str | None = None,
    overrides: Sequence[str] = (),
) -> Path | None:
    """Runs the chosen stages; a stage whose inputs have not changed is taken from the store.

    Args:
        config: the resolved configuration.
        output: this run's own folder.
        command: what was typed, for the results.
        sweep, overrides: see ``Context``.

    Returns:
        The path of ``results.json``; None in the other processes of a run, which leave the writing to the first.

    Raises:
        InputError: bad configuration, data, disk or network, in one line.
    """
    _quiet()
    if config.trainer.threads is not None:
        torch.set_num_threads(config.trainer.threads)
    load_runs(config.report.sources)  # a wrong path is told now and not after the training
    context = Context(config, Store(config.artifacts), output, sweep, overrides)
    with _in_touch(context):
        try:
            evaluated = stages(context)
            scores = {name: metrics(folder) for name, folder in evaluated.items()}
            tracking.summarise(context, scores)
        finally:
            tracking.finish()
    if context.follower:
        return None
    path = output / "results.json"
    results = results_of(context, evaluated, command=command)
    write_results(path, results)
    if "report" in config.stages and evaluated:
        with stopping.at("in stage report"):
            report(context, results, evaluated)
        collect(config, output, path)
    return path


def _in_touch(context: Context) -> AbstractContextManager[None]:
    """The processes of one run know of each other's end; one process has nobody to tell."""
    if context.config.trainer.processes == 1:
        return nullcontext()
    path = context.store.root / "heartbeat" / fingerprint(config=context.config)
    return watching(path) if context.follower else beating(path)


def stages(context: Context) -> dict[str, Path]:
    """Runs what is asked for and, before it, what that needs; gives model name → evaluation folder."""
    config, last = context.config, _last(context.config)
    _check(context)
    evaluated: dict[str, Path] = {}
    if config.predict["adapter"] is not None and set(config.stages) <= set(ON_DEMAND):
        return _deliver(context, None, evaluated)
    data_stage = prepare.data(context)
    if last == "data":
        return evaluated
    sft_stage = grpo_stage = filter_stage = None
    division = prepare.divided(context, data_stage)
    if config.sft is not None and config.sft.response == "reasoned":
        distil_stage = prepare.distil(context, data_stage, division)
        if last == "distil":
            return evaluated
        filter_stage = prepare.filtered(context, data_stage, distil_stage)
    if config.sft is not None and last not in ("distil", "filter"):
        sft_stage = learn.sft(context, config.sft, data_stage, division, filter_stage)
    if config.grpo is not None and last not in ("distil", "filter", "sft"):
        split = None
        if sft_stage is not None and node(config.schedule).by_difficulty:
            split = difficulty(context, data_stage, division, sft_stage)
        grpo_stage = learn.grpo(
            context, config.grpo, data_stage, division, sft_stage=sft_stage, difficulty=split
        )
    if {"evaluate", "report"} & set(config.stages):
        if "teacher" in config.zero_shot.systems:
            name, stage = evaluate_teacher(context, data_stage)
            evaluated[name] = stage.folder
        for phase in phases(context, sft_stage, grpo_stage):
            evaluated[phase.name] = evaluate(context, phase, data_stage).folder
            if config.evaluation.samples > 1 and phase.adapter is not None:
                context.voting[phase.name] = vote(context, phase, data_stage)
    return _deliver(context, grpo_stage or sft_stage, evaluated)


def _check(context: Context) -> None:
    """What only the built nodes can tell, before anything costs time or money."""
    config = context.config
    by_difficulty = node(config.schedule).by_difficulty
    for part in (config.reward, config.teacher, config.cot.chains, *config.filter.values()):
        node(part)
    if config.grpo is not None and config.sft is None and by_difficulty:
        raise InputError(
            "schedule: it asks the warmed-up model which samples are easy, and sft is none; use schedule=all_mixed"
        )
    deliver.check(context)
    trainer = config.trainer
    gpu_only = trainer.precision == "16-mixed" or trainer.strategy == "deepspeed_zero2"
    wants_gpu = trainer.accelerator == "gpu" or (trainer.accelerator == "auto" and gpu_only)
    uses_model = _last(config) not in ("data", "distil", "filter")
    if wants_gpu and uses_model and not torch.cuda.is_available():
        what = f"trainer.accelerator={trainer.accelerator}"
        advice = "take trainer=cpu, or install a torch build that fits the driver"
        raise InputError(f"{what}: torch sees no GPU; {advice}")


def _deliver(
    context: Context, adapter: Artifact | None, evaluated: dict[str, Path]
) -> dict[str, Path]:
    if context.follower:
        return evaluated
    if "predict" in context.config.stages:
        with stopping.at("in stage predict"):
            deliver.predict(context, adapter)
    if "export" in context.config.stages:
        with stopping.at("in stage export"):
            deliver.export(context, adapter)
    return evaluated


def phases(
    context: Context, sft_stage: Artifact | None, grpo_stage: Artifact | None
) -> list[Phase]:
    """The rows of the run's table: zero-shot, after the warm-up, after GRPO, as far as the configuration has them."""
    rows = (
        [Phase("zero-shot", context.direct, None)]
        if "base" in context.config.zero_shot.systems
        else []
    )
    if sft_stage is not None and context.config.sft is not None:
        rows.append(_after_sft(context, context.config.sft, sft_stage))
    if grpo_stage is not None:
        rows.append(
            Phase(context.reasoned.method if sft_stage else "Only-RL", context.reasoned, grpo_stage)
        )
    return rows


def _after_sft(context: Context, sft: SFTConfig, stage: Artifact) -> Phase:
    """SFT before GRPO is a warm-up; the paper's CoT-SFT is trained longer, and nothing follows it."""
    if sft.response == "direct":
        return Phase("SFT", context.direct, stage)
    task = context.reasoned
    return Phase(
        task.chains_learned if context.config.grpo is None else task.warmed_up, task, stage
    )


def _last(config: RunConfig) -> str:
    """The latest of the chosen stages; what lies before it runs, too, unless it is kept from before."""
    order = [*STAGES, *ON_DEMAND]
    return max(config.stages, key=order.index) if config.stages else "data"


def _quiet() -> None:
    """One handler for our own messages; libraries speak from warnings up."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(show_path=False)],
        force=True,
    )
    logging.getLogger("mmie").setLevel(logging.INFO)
    for name in ("pytorch_lightning", "transformers", "lightning", "wandb", "DeepSpeed"):
        logging.getLogger(name).setLevel(logging.ERROR)
    disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric|torch.utils.data")
