"""Answers that are not whole, and two runs with one record."""

from __future__ import annotations

import asyncio
import json
import multiprocessing

import pytest

from helpers.teacher_server import against_the_server
from helpers.teachers import Parrot, Scripted, examples, question, run
from mmie.distil import dispatch
from mmie.distil.answer import Answer
from mmie.distil.dispatch import check_refused
from mmie.distil.record import Record, Unanswered
from mmie.distil.zero_shot import run_zero_shot
from mmie.errors import InputError
from mmie.types import Candidate

REFUSED = Answer("", "refused", {"reason": "400 - content filter"})
TURNED_AWAY = Answer("", "refused", {"reason": "400 - too long"}, final=False)
CUT = Answer("Step 1: a", "cut", {"finish_reason": "length", "usage": {"total_tokens": 9}})


def states(record, teacher, *requests):
    async def go():
        return [await record.answer(teacher, request) for request in requests]

    return asyncio.run(go())


@pytest.mark.parametrize("answer", [REFUSED, CUT, Answer("", "empty", {"seconds": 0.5})])
def test_an_answer_keeps_its_state_text_and_details_and_is_not_asked_again(tmp_path, answer):
    path, teacher = tmp_path / "r.jsonl", Parrot()
    teacher.answers["Hello"] = answer
    for record in (Record(path), Record(path)):
        assert states(record, teacher, question()) == [answer]
        reason = answer.details.get("reason", "")
        assert record.unanswered == [Unanswered("train-0", 0, "distil", answer.state, reason)]
    assert len(teacher.asked) == 1
    (line,) = map(json.loads, path.read_text().splitlines())
    assert (line["state"], line["answer"]) == (answer.state, answer.text)
    assert {name: line[name] for name in answer.details} == answer.details


def test_another_token_limit_asks_again(tmp_path):
    short, long = Parrot(max_tokens=9), Parrot(max_tokens=99)
    short.answers["Hello"] = CUT
    record = Record(tmp_path / "r.jsonl")
    assert states(record, short, question())[0].usable == ""
    assert states(record, long, question())[0].usable == "Hello 1"


def test_what_was_turned_away_unpaid_is_asked_again_by_the_next_run_only(tmp_path):
    path, teacher = tmp_path / "r.jsonl", Parrot()
    teacher.answers["Hello"] = TURNED_AWAY
    record = Record(path)
    assert states(record, teacher, question(), question()) == [TURNED_AWAY, TURNED_AWAY]
    assert len(teacher.asked) == 1
    teacher.answers.clear()
    assert states(Record(path), teacher, question())[0].text == "Hello 2"
    assert states(Record(path), teacher, question())[0].text == "Hello 2"


def test_a_line_without_a_state_is_a_whole_answer(tmp_path):
    path, teacher = tmp_path / "r.jsonl", Parrot()
    key = Record(path).key(teacher, question())
    path.write_text(json.dumps({"key": key, "answer": "From before."}) + "\n")
    assert states(Record(path), teacher, question()) == [Answer("From before.")]


def refusing(*names, purpose="distil", answer=REFUSED):
    return lambda request: answer if request.example.id in names else "A chain."


def test_a_refused_sample_stops_no_other(tmp_path):
    teacher, record = Scripted(concurrency=2, distil=refusing("train-1")), Record(tmp_path / "r")
    teacher.max_refused = 0.5
    candidates = run(examples(4), teacher, record, candidates=2)
    assert [candidate.chain for candidate in candidates] == ["A chain."] * 2 + [""] * 2 + [
        "A chain."
    ] * 4
    assert {(entry.example_id, entry.candidate) for entry in record.unanswered} == {
        ("train-1", 0),
        ("train-1", 1),
    }
    check_refused(teacher, record, "the list")
    again = Scripted()
    assert run(examples(4), again, Record(tmp_path / "r"), candidates=2) == candidates
    assert again.asked == []


def test_a_chain_is_kept_where_only_its_judgement_is_refused(tmp_path):
    teacher = Scripted(score=REFUSED)
    (candidate,) = run(examples(1), teacher, Record(tmp_path / "r"), candidates=1)
    assert (candidate.chain, candidate.verdicts["score"]) == ("A chain.", None)


@pytest.mark.parametrize("state", ["cut", "empty", "refused"])
def test_an_answer_that_is_not_whole_is_not_used(tmp_path, state):
    teacher = Scripted(distil=Answer("Half a chain", state))
    teacher.max_refused = 1.0
    assert run(examples(1), teacher, Record(tmp_path / "r"), candidates=1) == [
        Candidate("train-0", 0, "", {"repredicted": None, "score": None})
    ]


@pytest.mark.parametrize(
    ("bound", "fails"), [(0.0, True), (0.09, True), (0.1, False), (1.0, False)]
)
def test_too_many_refusals_fail_the_run_after_all_were_asked(tmp_path, bound, fails):
    teacher, record = Scripted(distil=refusing("train-3"), concurrency=3), Record(tmp_path / "r")
    teacher.max_refused = bound
    run(examples(4), teacher, record, candidates=1)
    assert record.asked == 10
    if not fails:
        return check_refused(teacher, record, "the list")
    first = r"1 of 10 requests were refused \(the first, for train-3: 400 - content filter\)"
    message = rf"{first}.*read the list.*raise"
    with pytest.raises(InputError, match=message):
        check_refused(teacher, record, "the list")
    return None


