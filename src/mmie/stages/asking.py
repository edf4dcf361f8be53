"""What a run leaves of the requests to its teacher: record, ``requests.json``, table and notes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from mmie.artifacts import Artifact
from mmie.display import plain_text
from mmie.distil.answer import STATES
from mmie.distil.record import Record
from mmie.distil.teacher import Teacher
from mmie.files import slug, write_json, write_text
from mmie.json_types import from_json
from mmie.reporting.terminal import grid
from mmie.results import Cost
from mmie.spending import Spent, in_dollars
from mmie.stages.context import Context

REQUESTS, UNANSWERED = "requests.json", "unanswered.jsonl"


def record_path(folder: Path, model: str) -> Path:
    """The file of a teacher's answers; one that an earlier version named otherwise stays in use."""
    earlier = f"{model.replace('/', '_')}.jsonl"
    known = {path.name for path in folder.glob("*.jsonl")}
    return folder / (earlier if earlier in known else f"{slug(model)}.jsonl")


def open_record(context: Context, teacher: Teacher) -> Record:
    """The record of this teacher's answers."""
    return Record(record_path(context.store.root / "record", teacher.model))


def write_requests(context: Context, record: Record, teacher: Teacher, folder: Path) -> None:
    """Writes ``requests.json`` and ``unanswered.jsonl`` of a stage, and prints what it cost."""
    states = Counter(entry.state for entry in record.unanswered)
    counts: dict[str, Any] = {"asked": record.asked, "reused": record.reused}
    counts.update({state: states[state] for state in STATES[1:]})
    write_json(folder / REQUESTS, {**counts, "purposes": record.ledger.purposes})
    rows = [asdict(entry) for entry in sorted(record.unanswered)]
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    write_text(folder / UNANSWERED, "".join(lines))
    context.console.print(_table(record, teacher))
    context.console.print(f"answers are kept in {record.path}", markup=False, soft_wrap=True)


def _table(record: Record, teacher: Teacher) -> Table:
    """The ledger of a stage."""
    rows = [_row(purpose, spent) for purpose, spent in record.ledger.purposes.items()]
    if len(rows) > 1:
        rows.append(_row("all", record.ledger.total))
    title = f"teacher {teacher.model}: {record.asked:,} requests, {record.reused:,} from the record"
    columns = ["answers for", "asked", "reused", "tokens in", "cached", "out", "cost", "paid now"]
    return grid(title, columns, rows, padding=(0, 1, 0, 0), show_edge=False)


def _row(purpose: str, spent: Spent) -> list[str]:
    tokens = (spent.prompt_tokens, spent.cached_tokens, spent.answer_tokens)
    counts = [f"{count:,}" for count in (spent.asked, spent.reused, *tokens)]
    return [purpose, *counts, in_dollars(spent.dollars), in_dollars(spent.paid)]


def note_unanswered(context: Context, stage: str, folder: Path) -> None:
    """Notes how many requests of a stage have no whole answer, and says where they are listed."""
    counts = _requests(folder)
    states = {state: counts[state] for state in STATES[1:] if counts.get(state)}
    if states:
        context.notes.setdefault("unanswered", {})[stage] = states
        told = ", ".join(f"{count:,} {state}" for state, count in states.items())
        listed = f"requests without a whole answer: {told}, listed in {folder / UNANSWERED}"
        context.console.print(plain_text(listed, "yellow"), soft_wrap=True)


def cost_of(context: Context, evaluated: Mapping[str, Artifact]) -> Cost:
    """What the teacher's answers cost that this run needed; nothing where it needed none.

    Args:
        context: the run, after its last stage.
        evaluated: system → its evaluation, that of the teacher included.
    """
    stages = {f"evaluate {name}": artifact for name, artifact in evaluated.items()}
    distilled = context.artifact("distil")
    stages |= {} if distilled is None else {"distil": distilled}
    requests = 0
    purposes: dict[str, Spent] = {}
    for stage, artifact in stages.items():
        if (artifact.folder / REQUESTS).is_file():
            counts = _requests(artifact.folder)
            requests += counts["asked"] + counts["reused"]
            spent = from_json(dict[str, Spent], counts.get("purposes", {}))
            purposes |= _of_this_run(spent, cached=context.stages[stage]["cached"])
    total = sum(purposes.values(), Spent())
    if total.requests < requests:  # some are of a stage that did not keep what they cost
        return Cost(requests=requests, tokens=None, dollars=None)
    dollars = None if total.uncounted else total.dollars
    return Cost(
        requests=requests,
        tokens=total.tokens,
        dollars=dollars,
        paid=total.paid,
        purposes=purposes,
    )


def _of_this_run(purposes: dict[str, Spent], *, cached: bool) -> dict[str, Spent]:
    """A stage that was finished before has asked nothing in this run."""
    if not cached:
        return purposes
    return {
        purpose: replace(spent, asked=0, reused=spent.requests, paid=0.0)
        for purpose, spent in purposes.items()
    }


def _requests(folder: Path) -> dict[str, Any]:
    counts: dict[str, Any] = json.loads((folder / REQUESTS).read_text(encoding="utf-8"))
    return counts
