"""Dollars are not spent beyond teacher.budget."""

from __future__ import annotations

import asyncio
import json

import pytest

from helpers.teacher_server import teacher
from helpers.teachers import Scripted, examples, question, run
from mmie.distil.answer import Answer
from mmie.distil.budget import Purse
from mmie.distil.record import Record
from mmie.errors import InputError

PRICES = {"m-1": {"input": 2.0, "output": 10.0, "picture": 85, "tile": 170}}
USAGE = {"prompt_tokens": 100, "completion_tokens": 80}  # $0.001 of at most $0.002


class Paid(Scripted):
    """A Scripted teacher whose answers cost $0.001, and $0.002 at most."""

    price = {"input": 2.0, "output": 10.0}

    def __init__(self, *, budget, concurrency=1):
        answers = {"distil": "A chain.", "repredict": "[]", "score": "Score: 0.9"}
        paid = {name: Answer(text, details={"usage": USAGE}) for name, text in answers.items()}
        super().__init__(concurrency=concurrency, **paid)
        self.budget = budget

    def worst_case(self, request):
        return 0.002


@pytest.mark.parametrize("concurrency", [1, 4])
def test_it_stops_before_the_budget_and_goes_on_when_it_is_raised(tmp_path, concurrency):
    path, limited = tmp_path / "r.jsonl", Paid(budget=0.0105, concurrency=concurrency)
    with pytest.raises(InputError) as raised:
        run(examples(4), limited, Record(path))
    assert str(raised.value) == (
        "teacher.budget=0.0105: $0.01 are spent, and the next request may cost up to $0.0020; "
        f"raise teacher.budget; then run again: the answers so far are kept in {path}"
    )
    assert len(limited.asked) == 9  # another one might have cost $0.011
    with pytest.raises(InputError):
        run(examples(4), Paid(budget=0.0105), Record(path))
    more = Paid(budget=0.0251, concurrency=concurrency)
    assert len(run(examples(4), more, Record(path))) == 8
    assert len(more.asked) == 24 - 9


def test_requests_under_way_count_at_their_worst():
    async def go():
        purse, begun = Purse(5.0, lambda: 0.0), []

        async def one(number):
            await purse.wait(2.0)
            with purse.under_way(2.0):
                begun.append(number)
                await asyncio.sleep(0.01 * (1 + number))

        jobs = [asyncio.create_task(one(number)) for number in range(3)]
        await asyncio.sleep(0)
        assert begun == [0, 1]  # the third might pass it
        await asyncio.gather(*jobs)
        assert begun == [0, 1, 2]

    asyncio.run(go())


def test_a_worst_case_is_every_byte_a_token_and_the_longest_answer():
    costs = teacher(budget=1.0, prices=PRICES)
    plain = costs.worst_case(question("é" * 100))
    assert plain == pytest.approx((2.0 * (200 + 32) + 10.0 * 64) / 1e6)
    shown = costs.worst_case(question("é" * 100, pictures=["1.png"]))
    assert shown - plain == pytest.approx(2.0 * (85 + 8 * 170) / 1e6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, r"^teacher\.budget: teacher\.prices says nothing of m-1: input, output, picture, "),
        ({"prices": {"m-1": {"input": 1, "output": 1}}}, r"m-1: picture, tile; add it, or set"),
        ({"prices": PRICES, "request": {"max_tokens": None}}, r"^teacher\.budget: .* no limit"),
        ({"prices": PRICES, "budget": 0}, r"^teacher\.budget is 0: set it to more than 0"),
    ],
)
def test_a_budget_that_nobody_can_keep_is_refused_at_once(changes, message):
    with pytest.raises(InputError, match=message):
        teacher(**{"budget": 1.0, **changes})


@pytest.mark.parametrize(
    "price",
    [
        {"input": 1.0},
        {"input": 1.0, "output": "2"},
        {"input": 1.0, "output": -2.0},
        {"input": 1.0, "output": 2.0, "image": 85},
        {"input": 1.0, "output": 2.0, "picture": 85},
        5.0,
    ],
)
def test_a_price_that_could_not_be_counted_is_refused_before_anything_is_paid(price):
    with pytest.raises(
        InputError, match=r"^teacher\.prices\.m-1: it needs numbers of 0 or more for i"
    ):
        teacher(prices={"m-1": price})
    assert teacher(prices={"other": price}).price is None


def test_it_holds_against_a_server(server, tmp_path, png):
    def reply(handler, *_):
        usage = {"prompt_tokens": 40, "completion_tokens": 64}
        body = json.loads(server.completion({"content": "A chain."})) | {"usage": usage}
        handler.send(200, json.dumps(body).encode())

    server.reply = reply
    asking = teacher(budget=0.008, prices=PRICES, concurrency=4)
    with pytest.raises(InputError, match=r"^teacher\.budget=0\.008: "):
        run(examples(9), asking, Record(tmp_path / "r.jsonl"))
    spent = Record(tmp_path / "r.jsonl").spent(PRICES["m-1"])
    assert spent == pytest.approx(len(server.received) * 0.00072)
    assert 0.004 < spent <= 0.008
