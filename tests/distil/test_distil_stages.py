"""The stages that ask the teacher, against a server on loopback."""

from __future__ import annotations

import json
import re
import shutil
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from helpers.batch_api import BatchAPI
from helpers.configured import run_config
from mmie.errors import InputError
from mmie.pipeline import execute
from mmie.stages import progress as module
from mmie.stages.progress import progress

pytestmark = pytest.mark.usefixtures("no_pictures")

SMALL = [
    "data.sizes={train: 6, val: 2, test: 4}",
    "logger=none",
    "trainer.threads=1",
    "evaluation.bootstrap_samples=20",
]
REAL = ["teacher=openai", "teacher.max_retries=0", "teacher.concurrency=2"]
DISTIL = [*REAL, "stages=[distil]", "cot.candidates=2"]


def go(folder, *overrides):
    config = run_config(*SMALL, *overrides, artifacts=folder / "artifacts")
    (folder / "out").mkdir(exist_ok=True)
    return json.loads(execute(config, folder / "out").read_text(encoding="utf-8"))


def texts(folder, split):
    path = next((folder / "artifacts/data").glob(f"*/{split}.jsonl"))
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def only(folder, pattern):
    (path,) = (folder / "artifacts").glob(pattern)
    return path


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def refusing(server, text):
    def reply(handler, question, _):
        prompt = question["messages"][0]["content"][-1]["text"]
        if text in prompt:
            return handler.send(
                400, b'{"error": {"message": "filtered", "code": "content_filter"}}'
            )
        return server.complete(handler, "A chain." if "The 5-tuple is" in prompt else "Score: 0.9")

    return reply


def test_a_refused_sample_is_skipped_counted_and_listed(server, tmp_path, capsys):
    go(tmp_path, "stages=[data]")
    sample = texts(tmp_path, "train")[2]
    server.reply = refusing(server, sample["text"])
    with pytest.raises(
        InputError,
        match=r"2 of 32 requests were refused .*400 - filtered.*teacher\.max_refused=0\.05",
    ):
        go(tmp_path, *DISTIL, "teacher.max_refused=0.05")
    assert len(server.received) == 32
    capsys.readouterr()
    go(tmp_path, *DISTIL)
    assert len(server.received) == 32
    listed = lines_of(only(tmp_path, "distil/*/unanswered.jsonl"))
    assert {(row["example_id"], row["state"], row["reason"]) for row in listed} == {
        (sample["id"], "refused", "400 - filtered")
    }
    counts = json.loads(only(tmp_path, "distil/*/requests.json").read_text())
    counts.pop("purposes")
    assert counts == {"asked": 0, "reused": 32, "cut": 0, "refused": 2, "failed": 0, "empty": 0}
    candidates = lines_of(only(tmp_path, "distil/*/candidates.jsonl"))
    assert [row["chain"] for row in candidates if row["example_id"] == sample["id"]] == ["", ""]
    assert sum(row["chain"] == "A chain." for row in candidates) == 10
    told = capsys.readouterr().out
    assert "2 refused" in told
    assert str(only(tmp_path, "distil/*/unanswered.jsonl")) in told
    assert "36 of 36" in told  # requests, and no terminal is needed to see them
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert results["notes"]["unanswered"] == {"distil": {"refused": 2}}
    assert (results["cost"]["requests"], results["cost"]["tokens"]) == (32, None)


