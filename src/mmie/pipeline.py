"""data → distil → filter → SFT warm-up → GRPO → evaluate → report, for one configuration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from omegaconf import DictConfig

from mmie import stopping
from mmie.artifacts import Artifact, Store
from mmie.config import RunConfig, to_run_config
from mmie.files import write_json
from mmie.job import current_job, refuse_sweep_of_many_processes
from mmie.reporting.runs import load_runs
from mmie.results import read_results, write_results
from mmie.stages import deliver, learn, preflight, prepare, tracking
from mmie.stages.context import Context
from mmie.stages.difficulty import difficulty
from mmie.stages.due import due_stages
from mmie.stages.evaluate import evaluate
from mmie.stages.learn import validation_f1
from mmie.stages.quiet import quiet_libraries
from mmie.stages.ranks import in_touch, is_follower
from mmie.stages.report import collect, report, results_of
from mmie.stages.samples import Samples
from mmie.stages.steps import check_steps
from mmie.stages.system import System, systems
from mmie.stages.teacher_row import evaluate_teacher
from mmie.stages.vote import vote


def run(cfg: DictConfig) -> float | None:
    """One Hydra job. Its last line on the terminal says where the results lie.

    Returns:
        What a sweeper may choose by: the validation F1 of the last training's best checkpoint,
        never anything of the test split. None if nothing was trained.
    """
    config, job = to_run_config(cfg), current_job()
    only_report = config.stages == ["report"] and bool(config.report.sources)
    if (only_report or "plan" in config.stages) and is_follower(config.trainer):
        return None  # srun starts all processes of a run, and one is enough to read and to count
    if only_report:
        print(f"report: {collect(config, job.output)}", flush=True)
        return None
    if "plan" in config.stages:
        print(f"plan: {plan(config, job.output)}", flush=True)
        return None
    refuse_sweep_of_many_processes(job, config.trainer)
    results = execute(
        config, job.output, command=job.command, sweep=job.sweep, overrides=job.varied
    )
    if results is None:
        return None
    print(f"results: {results}", flush=True)
    return validation_f1(Store(config.artifacts), read_results(results).stages)


def plan(config: RunConfig, output: Path) -> Path:
    """Prints what the run will cost, and writes ``plan.json``; only the stage data is run.

    Raises:
        InputError: bad configuration or data, in one line.
    """
    from mmie.planning.plan import make_plan
    from mmie.planning.tables import tables

    quiet_libraries()
    context = Context(config, Store(config.artifacts), output)
    preflight.check(context)
    data = prepare.data(context)
    samples = prepare.divided(context, data)
    with stopping.at("in stage plan"):
        made = make_plan(context, samples)
    for part in tables(made):
        context.console.print(part)
    path = output / "plan.json"
    write_json(path, made.as_json())
    return path


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
        The path of ``results.json``. None in the other processes of a run, which leave the
        writing to the first.

    Raises:
        InputError: bad configuration, data, disk or network, in one line.
    """
    quiet_libraries()
    load_runs(config.report.sources)  # refuses a wrong path now and not after the training
    context = Context(config, Store(config.artifacts), output, sweep, overrides)
    with in_touch(config, context.store):
        try:
            evaluated = stages(context)
            scores = {name: made.load("metrics.json") for name, made in evaluated.items()}
            tracking.summarise(context, scores)
        finally:
            context.close()
            tracking.finish()
    if context.follower:
        return None
    path, results = output / "results.json", results_of(context, evaluated, command=command)
    write_results(path, results)
    if "report" in config.stages and evaluated:
        with stopping.at("in stage report"):
            report(context, results, evaluated)
        collect(config, output, path)
    return path


def stages(context: Context) -> dict[str, Artifact]:
    """Runs the stages that are due; returns the evaluation of each system."""
    preflight.check(context)
    config, due = context.config, due_stages(context.config)
    chains = sft = easy = grpo = None
    evaluated: dict[str, Artifact] = {}
    if "data" in due:
        data = prepare.data(context)
        samples = prepare.divided(context, data) if "divide" in due else Samples(data)
        if {"sft", "grpo"} & due:
            check_steps(context, samples)
    if "distil" in due:
        distilled = prepare.distil(context, samples)
    if "filter" in due:
        chains = prepare.filtered(context, data, distilled)
    if "sft" in due and config.sft:
        sft = learn.sft(context, config.sft, samples, chains)
    if "difficulty" in due and sft:
        easy = difficulty(context, samples, sft)
    if "grpo" in due and config.grpo:
        grpo = learn.grpo(context, config.grpo, samples, reference=sft, difficulty=easy)
    if "evaluate" in due:
        evaluated = _evaluate(context, data, systems(context, sft, grpo))
    if not context.follower:
        _deliver(context)
    return evaluated


def _evaluate(context: Context, data: Artifact, rows: Iterable[System]) -> dict[str, Artifact]:
    """Evaluates the teacher and the systems, and lets the trained ones vote, as configured."""
    config = context.config
    evaluated: dict[str, Artifact] = {}
    if "teacher" in config.zero_shot.systems:
        name, artifact = evaluate_teacher(context, data)
        evaluated[name] = artifact
    for system in rows:
        evaluated[system.name] = evaluate(context, system, data)
        if config.evaluation.samples > 1 and system.adapter is not None:
            context.voting[system.name] = vote(context, system, data)
    return evaluated


def _deliver(context: Context) -> None:
    """Answers questions and exports the adapter, if these stages are chosen."""
    for name, stage in (("predict", deliver.predict), ("export", deliver.export)):
        if name in context.config.stages:
            with stopping.at(f"in stage {name}"):
                stage(context)
