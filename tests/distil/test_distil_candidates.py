from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from helpers.teachers import READ_A, READ_AB, A, B, Scripted, examples, run
from mmie.distil.answer import Answer
from mmie.distil.candidates import candidates_from_jsonl, candidates_to_jsonl
from mmie.distil.record import Record
from mmie.errors import InputError
from mmie.types import Candidate


def test_a_candidate_is_the_chain_and_both_judgements(tmp_path):
    teacher = Scripted(
        distil="<think>Gordon plays.</think>",
        repredict=f"At first <answer>{READ_A}</answer>, but no: <answer> {READ_AB} </answer>",
        score="Image description: 0.4\nScore: 0.8",
    )
    (candidate,) = run(examples(1), teacher, Record(tmp_path / "r"), candidates=1)
    assert candidate == Candidate(
        "train-0", 0, "Gordon plays.", {"repredicted": [[*A], [*B]], "score": 0.8}
    )
    assert teacher.asked == [
        ("distil", "train-0", 0, ""),
        ("repredict", "train-0", 0, "Gordon plays."),
        ("score", "train-0", 0, "Gordon plays."),
    ]


@pytest.mark.parametrize(
    ("answer", "repredicted"),
    [
        (READ_A, (A,)),
        ("<answer>[]</answer>", ()),
        (f"It is {READ_A}", (A,)),
        (f"<answer>{READ_A}", (A,)),
        (f"{READ_A}, [Josh Gordon, per, Bro", None),
        (f"{READ_A} and [Josh Gordon, per, Browns, org, boss of]", None),
        ("There are none.", None),
        ("<answer>[Josh Gordon, per, Browns, org, boss of]</answer>", None),
        ("", None),
    ],
)
def test_the_reprediction_is_read_or_none(tmp_path, answer, repredicted):
    (candidate,) = run(
        examples(1), Scripted(repredict=answer), Record(tmp_path / "r"), candidates=1
    )
    expected = None if repredicted is None else [list(item) for item in repredicted]
    assert candidate.verdicts["repredicted"] == expected


def test_the_prompts_show_the_gold_to_the_writer_only(tmp_path):
    prompts = {}
    teacher = Scripted(
        distil=lambda request: prompts.setdefault("distil", request.prompt) and "A chain."
    )
    teacher.answers["repredict"] = lambda request: (
        prompts.setdefault("repredict", request.prompt) and "[]"
    )
    teacher.answers["score"] = lambda request: (
        prompts.setdefault("score", request.prompt) and "Score: 1"
    )
    run(examples(1), teacher, Record(tmp_path / "r"), candidates=1)
    assert READ_AB in prompts["distil"]
    assert "Ohio" not in prompts["repredict"] + prompts["score"]
    assert "A chain." in prompts["repredict"]
    assert "A chain." in prompts["score"]


def test_an_unusable_chain_is_not_judged(tmp_path):
    teacher = Scripted(distil="")
    (candidate,) = run(examples(1), teacher, Record(tmp_path / "r"), candidates=1)
    assert candidate == Candidate("train-0", 0, "", {"repredicted": None, "score": None})
    assert len(teacher.asked) == 1


def test_the_order_is_the_samples_and_the_load_is_bounded(tmp_path):
    teacher, seen = Scripted(concurrency=3), []
    found = run(examples(7), teacher, Record(tmp_path / "r"), progress=seen.append)
    assert [(c.example_id, c.index) for c in found] == [
        (f"train-{n}", i) for n in range(7) for i in range(2)
    ]
    assert sum(seen) == 7 * 2 * 3
    assert set(seen) == {1}  # requests, not candidates
    assert teacher.busiest == 3
    assert teacher.closed == 1


def test_one_new_sample_costs_one_sample(tmp_path):
    run(examples(3), Scripted(), Record(tmp_path / "r"))
    teacher, record = Scripted(), Record(tmp_path / "r")
    run(examples(4), teacher, record)
    assert Counter(name for _, name, _, _ in teacher.asked) == {"train-3": 6}
    assert (record.asked, record.reused) == (6, 18)


def test_the_first_error_comes_out_alone_and_stops_the_rest(tmp_path):
    def fails(request):
        if request.example.id == "train-2":
            raise InputError("the teacher is down")
        return "A chain."

    teacher, record = Scripted(concurrency=3, distil=fails), Record(tmp_path / "r")
    with pytest.raises(InputError, match="^the teacher is down; then run again"):
        run(examples(50), teacher, record)
    assert (teacher.busy, teacher.closed) == (0, 1)
    assert len(teacher.asked) < 30
    again, kept = Scripted(), Record(tmp_path / "r")
    run(examples(2), again, kept)
    assert 0 < kept.reused <= record.asked
    assert len(again.asked) == 12 - kept.reused


def test_what_is_under_way_at_an_error_comes_to_its_end(tmp_path):
    class Slow(Scripted):
        async def ask(self, request):
            if request.example.id == "train-0":
                return await super().ask(request)
            await asyncio.sleep(0.05)
            self.late = getattr(self, "late", 0) + 1
            return Answer("Late, but paid.")

    def fails(_):
        raise InputError("down")

    teacher, record = Slow(concurrency=3, distil=fails), Record(tmp_path / "r")
    with pytest.raises(InputError, match="^down"):
        run(examples(9), teacher, record, candidates=1)
    assert (teacher.late, teacher.cancelled, teacher.closed) == (2, 0, 1)
    assert record.path.read_text().count("Late, but paid.") == 2


def test_an_unusable_chain_counts_as_all_its_requests(tmp_path):
    seen = []
    run(examples(2), Scripted(distil=""), Record(tmp_path / "r"), progress=seen.append)
    assert sum(seen) == 2 * 2 * 3


def test_candidates_survive_the_file(tmp_path):
    rows = [
        Candidate(
            "train-0", 0, "Lines\nand ☃ \u2028 \x85 😀", {"read": [[*A], [*B]], "score": 0.7}
        ),
        Candidate("train-0", 1, "", {"read": None, "score": None}),
        Candidate("train-1", 0, "chain"),
    ]
    path = tmp_path / "new" / "candidates.jsonl"
    candidates_to_jsonl(rows[:1], path)
    candidates_to_jsonl(rows, path)
    found = candidates_from_jsonl(path)
    assert found == rows
    assert [file.name for file in path.parent.iterdir()] == ["candidates.jsonl"]


ROW = {"example_id": "a", "index": 0, "chain": "c", "verdicts": {"score": 0.5}}
BROKEN = [
    "",
    "{",
    "[]",
    "{}",
    "[" * 100_000,
    *(
        json.dumps({**ROW, **change})
        for change in (
            {"chain": 5},
            {"chain": "half \ud83d"},
            {"example_id": None},
            {"index": "0"},
            {"verdicts": None},
            {"verdicts": {"read": "half \ud83d"}},
            {"score": 0.5},
        )
    ),
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_candidate_is_named(tmp_path, broken):
    path = tmp_path / "c.jsonl"
    candidates_to_jsonl([Candidate("train-0", 0, "chain")], path)
    path.write_text(path.read_text() + broken + "\n")
    with pytest.raises(InputError, match=r"c\.jsonl:2: not a candidate"):
        candidates_from_jsonl(path)


def test_candidate_files_that_cannot_be_are_named(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="folder: cannot be written"):
        candidates_to_jsonl([], tmp_path / "folder")
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]
    with pytest.raises(InputError, match="missing: cannot be read"):
        candidates_from_jsonl(tmp_path / "missing")
