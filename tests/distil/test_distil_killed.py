"""A run is killed in the middle and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import mmie
from helpers.configured import prompts
from mmie.distil.candidates import run_distillation
from mmie.distil.record import Record
from mmie.distil.teacher import OpenAITeacher
from mmie.tasks.jmere.chains import JMEREChains
from mmie.types import Example, Picture, Quintuple

GOLD = (Quintuple("Josh Gordon", "per", "Browns", "org", "member_of"),)

KILLED = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], str(Path(sys.argv[1]).parent)]
from test_distil_killed import against_the_server
against_the_server(Path(sys.argv[2]))
"""


def against_the_server(folder):
    """Distils three samples with a picture each: two candidates, one request at a time.

    The record is in ``folder``.
    """
    samples = [
        Example(
            id=f"train-{n}", text=f"Tweet {n}", pictures=(Picture(folder / f"{n}.png"),), gold=GOLD
        )
        for n in range(3)
    ]
    teacher = OpenAITeacher(
        model="m", temperature=1.0, max_tokens=9, concurrency=1, max_retries=0, timeout=30
    )
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
    """Numbers the chains of each question, so that equal questions get different chains."""
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


@pytest.mark.slow
@pytest.mark.parametrize("fatal", [9, 13])
def test_a_killed_run_repeats_no_request_that_was_answered(server, tmp_path, png, fatal):
    server.reply = honest(server)
    expected, _ = against_the_server(pictures(tmp_path / "unharmed", png))
    questions = list(server.received)
    assert len(questions) == 18
    server.received.clear()

    def deadly(handler, question, number):
        if number == fatal:
            os.kill(child.pid, signal.SIGKILL)
            handler.close_connection = True
        else:
            answer(handler, question, number)

    answer, server.reply = honest(server), deadly
    folder = pictures(tmp_path / "killed", png)
    roots = [Path(mmie.__file__).parents[1], Path(__file__).parents[1]]
    path = os.pathsep.join([*map(str, roots), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(folder)],
        env={**os.environ, "PYTHONPATH": path},
    ) as child:
        assert child.wait(60) == -signal.SIGKILL
    assert len(server.received) == fatal
    assert len((folder / "record.jsonl").read_bytes().splitlines()) == fatal - 1
    assert list(folder.glob(".*.claim"))  # of the question that was under way; it holds nobody up

    server.reply = answer
    candidates, record = against_the_server(folder)
    assert candidates == expected
    assert (record.asked, record.reused) == (18 - (fatal - 1), fatal - 1)
    assert server.received[fatal - 1] == server.received[fatal]
    assert not list(folder.glob(".*.claim"))
    assert server.received[: fatal - 1] + server.received[fatal:] == questions