def test_a_server_that_refuses_everything_is_not_asked_for_long(tmp_path, monkeypatch):
    monkeypatch.setattr(dispatch, "EARLY", 5)
    teacher, record = Scripted(distil=TURNED_AWAY, concurrency=2), Record(tmp_path / "r")
    with pytest.raises(
        InputError, match="requests were refused .* fix what the server complains about"
    ):
        run(examples(50), teacher, record)
    assert 5 <= record.asked <= 6
    mended = Scripted(concurrency=2)
    assert len(run(examples(50), mended, Record(tmp_path / "r"), candidates=1)) == 50
    assert len(mended.asked) == 150


FAILED = Answer("", "failed", {"reason": "500 - broken"}, final=False)


def test_a_sample_at_which_the_server_breaks_stops_no_other(tmp_path):
    teacher, record = Scripted(distil=refusing("train-1", answer=FAILED)), Record(tmp_path / "r")
    teacher.max_refused = 0.1
    candidates = run(examples(3), teacher, record, candidates=3)
    assert [bool(candidate.chain) for candidate in candidates] == [True] * 3 + [False] * 3 + [
        True
    ] * 3
    with pytest.raises(InputError, match="3 of 21 requests were refused .*500 - broken"):
        check_refused(teacher, record, "the list")
    mended = Scripted()
    assert all(one.chain for one in run(examples(3), mended, Record(tmp_path / "r"), candidates=3))
    assert len(mended.asked) == 9


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_server_that_breaks_at_every_sample_stops_the_run(tmp_path, concurrency):
    names = [f"train-{number}" for number in range(9)]
    teacher = Scripted(concurrency=concurrency, distil=refusing(*names, answer=FAILED))
    teacher.max_refused = 1.0
    record = Record(tmp_path / "r")
    with pytest.raises(InputError, match=r"failed at 3 samples .*500 - broken.*run again"):
        run(examples(9), teacher, record, candidates=2)
    assert record.fetched["failed"] <= 2 * 3 + concurrency


def test_what_another_run_has_answered_meanwhile_is_not_asked(tmp_path):
    path = tmp_path / "r.jsonl"
    first, second, teacher = Record(path), Record(path), Parrot()
    assert states(first, teacher, question()) == states(second, teacher, question())
    assert (len(teacher.asked), second.asked, second.reused) == (1, 0, 1)


def test_lines_that_somebody_deletes_meanwhile_harm_nothing(tmp_path):
    path, teacher = tmp_path / "r.jsonl", Parrot()
    record = Record(path)
    states(record, teacher, question("one"), question("two"))
    path.write_bytes(path.read_bytes().split(b"\n")[1] + b"\n")
    states(record, teacher, question("three"))
    last = Record(path)
    assert [
        answer.text for answer in states(last, teacher, question("two"), question("three"))
    ] == ["two 2", "three 3"]
    assert last.reused == 2


def test_two_runs_side_by_side_ask_each_question_once(tmp_path):
    path, teacher = tmp_path / "r.jsonl", Parrot()

    async def go():
        requests = [question(f"Question {number}") for number in range(12)]
        records = [Record(path), Record(path)]
        jobs = [record.answer(teacher, request) for request in requests for record in records]
        return await asyncio.gather(*jobs)

    answers = asyncio.run(go())
    assert len(teacher.asked) == 12
    assert answers[::2] == answers[1::2]
    assert len(path.read_bytes().splitlines()) == 12
    assert [file.name for file in tmp_path.iterdir()] == ["r.jsonl"]


def test_a_question_that_failed_elsewhere_can_be_asked_here(tmp_path):
    path, teacher = tmp_path / "r.jsonl", Parrot()
    with pytest.raises(InputError):
        states(Record(path), teacher, question("down"))
    teacher.answers["down"] = Answer("Up again.")

    class Up(Parrot):
        async def ask(self, request):
            return Answer("Up again.")

    assert states(Record(path), Up(), question("down")) == [Answer("Up again.")]


def test_the_teacher_answers_inside_a_running_loop_as_well(tmp_path):
    teacher = Scripted()
    teacher.answers["answer"] = lambda request: request.prompt
    settings = {"prompt": lambda example: f"Read {example.text}", "progress": lambda _: None}

    async def notebook():
        return run_zero_shot(examples(2), teacher, Record(tmp_path / "r"), **settings)

    assert [answer.text for answer in asyncio.run(notebook())] == ["Read Tweet 0", "Read Tweet 1"]
    assert teacher.closed == 1


def requests_of(folder):
    _, record = against_the_server(folder)
    return record.asked, record.reused


def test_two_processes_at_one_record_pay_once(server, tmp_path, png):
    def slow(handler, *_):
        server.ended.wait(0.02)
        server.complete(handler, "A chain.")

    server.reply = slow
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(png(number))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        counts = pool.map(requests_of, [tmp_path, tmp_path], chunksize=1)
    assert [sum(count) for count in counts] == [18, 18]
    assert sum(asked for asked, _ in counts) == len(server.received) == 18


def test_a_file_system_without_locks_is_warned_of(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("mmie.files.fcntl.flock", refuse)
    record, teacher = Record(tmp_path / "r.jsonl"), Parrot()
    assert [answer.text for answer in states(record, teacher, question())] == ["Hello 1"]
    assert caplog.text.count("this file system has no locks") == 1
