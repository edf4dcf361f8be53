"""The teacher that asks the server on loopback, and small jobs for it."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from helpers.configured import prompts
from mmie.distil.candidates import run_distillation
from mmie.distil.record import Record
from mmie.distil.teacher import OpenAITeacher, Request
from mmie.errors import InputError
from mmie.tasks.jmere.chains import JMEREChains
from mmie.types import Example, Picture, Quintuple

GOLD = (Quintuple("Josh Gordon", "per", "Browns", "org", "member_of"),)


def teacher(**changes):
    settings = {
        "model": "m-1",
        "temperature": 0.7,
        "max_tokens": 64,
        "concurrency": 2,
        "max_retries": 0,
        "timeout": 5,
    }
    return OpenAITeacher(**(settings | changes))


def ask(openai_teacher, **question):
    return answer(openai_teacher, **question).text


def answer(openai_teacher, *, pictures=(), prompt="What is it?"):
    example = Example(id="train-0", text="A tweet", pictures=tuple(map(Picture, pictures)), gold=())

    async def run():
        try:
            return await openai_teacher.ask(Request("distil", example, 0, prompt))
        finally:
            await openai_teacher.close()

    return asyncio.run(run())


def refused(openai_teacher, **question):
    with pytest.raises(InputError) as raised:
        ask(openai_teacher, **question)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def against_the_server(folder, **changes):
    """Distils three samples with a picture each, one request at a time, recorded in ``folder``."""
    samples = [
        Example(
            id=f"train-{n}", text=f"Tweet {n}", pictures=(Picture(folder / f"{n}.png"),), gold=GOLD
        )
        for n in range(3)
    ]
    settings = {"temperature": 1.0, "max_tokens": 9, "max_retries": 0, "timeout": 30}
    teacher = OpenAITeacher(model="m", concurrency=1, **{**settings, **changes})
    record = Record(folder / "record.jsonl")
    labels = {"types": ["per", "org"], "relations": ["member_of"], **prompts("jmere")}
    return run_distillation(
        samples,
        teacher,
        record,
        candidates=2,
        progress=lambda _: None,
        chains=JMEREChains(**labels),
    ), record


def pictures(folder, png):
    folder.mkdir()
    for n in range(3):
        (folder / f"{n}.png").write_bytes(png(n))
    return folder


def honest(server):
    """Numbers the chains by how often their question came, so that equal questions get others."""
    times = Counter()

    def reply(handler, question, _):
        text = question["messages"][0]["content"][-1]["text"]
        times[text] += 1
        if "A reasoning process" in text:
            return server.complete(handler, f"Chain {times[text]}.")
        return server.complete(
            handler,
            "[Josh Gordon, per, Browns, org, member of]" if "<answer>" in text else "Score: 0.9",
        )

    return reply