def counted(server, text, *, finish="stop"):
    choice = {"finish_reason": finish, "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}
    return json.dumps({"model": "m", "choices": [choice], "usage": usage}).encode()


def test_results_tell_what_the_teacher_cost_and_paid_text_is_kept(server, tmp_path, capsys):
    def reply(handler, question, number):
        text = "A chain." if "The 5-tuple is" in str(question["messages"]) else "Score: 0.9"
        finish = "length" if number == 1 else "stop"
        handler.send(200, counted(server, text, finish=finish))

    server.reply = reply
    overrides = [*DISTIL, "teacher.concurrency=1", "cot.candidates=1"]
    found = go(tmp_path, *overrides)
    cost = {"prompt_tokens": 1000, "answer_tokens": 100, "dollars": 0.0035, "paid": 0.0035}
    asked = {"distil": 6, "repredict": 5, "score": 5}
    purposes = {
        name: {"asked": n, **{k: v * n for k, v in cost.items()}} for name, n in asked.items()
    }
    rounded = {
        name: {key: round(value, 6) for key, value in spent.items()}
        for name, spent in found["cost"].pop("purposes").items()
    }
    assert rounded == purposes
    assert found["cost"] == {
        "requests": 16,
        "tokens": 16 * 1100,
        "dollars": pytest.approx(16 * 0.0035),
        "paid": pytest.approx(16 * 0.0035),
    }
    assert found["notes"]["unanswered"] == {"distil": {"cut": 1}}
    record = lines_of(only(tmp_path, "record/*.jsonl"))
    (cut,) = (line for line in record if line["state"] == "cut")
    assert (cut["answer"], cut["finish_reason"]) == ("A chain.", "length")
    told = capsys.readouterr().out
    assert "16,000 tokens in, 1,600 out, $0.06" in told
    assert re.search(r"^ ?all +16 +0 +16,000 +0 +1,600 +\$0.06 +\$0.06", told, re.MULTILINE)
    again = go(tmp_path, *overrides)
    assert again["notes"] == found["notes"]
    assert (again["cost"]["dollars"], again["cost"]["paid"]) == (found["cost"]["dollars"], 0.0)
    assert again["cost"]["purposes"]["distil"]["reused"] == 6
    assert len(server.received) == 16


def test_batches_cost_half_and_give_the_same_candidates(server, tmp_path, capsys):
    def text_for(question):
        return "A chain." if "The 5-tuple is" in str(question["messages"]) else "Score: 0.9"

    server.reply = lambda handler, asked, _: handler.send(200, counted(server, text_for(asked)))
    server.batch_api = BatchAPI(lambda asked: (200, json.loads(counted(server, text_for(asked)))))
    for name in ("online", "batch"):
        (tmp_path / name).mkdir()
        mode = [f"teacher.mode={name}", "teacher.batch_interval=0.01", "cot.candidates=1"]
        go(tmp_path / name, *DISTIL, *mode)
    files = [only(tmp_path / name, "distil/*/candidates.jsonl") for name in ("online", "batch")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].parent.name == files[1].parent.name  # how it is asked is part of no key
    costs = [
        json.loads((tmp_path / name / "out/results.json").read_text())["cost"]
        for name in ("online", "batch")
    ]
    assert costs[1]["paid"] == pytest.approx(costs[0]["paid"] / 2)
    assert costs[1]["tokens"] == costs[0]["tokens"]
    assert "18 of 18" in capsys.readouterr().out


def test_a_stage_of_an_earlier_version_leaves_its_cost_unknown(tmp_path):
    overrides = ["stages=[distil]", "cot.candidates=1"]
    assert go(tmp_path, *overrides)["cost"]["dollars"] == 0.0
    path = only(tmp_path, "distil/*/requests.json")
    path.write_text('{"asked": 18, "reused": 0, "cut": 0, "refused": 0, "empty": 0}')
    meta = json.loads(path.with_name("meta.json").read_text())
    del meta["files"]["requests.json"]
    path.with_name("meta.json").write_text(json.dumps(meta))
    cost = go(tmp_path, *overrides)["cost"]
    assert cost == {"requests": 18, "tokens": None, "dollars": None}


def test_where_no_chain_is_left_it_says_where_the_answers_are(server, tmp_path):
    server.reply = lambda handler, *_: server.complete(handler, "<answer>no chain</answer>")
    with pytest.raises(InputError) as raised:
        go(tmp_path, *REAL, "stages=[filter]", "cot.candidates=1", "filter=[reprediction]")
    path = re.search(r"read what the teacher wrote in (\S+)", str(raised.value))[1]
    assert len(lines_of(Path(path))) == 6


def test_the_advice_about_a_broken_chain_works(tmp_path):
    go(tmp_path, "stages=[filter]", "filter=[]")
    path = only(tmp_path, "filter/*/chosen.jsonl")
    whole = path.read_bytes()
    path.write_bytes(whole + b"{\n")
    training = ["stages=[sft]", "filter=[]", "sft.epochs=1", "sft.batch_size=2"]
    training.append("sft.micro_batch_size=2")
    with pytest.raises(InputError, match=r"damaged \(chosen\.jsonl .*delete the folder") as raised:
        go(tmp_path, *training)
    shutil.rmtree(str(raised.value).split(": this finished work")[0])
    go(tmp_path, "stages=[filter]", "filter=[]")
    assert path.read_bytes() == whole


def test_the_teacher_has_a_row_of_its_own(server, tmp_path):
    go(tmp_path, "stages=[data]")
    gold = {row["text"]: row["gold"] for row in texts(tmp_path, "test")}
    right, refused, *_ = gold

    def reply(handler, question, _):
        prompt = question["messages"][0]["content"][-1]["text"]
        assert prompt.endswith("Output only the answer, without any other text.")
        if refused in prompt:
            return handler.send(
                400, b'{"error": {"message": "filtered", "code": "content_filter"}}'
            )
        told = ", ".join(f"[{', '.join(quintuple)}]" for quintuple in gold[right])
        return server.complete(handler, told if right in prompt else "[]")

    server.reply = reply
    overrides = [
        "+experiment=zero_shot_teacher",
        *REAL,
        "teacher.model=other/m-1",
        "teacher.max_refused=0.3",
    ]
    found = go(tmp_path, *overrides)
    assert found["notes"]["unanswered"] == {"other/m-1": {"refused": 1}}
    assert (found["cost"]["requests"], found["cost"]["dollars"]) == (4, None)
    assert list(found["systems"]) == ["other/m-1"]
    assert found["systems"]["other/m-1"]["test/quintuple"]["correct"] == len(gold[right])
    assert len(lines_of(tmp_path / "out/predictions/other-m-1.jsonl")) == 4
    assert len(server.received) == 4
    assert go(tmp_path, *overrides)["stages"]["evaluate other/m-1"]["cached"]
    shutil.rmtree(tmp_path / "artifacts/evaluate")
    assert go(tmp_path, *overrides)["systems"] == found["systems"]
    assert len(server.received) == 4


def test_a_toy_teacher_is_not_evaluated(tmp_path):
    with pytest.raises(
        InputError, match=r"^zero_shot\.systems: this teacher knows the right answers"
    ):
        go(tmp_path, "+experiment=zero_shot_teacher")


def test_an_unknown_system_is_named(tmp_path):
    with pytest.raises(InputError, match=r"^zero_shot\.systems: 'pupil' is unknown"):
        go(tmp_path, "zero_shot.systems=[pupil]")


def test_request_options_can_be_typed():
    config = run_config(
        "teacher=openai", "teacher.request={max_tokens: null, max_completion_tokens: 64}"
    )
    assert config.teacher["request"] == {"max_tokens": None, "max_completion_tokens": 64}


def test_a_terminal_shows_the_ledger_under_the_bar():
    console = Console(file=StringIO(), force_terminal=True, width=80)
    with progress(console, "asking", 5, lambda: "9 tokens in, 3 out, $0.10") as advance:
        advance(2)
    shown = console.file.getvalue()
    assert "2/5" in shown
    assert "9 tokens in, 3 out, $0.10" in shown


def test_a_line_without_a_terminal_has_the_ledger_as_well(capsys):
    with progress(Console(), "asking", 5, lambda: "$0.10") as advance:
        advance(2)
    assert capsys.readouterr().out == "asking: 2 of 5 after 0 s; $0.10\n"


def test_a_bar_that_goes_on_begins_where_the_earlier_run_ended():
    console = Console(file=StringIO(), force_terminal=True, width=80)
    with progress(console, "updates", 5, done=3) as advance:
        advance(1)
    assert "4/5" in console.file.getvalue()


def test_the_end_is_not_said_twice(monkeypatch, capsys):
    clock = iter([0, 61, 61, 62])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    with progress(Console(), "asking", 2) as advance:
        advance(2)
    assert capsys.readouterr().out == "asking: 2 of 2 after 1 min\n"


def test_without_a_terminal_there_is_one_line_per_period_and_a_last_one(monkeypatch, capsys):
    clock = iter([0, 20, 61, 70, 125, 130, 131, 132])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    with progress(Console(), "asking [m]", 5) as advance:
        advance(1)
        advance(2)
        advance(1)
    assert capsys.readouterr().out.splitlines() == [
        "asking [m]: 3 of 5 after 1 min",
        "asking [m]: 4 of 5 after 2 min",
    ]
