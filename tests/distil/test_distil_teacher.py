from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.teacher_server import ask, refused, teacher
from mmie.distil import connection
from mmie.errors import InputError


def test_the_server_gets_model_parameters_key_and_text(server):
    assert ask(teacher(), prompt="What is it? ☃") == "Fine."
    message = {"role": "user", "content": [{"type": "text", "text": "What is it? ☃"}]}
    assert server.received == [
        {"model": "m-1", "temperature": 0.7, "max_tokens": 64, "messages": [message]}
    ]
    assert server.paths == [("/v1/chat/completions", "Bearer test-key")]


@pytest.mark.parametrize("fault", ["429", "500", "half a body", "nothing", "nonsense"])
def test_a_fault_is_asked_again(server, fault):
    def reply(handler, _, number):
        server.fail(handler, fault) if number == 1 else server.complete(handler, "Better.")

    server.reply = reply
    assert ask(teacher(max_retries=1)) == "Better."
    assert len(server.received) == 2


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("401", "401 - not now"),
        ("429", "429 - not now"),
        ("503", "503 - not now"),
        ("half a body", "peer closed connection"),
        ("nothing", "Server disconnected"),
        ("an empty body", "not a chat completion: (nothing)"),
        ("a page", "not a chat completion"),
        ('{"choices": [', "not a chat completion"),
        ("null", "not a chat completion"),
        ('{"choices": []}', "not a chat completion"),
        ('{"choices": null}', "not a chat completion"),
        ('{"choices": [{"index": 0}]}', "not a chat completion"),
        ('{"choices": [{"message": "text"}]}', "not a chat completion"),
        ('{"choices": [{"message": {"content": 5}}]}', "not a chat completion"),
        ("[" * 100_000, "not a chat completion"),
    ],
)
def test_a_fault_that_stays_is_one_line_with_server_reason_and_way_out(server, fault, reason):
    server.reply = lambda handler, *_: server.fail(handler, fault)
    message = refused(teacher())
    assert message.startswith(f"teacher m-1 at {server.address}: ")
    assert reason in message
    assert "OPENAI_BASE_URL" in message
    assert "test-key" not in message


def test_the_reason_is_cut(server):
    server.reply = lambda handler, *_: handler.send(
        404, b'{"error": {"message": "' + b"long " * 1000 + b'"}}'
    )
    assert len(refused(teacher())) < 500


def test_retries_of_nonsense_are_bounded(server):
    server.reply = lambda handler, *_: server.fail(handler, "nonsense")
    assert "not a chat completion: nonsense" in refused(teacher(max_retries=1))
    assert len(server.received) == 2


def test_nobody_at_the_address(server, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv(
            "OPENAI_BASE_URL", f"http://user:secret@127.0.0.1:{taken.getsockname()[1]}/v1"
        )
        message = refused(teacher())
    assert "Connection error" in message
    assert "secret" not in message


def test_half_a_character_is_made_whole(server):
    server.reply = lambda handler, *_: server.complete(handler, "a \ud83d b 😀")
    assert ask(teacher()) == "a ? b 😀"


@pytest.mark.parametrize("key", [None, "", "  \n", "ключ"])
def test_a_missing_key_is_named_when_it_is_needed(server, monkeypatch, key):
    monkeypatch.delenv("MY_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("MY_KEY", key)
    unused = teacher(api_key_env="MY_KEY")
    assert "MY_KEY" in refused(unused)
    assert server.received == []


@pytest.mark.parametrize(
    "address", ["nonsense", "ftp://host/v1", "http://host:port/v1", "http://[::1/v1", "http:///v1"]
)
def test_a_bad_address_names_its_variable(server, monkeypatch, address):
    monkeypatch.setenv("MY_URL", address)
    assert "variable MY_URL is not the address" in refused(teacher(base_url_env="MY_URL"))


def test_without_an_address_it_is_openai(monkeypatch):
    monkeypatch.delenv("MY_URL", raising=False)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")

    async def host():
        openai_teacher = teacher(base_url_env="MY_URL")
        server = openai_teacher._connect().server
        await openai_teacher.close()
        return server

    assert asyncio.run(host()) == "api.openai.com"


def test_a_picture_that_is_missing_or_none_is_named(server, tmp_path):
    note = tmp_path / "note.png"
    note.write_text("no picture")
    assert str(note) in refused(teacher(), pictures=[note])
    assert "missing.png" in refused(teacher(), pictures=[Path("missing.png")])
    assert server.received == []


def test_it_can_be_asked_again_after_close(server):
    openai_teacher = teacher()
    assert [ask(openai_teacher), ask(openai_teacher)] == ["Fine.", "Fine."]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("concurrency", 0),
        ("max_retries", -1),
        ("timeout", 0),
        ("max_refused", 1.1),
        ("max_pixels", 99),
    ],
)
def test_a_value_out_of_range_is_named(key, value):
    with pytest.raises(InputError, match=rf"^teacher\.{key} is {value}: set it to "):
        teacher(**{key: value})


@pytest.mark.parametrize(
    ("key", "printed"), [("none", "none is known"), ("none is known", "<key>")]
)
def test_only_a_key_that_can_be_a_secret_is_taken_out_of_a_reason(key, printed):
    assert connection._printable("none is known", key) == printed


WITHOUT_OPENAI = """
import json, sys
from pathlib import Path
sys.modules["openai"] = sys.modules["httpx2"] = None
import mmie.tasks.jmere.toy_teacher
from mmie.distil.record import Record
from mmie.distil.teacher import OpenAITeacher, Request
from mmie.distil.zero_shot import run_zero_shot
from mmie.types import Example

teacher = OpenAITeacher(
    model="m", temperature=1, max_tokens=1, concurrency=1, max_retries=0, timeout=1
)
example = Example("train-0", "A tweet", (), ())
path = Path(sys.argv[1])
key = Record(path).key(teacher, Request("answer", example, 0, "recorded"))
path.write_text(json.dumps({"key": key, "answer": "From the record."}) + "\\n")
for prompt in ("recorded", "new"):
    [answer] = run_zero_shot(
        [example], teacher, Record(path), prompt=lambda _: prompt, progress=lambda _: None
    )
    print(answer.text)
"""


def test_without_openai_only_a_request_that_is_sent_fails(tmp_path):
    command = [sys.executable, "-c", WITHOUT_OPENAI, str(tmp_path / "record.jsonl")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.stdout == "From the record.\n"
    assert run.stderr.split("\n")[-2] == (
        "mmie.errors.InputError: teacher m: the package httpx2 is missing; "
        "install it with `pip install openai httpx2`; then run again: "
        f"the answers so far are kept in {tmp_path / 'record.jsonl'}"
    )
