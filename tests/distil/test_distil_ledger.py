"""What a run has cost: counted as answers come, and kept in the record."""

from __future__ import annotations

import asyncio
import json

import pytest

from helpers.teacher_server import against_the_server, pictures
from helpers.teachers import Parrot, question
from mmie.distil.answer import Answer
from mmie.distil.ledger import Ledger
from mmie.distil.record import Record
from mmie.spending import Spent, Tokens, price_of, tokens_in

PRICES = {"input": 2.0, "cached": 1.0, "output": 10.0}
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100}
CACHED = {**USAGE, "prompt_tokens_details": {"cached_tokens": 400}}


def states(record, teacher, *requests):
    async def go():
        return [await record.answer(teacher, request) for request in requests]

    return asyncio.run(go())


def paid_parrot(prices=PRICES):
    teacher = Parrot()
    teacher.price = prices
    teacher.answers["Hello"] = Answer("Hi.", details={"usage": CACHED})
    teacher.answers["Bye"] = Answer("Step", "cut", {"usage": USAGE, "finish_reason": "length"})
    return teacher


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (USAGE, Tokens(1000, 0, 100)),
        (CACHED, Tokens(1000, 400, 100)),
        ({**USAGE, "prompt_tokens_details": None}, Tokens(1000, 0, 100)),
        ({"total_tokens": 9}, None),
        ({**USAGE, "prompt_tokens": -1}, None),
        ({**USAGE, "prompt_tokens": True}, None),
        (None, None),
    ],
)
def test_tokens_are_read_where_the_server_tells_them(usage, tokens):
    assert tokens_in(usage) == tokens


def test_cached_tokens_have_a_price_of_their_own_where_it_is_known():
    tokens = Tokens(1000, 400, 100)
    assert price_of(tokens, PRICES) == pytest.approx((600 * 2 + 400 * 1 + 100 * 10) / 1e6)
    assert price_of(tokens, {"input": 2.0, "output": 10.0}) == pytest.approx(3000 / 1e6)
    assert price_of(tokens, None) is None


def test_a_run_pays_what_it_asks_and_shows_what_the_rest_had_cost(tmp_path):
    path, teacher = tmp_path / "r.jsonl", paid_parrot()
    first = Record(path)
    states(first, teacher, question(), question())
    hello = {"prompt_tokens": 1000, "cached_tokens": 400, "answer_tokens": 100}
    assert first.ledger.total == Spent(asked=1, reused=1, **hello, dollars=0.0026, paid=0.0026)
    second = Record(path)
    states(second, teacher, question(), question("Bye", purpose="score"))
    assert second.ledger.purposes == {
        "distil": Spent(reused=1, **hello, dollars=0.0026, paid=0.0),
        "score": Spent(asked=1, prompt_tokens=1000, answer_tokens=100, dollars=0.003, paid=0.003),
    }
    assert second.ledger.line() == (
        "2,000 tokens in, 400 of them cached, 200 out, $0.01, of which $0.00 in this run"
    )
    assert second.spent(PRICES) == pytest.approx(0.0056)


def test_dollars_are_those_of_their_day(tmp_path):
    path = tmp_path / "r.jsonl"
    states(Record(path), paid_parrot(), question())
    (line,) = map(json.loads, path.read_text().splitlines())
    assert (line["dollars"], line["usage"]) == (0.0026, CACHED)
    later = Record(path)
    states(later, paid_parrot({"input": 200.0, "output": 1000.0}), question())
    assert later.ledger.total.dollars == 0.0026


def test_old_lines_count_with_what_they_tell(tmp_path):
    path, teacher = tmp_path / "r.jsonl", paid_parrot()
    record = Record(path)
    keys = [record.key(teacher, question(prompt)) for prompt in ("one", "two")]
    lines = [{"key": keys[0], "answer": "1", "usage": USAGE}, {"key": keys[1], "answer": "2"}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    one, two = Record(path), Record(path)
    states(one, teacher, question("one"))
    assert one.ledger.total.dollars == pytest.approx(0.003)
    states(two, teacher, question("one"), question("two"))
    total = two.ledger.total
    assert (total.uncounted, total.tokens, total.dollars) == (1, None, None)
    assert "answers whose tokens nobody counted: 1" in two.ledger.line()
    assert two.spent(PRICES) == pytest.approx(0.003)
    assert two.spent(None) == 0


def test_a_refusal_without_tokens_was_not_paid_for():
    ledger = Ledger()
    ledger.add("distil", Answer("", "refused", {"reason": "400"}), None, asked=True)
    assert ledger.total == Spent(asked=1)
    ledger.add("distil", Answer("", "refused", {"usage": USAGE}), PRICES, asked=True)
    assert ledger.total.paid == pytest.approx(0.003)


def test_without_prices_dollars_are_unknown_and_tokens_are_not(tmp_path):
    record = Record(tmp_path / "r.jsonl")
    states(record, paid_parrot(None), question())
    assert (record.ledger.total.tokens, record.ledger.total.dollars) == (1100, None)
    assert "$?" in record.ledger.line()


def test_a_server_counts_and_the_record_keeps_it(server, tmp_path, png):
    def reply(handler, *_):
        body = json.loads(server.completion({"content": "A chain."})) | {"usage": CACHED}
        handler.send(200, json.dumps(body).encode())

    server.reply = reply
    folder = pictures(tmp_path / "one", png)
    _, record = against_the_server(folder)
    assert record.ledger.total.prompt_tokens == 18 * 1000
    lines = [json.loads(line) for line in (folder / "record.jsonl").read_text().splitlines()]
    assert {(line["usage"]["completion_tokens"], line["served_model"]) for line in lines} == {
        (100, "m")
    }
