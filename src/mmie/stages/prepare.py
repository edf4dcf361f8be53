"""Stages data, distil and filter: from the source to one reasoning chain per training sample."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from rich.table import Table

from mmie.artifacts import Artifact
from mmie.config import node
from mmie.data.division import stratified
from mmie.data.source import SPLITS, check_splits, examples_to_jsonl
from mmie.data.statistics import statistics, statistics_table
from mmie.display import plain_text
from mmie.distil.candidates import candidates_from_jsonl, candidates_to_jsonl, run_distillation
from mmie.distil.dispatch import check_refused
from mmie.distil.filters import apply_filters
from mmie.distil.teacher import Teacher
from mmie.errors import InputError
from mmie.files import write_json
from mmie.stages import keys
from mmie.stages.asking import (
    UNANSWERED,
    note_unanswered,
    open_record,
    record_path,
    write_requests,
)
from mmie.stages.context import Context
from mmie.stages.samples import Samples
from mmie.types import Candidate, Example


def data(context: Context) -> Artifact:
    """Reads the source, checks it, writes one file for each split and ``statistics.json``."""
    with context.open("data", keys.data(context)) as stage:
        if stage.new:
            _read_source(context, stage.work)
    artifact = stage.artifact
    _restore_pictures(context, artifact.folder)
    counted = artifact.load("statistics.json")
    context.console.print(statistics_table(counted, unit=context.reasoned.unit))
    blank = {split: counted[split]["blank_pictures"] for split in SPLITS}
    if any(blank.values()):
        context.notes["blank_pictures"] = blank
        context.console.print(
            plain_text(f"blank pictures stand in for missing ones: {blank}", "yellow")
        )
    return artifact


def _read_source(context: Context, folder: Path) -> None:
    source = context.source
    splits = {split: source.load(split, track=context.track) for split in SPLITS}
    check_splits(splits, context.reasoned.fields)
    for split, examples in splits.items():
        examples_to_jsonl(folder / f"{split}.jsonl", examples, images=source.images)
    write_json(folder / "statistics.json", statistics(splits, context.reasoned))


def _restore_pictures(context: Context, folder: Path) -> None:
    """Loads a kept data set again where its pictures are gone.

    A generated world draws them anew; a data set from files says which are missing.
    """
    if context.follower:
        return
    for split in SPLITS:
        pictures = [one for each in context.examples(folder, split) for one in each.pictures]
        if not all(one.path is None or one.path.is_file() for one in pictures):
            context.source.load(split, track=context.track)


def divided(context: Context, data: Artifact) -> Samples:
    """Divides the training samples between the warm-up and GRPO, as MORE-R1 does.

    With ``sft_share``, that share of each class of samples is drawn by the seed for the warm-up,
    and the rest is for GRPO: ``sft.json`` and ``grpo.json`` hold their ids. Without it there is
    nothing to divide, as both take all samples (JMERE-R1).
    """
    if context.config.sft_share is None:
        return Samples(data)
    with context.open("divide", keys.divide(context, data)) as stage:
        if stage.new:
            _divide(context, data, stage.work, share=context.config.sft_share)
    counts = {name: len(stage.artifact.load(f"{name}.json")) for name in ("sft", "grpo")}
    context.console.print(
        f"training samples for the warm-up: {counts['sft']:,}, for GRPO: {counts['grpo']:,}"
    )
    return Samples(data, stage.artifact)


def _divide(context: Context, data: Artifact, folder: Path, *, share: float) -> None:
    examples = context.examples(data.folder, "train")
    classes = {example.id: context.reasoned.stratum(example) for example in examples}
    first = set(stratified(classes, share=share, seed=context.config.seed))
    write_json(folder / "sft.json", [name for name in classes if name in first])
    write_json(folder / "grpo.json", [name for name in classes if name not in first])


def training_examples(context: Context, samples: Samples, part: str) -> list[Example]:
    """The training samples of the part ``sft`` or ``grpo``, in the order of the data."""
    examples = context.examples(samples.data.folder, "train")
    if samples.division is None:
        return examples
    wanted = set(samples.division.load(f"{part}.json"))
    return [example for example in examples if example.id in wanted]


def distil(context: Context, samples: Samples) -> Artifact:
    """The teacher writes and judges the candidates of the samples that warm up.

    Answers are kept in the record as they come. ``requests.json`` has what they cost, and
    ``unanswered.jsonl`` lists the requests that failed or whose answer was refused, cut or empty.

    Raises:
        InputError: the teacher cannot be asked, or more than ``teacher.max_refused`` of the
            requests are refused.
    """
    teacher = node(context.config.teacher)
    with context.open("distil", keys.distil(context, samples)) as stage:
        if stage.new:
            _ask_teacher(context, samples, teacher, stage.work)
    if not context.follower:
        note_unanswered(context, "distil", stage.artifact.folder)
    return stage.artifact


def _ask_teacher(context: Context, samples: Samples, teacher: Teacher, folder: Path) -> None:
    """Fills the folder of the stage distil."""
    config = context.config
    chains = node(config.cot.chains)
    examples = training_examples(context, samples, "sft")
    record = open_record(context, teacher)
    requests = len(examples) * config.cot.candidates * chains.requests
    description = f"distilling (requests to {teacher.model})"
    with context.progress(description, requests, record.ledger.line) as advance:
        candidates = run_distillation(
            examples,
            teacher,
            record,
            candidates=config.cot.candidates,
            chains=chains,
            progress=advance,
        )
    candidates_to_jsonl(candidates, folder / "candidates.jsonl")
    write_requests(context, record, teacher, folder)
    check_refused(teacher, record, folder / UNANSWERED)


def filtered(context: Context, data: Artifact, distilled: Artifact) -> Artifact:
    """Applies the chosen filters and keeps one chain per sample; counts as in Figure 7."""
    with context.open("filter", keys.filtered(context, distilled)) as stage:
        if stage.new:
            _filter(context, data, distilled, stage.work)
    context.console.print(_counts_table(stage.artifact.load("counts.json")))
    _mention_unreadable(context, candidates_from_jsonl(distilled.folder / "candidates.jsonl"))
    return stage.artifact


def _filter(context: Context, data: Artifact, distilled: Artifact, folder: Path) -> None:
    config = context.config
    gold = {example.id: example.gold for example in context.examples(data.folder, "train")}
    candidates = candidates_from_jsonl(distilled.folder / "candidates.jsonl")
    filters = {name: node(settings) for name, settings in config.filter.items()}
    selection = apply_filters(candidates, filters, gold, seed=config.seed)
    if not selection.chosen:
        record = record_path(context.store.root / "record", node(config.teacher).model)
        raise InputError(_nothing_left(selection.counts, record))
    candidates_to_jsonl(selection.chosen, folder / "chosen.jsonl")
    write_json(folder / "counts.json", selection.counts)


def _mention_unreadable(context: Context, candidates: list[Candidate]) -> None:
    """Notes how many verdicts could not be read, for each column that has any.

    The filters drop these chains as if they were bad.
    """
    unreadable: Counter[str] = Counter()
    for candidate in candidates:
        if candidate.chain:
            unreadable.update(name for name, value in candidate.verdicts.items() if value is None)
    if unreadable:
        context.notes["unreadable_verdicts"] = dict(unreadable)
        columns = ", ".join(f"{name} {count:,}" for name, count in unreadable.items())
        message = f"unreadable verdicts of the teacher, whose chains the filters drop: {columns}"
        context.console.print(plain_text(message, "yellow"))


def _nothing_left(counts: list[dict[str, Any]], record: Path) -> str:
    emptied = next(count["stage"] for count in counts if not count["candidates"])
    what = "filter" if emptied == "usable" else f"filter.{emptied}"
    left = f"none of {counts[0]['candidates']:,} chains is left"
    way_out = f"choose filters that fit the task, or read what the teacher wrote in {record}"
    return f"{what}: {left}; {way_out}"


def chosen(folder: Path) -> list[Candidate]:
    """The chains in the folder of the stage filter, one for each sample that has any left."""
    return candidates_from_jsonl(folder / "chosen.jsonl")


def _counts_table(counts: list[dict[str, Any]]) -> Table:
    table = Table()
    for column in ("chains left after", "candidates", "samples"):
        table.add_column(column, justify="left" if column == "chains left after" else "right")
    for row in counts:
        table.add_row(plain_text(row["stage"]), f"{row['candidates']:,}", f"{row['samples']:,}")
    return table
