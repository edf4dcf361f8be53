"""Distillation: several MP-CoT chains a sample, each with what the teacher says of it (JMERE-R1 section 3.2).

Deviation: every usable chain is both re-predicted and scored, whatever filters follow, so that a filter can be left
out without a call; the paper scores only the chains that its first filter lets through.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from mmie.cot.prompts import chain_of, distil_prompt, parse_score, repredict_prompt, score_prompt
from mmie.cot.record import Record
from mmie.cot.teacher import Request, Teacher
from mmie.errors import InputError
from mmie.parsing import format_quintuples, parse_quintuples
from mmie.types import Candidate, Example, Quintuple

_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


def run_distillation(
    examples: Sequence[Example],
    teacher: Teacher,
    record: Record,
    *,
    candidates: int,
    types: Sequence[str],
    relations: Sequence[str],
    progress: Callable[[int], None],
) -> list[Candidate]:
    """``distil`` for callers without an event loop."""
    return asyncio.run(
        distil(examples, teacher, record, candidates=candidates, types=types, relations=relations, progress=progress)
    )


async def distil(
    examples: Sequence[Example],
    teacher: Teacher,
    record: Record,
    *,
    candidates: int,
    types: Sequence[str],
    relations: Sequence[str],
    progress: Callable[[int], None],
) -> list[Candidate]:
    """All candidates of all samples, in the samples' order, then by index.

    ``teacher.concurrency`` workers take one candidate after the other, each with one request under way. The
    teacher's connections are closed at the end.

    Args:
        examples: with quintuples as gold and unique ids.
        teacher: writes and judges.
        record: what has been answered is not asked again.
        candidates: chains a sample (5 in the paper).
        types: the entity types that are offered at re-prediction.
        relations: the relations that are offered at re-prediction.
        progress: called with the number of candidates finished so far.

    Raises:
        InputError: the first one of any worker; the others are cancelled.
    """
    places = ((example, index) for example in examples for index in range(candidates))
    finished: dict[tuple[str, int], Candidate] = {}

    async def work() -> None:
        for example, index in places:
            judged = await _candidate(example, index, teacher=teacher, record=record, types=types, relations=relations)
            finished[example.id, index] = judged
            progress(len(finished))

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(teacher.concurrency):
                workers.create_task(work())
    except ExceptionGroup as errors:
        first = errors.exceptions[0]
        raise first from first.__cause__
    finally:
        await teacher.close()
    return [finished[example.id, index] for example in examples for index in range(candidates)]


async def _candidate(
    example: Example,
    index: int,
    *,
    teacher: Teacher,
    record: Record,
    types: Sequence[str],
    relations: Sequence[str],
) -> Candidate:
    request = partial(Request, example=example, candidate=index)
    prompt = distil_prompt(example, format_quintuples(example.gold))
    chain = chain_of(await record.answer(teacher, request("distil", prompt=prompt)))
    if not chain:
        return Candidate(example.id, index, chain="", repredicted=None, score=None)
    prompt = repredict_prompt(example, chain, types=types, relations=relations)
    read = await record.answer(teacher, request("repredict", prompt=prompt, chain=chain))
    scored = await record.answer(teacher, request("score", prompt=score_prompt(example, chain), chain=chain))
    repredicted = _repredicted(read, types=types, relations=relations)
    return Candidate(example.id, index, chain, repredicted, parse_score(scored))


def _repredicted(text: str, *, types: Sequence[str], relations: Sequence[str]) -> tuple[Quintuple, ...] | None:
    """The quintuples of the last answer block, or of the whole text where there is none."""
    blocks = _ANSWER.findall(text)
    quintuples = parse_quintuples(blocks[-1] if blocks else text, types=types, relations=relations)
    return None if quintuples is None else tuple(quintuples)


def candidates_to_jsonl(candidates: Sequence[Candidate], path: Path) -> None:
    """One JSON object a line, under a temporary name until the file is whole; InputError where the disk refuses."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text("".join(json.dumps(asdict(candidate)) + "\n" for candidate in candidates))
        os.replace(unfinished, path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot write ({error.strerror}); make room or make it writable") from error


def candidates_from_jsonl(path: Path) -> list[Candidate]:
    """What ``candidates_to_jsonl`` wrote; InputError with file and line where it is something else."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror}); distil again") from error
    return [_read_candidate(line, f"{path}:{number}") for number, line in enumerate(lines, start=1)]


def _read_candidate(line: bytes, where: str) -> Candidate:
    try:
        row = json.loads(line)
        read = row.pop("repredicted")
        return Candidate(**row, repredicted=None if read is None else tuple(Quintuple(*fields) for fields in read))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{where}: not a candidate; delete the file and distil again") from error
