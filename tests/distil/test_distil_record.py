from __future__ import annotations

import asyncio
import json
import resource

import pytest

from helpers.teachers import Parrot, question
from mmie.distil.record import Record
from mmie.errors import InputError


def answers(record, teacher, *requests):
    async def run():
        return await asyncio.gather(*(record.answer(teacher, request) for request in requests))

    return [answer.text for answer in asyncio.run(run())]


def test_an_answer_is_paid_for_once_also_after_a_restart(tmp_path):
    path, teacher = tmp_path / "deep" / "record.jsonl", Parrot()
    first, again = Record(path), Record(path)
    assert answers(first, teacher, question()) == ["Hello 1"]
    assert answers(first, teacher, question()) == ["Hello 1"]
    assert (first.asked, first.reused) == (1, 1)
    assert answers(Record(path), teacher, question()) == ["Hello 1"]
    assert len(teacher.asked) == 1
    assert answers(again, teacher, question("Other")) == ["Other 2"]
    assert answers(Record(path), teacher, question("Other"), question()) == ["Other 2", "Hello 1"]


def test_a_line_tells_what_was_asked(tmp_path):
    record, teacher = Record(tmp_path / "r.jsonl"), Parrot()
    request = question("Hé ☃\n", candidate=3, purpose="score")
    answers(record, teacher, request)
    (line,) = record.path.read_text().splitlines()
    assert json.loads(line) == {
        "key": record.key(teacher, request),
        "purpose": "score",
        "example_id": "train-0",
        "candidate": 3,
        "model": "parrot",
        "answer": "Hé ☃\n 1",
        "state": "whole",
    }


def test_the_key_is_what_the_teacher_sees(tmp_path, png):
    one, same, other = (tmp_path / name for name in ("1.png", "same.png", "other.png"))
    one.write_bytes(png(1))
    same.write_bytes(png(1))
    other.write_bytes(png(2))
    record = Record(tmp_path / "r.jsonl")
    key = record.key(Parrot(temperature=1.0, top=5), question(pictures=[one]))
    assert key == record.key(
        Parrot(top=5, temperature=1.0), question(pictures=[same], name="train-9")
    )
    others = [
        record.key(Parrot("cockatoo", temperature=1.0, top=5), question(pictures=[one])),
        record.key(Parrot(temperature=0.5, top=5), question(pictures=[one])),
        record.key(Parrot(temperature=1.0, top=5), question("Hallo", pictures=[one])),
        record.key(Parrot(temperature=1.0, top=5), question(pictures=[one], purpose="score")),
        record.key(Parrot(temperature=1.0, top=5), question(pictures=[one], candidate=1)),
        record.key(Parrot(temperature=1.0, top=5), question(pictures=[other])),
        record.key(Parrot(temperature=1.0, top=5), question(pictures=[None])),
        record.key(Parrot(temperature=1.0, top=5), question(pictures=[one, one])),
        record.key(Parrot(temperature=1.0, top=5), question()),
    ]
    assert len({key, *others}) == 10


def test_two_alike_at_the_same_time_cost_one(tmp_path):
    record, teacher = Record(tmp_path / "r.jsonl"), Parrot()
    assert answers(record, teacher, question(), question(name="train-1")) == ["Hello 1", "Hello 1"]
    assert (record.asked, record.reused) == (1, 1)


def test_a_torn_last_line_is_dropped_wherever_it_was_torn(tmp_path, caplog):
    path, teacher = tmp_path / "r.jsonl", Parrot()
    answers(Record(path), teacher, question("first"), question("last"))
    content = path.read_bytes()
    start = content.index(b"\n") + 1
    for end in range(start + 1, len(content)):
        path.write_bytes(content[:end])
        caplog.clear()
        record = Record(path)
        assert [entry.levelname for entry in caplog.records] == ["WARNING"]
        assert answers(record, Parrot(), question("first")) == ["first 1"]
        assert path.read_bytes() == content[:start]
    answers(record, Parrot(), question("last"))
    assert answers(Record(path), Parrot(), question("first"), question("last")) == [
        "first 1",
        "last 1",
    ]


def test_another_writers_torn_line_does_not_spoil_the_next(tmp_path):
    path = tmp_path / "r.jsonl"
    record = Record(path)
    path.write_bytes(b'{"key": "to')
    answers(record, Parrot(), question())
    assert answers(Record(path), Parrot(), question()) == ["Hello 1"]


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"nonsense",
        b"\xff",
        b"[1]",
        b"[" * 100_000,
        b'{"key": ' + b"[" * 100_000,
        b'{"key": "k"}',
        b'{"key": "k", "answer": null}',
        b'{"key": "k", "answer": "", "state": "tired"}',
        b'{"key": "k", "answer": "", "state": []}',
    ],
)
def test_a_broken_line_before_the_last_is_named(tmp_path, broken):
    path = tmp_path / "r.jsonl"
    answers(Record(path), Parrot(), question("one"), question("two"))
    first, second, _ = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([first, broken, second, b""]))
    with pytest.raises(InputError, match=r"r\.jsonl:2: .*delete that line and run again$"):
        Record(path)


@pytest.mark.parametrize("room", [0, 10])
def test_a_full_disk_leaves_whole_lines(tmp_path, room):
    path, teacher = tmp_path / "r.jsonl", Parrot()
    record = Record(path)
    answers(record, teacher, question())
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + room, hard))
    try:
        with pytest.raises(
            InputError, match=r"r\.jsonl: cannot keep the teacher's answers .*make room"
        ):
            answers(record, teacher, question("more"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert answers(record, teacher, question("more")) == ["more 3"]


def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot keep"):
        Record(tmp_path / "file" / "r.jsonl")


def test_a_failed_request_leaves_no_line_and_says_where_the_rest_is(tmp_path):
    record = Record(tmp_path / "r.jsonl")
    with pytest.raises(
        InputError,
        match=r"^parrot is down; then run again: the answers so far are kept in .*r\.jsonl$",
    ):
        answers(record, Parrot(), question("down"))
    assert record.path.read_bytes() == b""
    assert record.asked == 0


def test_a_changed_picture_file_is_another_question_to_the_next_run(tmp_path, png):
    picture, path = tmp_path / "1.png", tmp_path / "r.jsonl"
    picture.write_bytes(png(1))
    answers(Record(path), Parrot(), question(pictures=[picture]))
    picture.write_bytes(png(2))
    record = Record(path)
    answers(record, Parrot(), question(pictures=[picture]))
    assert record.asked == 1
