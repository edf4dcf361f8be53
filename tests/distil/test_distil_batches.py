"""The teacher is asked in batches, by a server that behaves as OpenAI documents it."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections import Counter

import pytest

from helpers.batch_api import ALL_STEPS, BatchAPI
from helpers.teacher_server import against_the_server, honest, pictures, teacher
from helpers.teachers import examples, run
from mmie.distil.candidates import candidates_to_jsonl
from mmie.distil.locks import Claim
from mmie.distil.open_batches import batches_path
from mmie.distil.record import Record
from mmie.errors import InputError

USAGE = {"prompt_tokens": 1000, "completion_tokens": 100}
PRICES = {"m": {"input": 2.0, "output": 10.0, "picture": 85, "tile": 170}}
BATCH = {"mode": "batch", "batch_interval": 0.01}


def replying(*faults):
    """Answers as ``honest`` does; the first requests get these faults instead."""
    times, left = Counter(), [*faults]

    def respond(body):
        if left:
            fault = left.pop(0)
            if fault != "good":
                return fault
        text = body["messages"][0]["content"][-1]["text"]
        times[text] += 1
        answer = (
            "[Josh Gordon, per, Browns, org, member of]" if "<answer>" in text else "Score: 0.9"
        )
        if "A reasoning process" in text:
            answer = f"Chain {times[text]}."
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": answer},
        }
        return 200, {"choices": [choice], "model": "m-0613", "usage": USAGE}

    return respond


def refusing(status, message="no", **more):
    return status, {"error": {"message": message, **more}}


@pytest.fixture
def api(server):
    server.batch_api = BatchAPI(replying())
    return server.batch_api


def lines_of(folder):
    return [json.loads(line) for line in (folder / "record.jsonl").read_text().splitlines()]


def by_key(folder):
    """The lines of the record, without what the server says of single requests or of batches."""
    names = ("key", "purpose", "example_id", "candidate", "model", "answer", "state")
    rows = [tuple(line[name] for name in names) for line in lines_of(folder)]
    return sorted(rows)


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".png")


@pytest.mark.slow
def test_they_give_the_same_candidates_as_single_requests(server, api, tmp_path, png):
    server.reply, api.steps = honest(server), ALL_STEPS
    folders = [pictures(tmp_path / name, png) for name in ("online", "batch")]
    for folder, changes in zip(folders, ({}, BATCH), strict=True):
        candidates, record = against_the_server(folder, **changes)
        assert (record.asked, record.reused) == (18, 0)
        candidates_to_jsonl(candidates, folder / "candidates.jsonl")
    one, other = ((folder / "candidates.jsonl").read_bytes() for folder in folders)
    assert one == other
    assert by_key(folders[0]) == by_key(folders[1])
    assert [len(batch) for batch in api.requests()] == [6, 6, 6]  # chains, re-predictions, scores
    sent = [line["body"] for batch in api.requests() for line in batch]
    assert sorted(map(str, sent)) == sorted(map(str, server.received))
    assert leftovers(folders[1]) == ["candidates.jsonl", "record.jsonl"]


def test_the_record_has_batch_usage_and_the_reduced_price(api, tmp_path, png, monkeypatch):
    folder = pictures(tmp_path / "one", png)
    _, record = against_the_server(folder, prices=PRICES, **BATCH)
    full = (1000 * 2 + 100 * 10) / 1e6
    assert record.ledger.total.paid == pytest.approx(18 * full / 2)
    line = lines_of(folder)[0]
    assert (line["batch"], line["usage"], line["served_model"]) == ("batch_1", USAGE, "m-0613")
    assert line["dollars"] == full / 2
    monkeypatch.delenv("OPENAI_API_KEY")  # nothing is asked again, in neither mode
    _, again = against_the_server(folder, prices=PRICES, **BATCH)
    assert (again.asked, again.ledger.total.paid) == (0, 0.0)
    _, again = against_the_server(folder, prices=PRICES)
    assert (again.asked, again.ledger.total.paid) == (0, 0.0)
    assert again.ledger.total.dollars == pytest.approx(18 * full / 2)


@pytest.mark.slow
def test_files_are_bounded(api, tmp_path, png):
    api.limit = 4
    against_the_server(pictures(tmp_path / "few", png), batch_requests=4, **BATCH)
    assert [len(batch) for batch in api.requests()] == [4, 2] * 3
    sizes = [len(api.files[batch["input_file_id"]]) for batch in api.batches.values()]
    api.batches.clear()
    small = max(sizes) / 2 / 1e6
    against_the_server(pictures(tmp_path / "small", png), batch_megabytes=small, **BATCH)
    files = [api.files[batch["input_file_id"]] for batch in api.batches.values()]
    assert max(map(len, files)) <= small * 1e6
    assert sum(map(len, api.requests())) == 18


def test_what_a_batch_leaves_unanswered_goes_into_the_next(api, tmp_path, png):
    broken = refusing(500)
    api.respond = replying("good", None, broken, refusing(400, code="content_filter"), None, "good")
    folder = pictures(tmp_path / "one", png)
    candidates, record = against_the_server(folder, max_retries=2, **BATCH)
    assert [len(batch) for batch in api.requests()] == [6, 3, 5, 5]
    first, second = api.requests()[:2]
    assert [line["custom_id"] for line in second] == [first[n]["custom_id"] for n in (1, 2, 4)]
    assert [bool(candidate.chain) for candidate in candidates] == [True] * 3 + [False] + [True] * 2
    assert [(one.state, one.reason) for one in record.unanswered] == [("refused", "400 - no")]
    keys = [line["key"] for line in lines_of(folder)]
    assert len(keys) == len(set(keys)) == 16


def test_a_request_that_always_fails_is_skipped_after_its_tries(api, tmp_path, png):
    def respond(body):
        broken = "Tweet 1" in str(body["messages"])
        return refusing(500) if broken else answer(body)

    answer, api.respond = api.respond, respond
    folder = pictures(tmp_path / "one", png)
    candidates, record = against_the_server(folder, max_retries=1, **BATCH)
    assert [len(batch) for batch in api.requests()] == [6, 2, 4, 4]
    assert [bool(one.chain) for one in candidates] == [True] * 2 + [False] * 2 + [True] * 2
    assert record.fetched == {"whole": 12, "failed": 2}


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (refusing(401), r"^teacher m at 127\.\S+: 401 - no; check the server"),
        (None, r"^teacher m at 127\.\S+: a batch expired without an answer: .*batch_expired"),
    ],
)
def test_what_concerns_all_requests_stops_when_the_rest_is_recorded(
    api, tmp_path, png, reply, message
):
    api.respond = replying("good", reply)
    folder = pictures(tmp_path / "one", png)
    with pytest.raises(InputError, match=message):
        against_the_server(folder, **BATCH)
    assert len(lines_of(folder)) == 5
    assert leftovers(folder) == ["record.jsonl"]
    api.respond = replying()
    _, record = against_the_server(folder, **BATCH)
    assert (record.asked, record.reused) == (13, 5)


def test_a_batch_that_is_not_accepted_is_told_in_one_line(api, tmp_path, png):
    api.errors = [{"code": "invalid_json_line", "message": "Line 1\nis odd.", "line": 1}]
    folder = pictures(tmp_path / "one", png)
    with pytest.raises(InputError, match=r"not accepted: Line 1 is odd\.; make teacher\.batch_"):
        against_the_server(folder, **BATCH)
    assert leftovers(folder) == ["record.jsonl"]


def test_where_too_many_tokens_wait_the_rest_is_sent_later(api, tmp_path, png):
    def fill(method, path):
        if (method, path, api.created) == ("POST", "/v1/batches", 1):
            api.errors = [{"code": "token_limit_exceeded", "message": "Enqueued token limit"}]
        return False

    api.before_reply = fill
    against_the_server(pictures(tmp_path / "one", png), batch_requests=4, **BATCH)
    assert [len(batch) for batch in api.requests()] == [4, 2, 2, 4, 2, 4, 2]
    assert [batch["status"] for batch in api.batches.values()].count("failed") == 1


def test_a_lost_reply_starts_no_batch_twice(api, tmp_path, png):
    lost = []

    def lose(method, path):
        if (method, path) == ("POST", "/v1/batches") and len(lost) < 2:
            lost.append(path)
            return True
        return False

    api.before_reply = lose
    against_the_server(pictures(tmp_path / "one", png), batch_requests=4, max_retries=1, **BATCH)
    assert (len(lost), api.created) == (2, 6)


def test_a_budget_bounds_the_files(api, tmp_path, png):
    folder = pictures(tmp_path / "one", png)
    limited = {**BATCH, "prices": PRICES, "max_tokens": 200}
    with pytest.raises(InputError, match=r"^teacher\.budget=0\.02: \$0\.0. are spent"):
        against_the_server(folder, budget=0.02, **limited)
    sizes = [len(batch) for batch in api.requests()]
    assert sizes[0] > sizes[-1]  # what was not spent of the worst case is there for the next
    spent = sum(line["dollars"] for line in lines_of(folder))
    assert 0.01 < spent <= 0.02
    _, record = against_the_server(folder, budget=1.0, **limited)
    assert record.asked + record.reused == 18
    assert sum(map(len, api.requests())) == 18


def test_single_requests_wait_for_open_batches(api, tmp_path, png):
    folder = pictures(tmp_path / "one", png)
    api.before_reply = lambda method, path: method == "GET"
    with pytest.raises(InputError, match="batches: Connection error.*Batch API"):
        against_the_server(folder, **BATCH)
    path = batches_path(folder / "record.jsonl")
    with pytest.raises(InputError, match=rf"^{path}: .*teacher\.mode=batch"):
        against_the_server(folder)
    api.before_reply = lambda method, path: False
    _, record = against_the_server(folder, **BATCH)
    assert (record.asked, api.created) == (18, 3)
    assert not path.exists()


def test_a_run_waits_for_the_batches_of_another(api, tmp_path):
    record = Record(tmp_path / "record.jsonl")
    api.steps = ALL_STEPS
    other, told = Claim(record.path, "batches"), []
    assert other.take()

    def progress(done):
        told.append(record.ledger.line())
        other.give_back()

    run(examples(1), teacher(**BATCH), record, candidates=1, progress=progress)
    assert told[0].endswith(", waiting for the batches of another run")
    assert told[1].endswith(", batches under way: 1, with 0 of 1 requests done")
    assert told[-1] == "3,000 tokens in, 300 out, $?"
    assert record.asked == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "number"),
    [(("POST", "/v1/files"), 1), (("POST", "/v1/batches"), 2), (("GET", "/v1/batches/"), 3)],
)
def test_a_killed_run_submits_nothing_twice(api, tmp_path, png, call, number):
    calls = Counter()

    def deadly(method, path):
        place = (method, path if method == "POST" else path[: len("/v1/batches/")])
        calls[place] += 1
        if place == call and calls[place] == number:
            os.kill(child.pid, signal.SIGKILL)
            return True
        return False

    api.before_reply = deadly
    folder = pictures(tmp_path / "killed", png)
    few = {**BATCH, "batch_requests": 4}
    child = multiprocessing.get_context("fork").Process(
        target=against_the_server, args=(folder,), kwargs=few
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert batches_path(folder / "record.jsonl").is_file()
    candidates, _ = against_the_server(folder, **few)
    assert [len(batch) for batch in api.requests()] == [4, 2] * 3
    assert len(lines_of(folder)) == 18
    assert leftovers(folder) == ["record.jsonl"]
    expected, _ = against_the_server(pictures(tmp_path / "unharmed", png), **few)
    assert [one.verdicts for one in candidates] == [one.verdicts for one in expected]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "later"}, r"^teacher\.mode is later: set it to online or batch$"),
        ({"batch_requests": 0}, r"^teacher\.batch_requests is 0: "),
        ({"batch_interval": 0}, r"^teacher\.batch_interval is 0: "),
        ({"batch_megabytes": 0}, r"^teacher\.batch_megabytes is 0"),
    ],
)
def test_values_out_of_range_are_named(changes, message):
    with pytest.raises(InputError, match=message):
        teacher(**changes)
