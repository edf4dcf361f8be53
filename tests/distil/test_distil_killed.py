"""A run is killed in the middle and started again."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest

from helpers.teacher_server import against_the_server, honest, pictures


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
    child = multiprocessing.get_context("fork").Process(target=against_the_server, args=(folder,))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
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
