"""The teacher against servers, proxies and certificates that are not as they should be."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from io import BytesIO

import pytest
from PIL import Image

from helpers.teacher_server import answer, ask, refused, teacher
from mmie.errors import InputError


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:7890", "SOCKS"),
        ("HTTP_PROXY", "ftp://host:1", "ftp"),
        ("HTTP_PROXY", "http://[::1", "port"),
        ("SSL_CERT_FILE", "/nonexistent.pem", "No such file"),
        ("SSL_CERT_FILE", __file__, "certificate"),
    ],
)
def test_what_the_client_stumbles_over_is_one_line(
    server, monkeypatch, recwarn, variable, value, reason
):
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv(variable, value)
    message = refused(teacher())
    assert message.startswith("teacher m-1: cannot make a connection (")
    assert reason in message
    assert variable in message


@pytest.mark.parametrize("host", ["ex\u2603..ample", "xn--\u2603"])
def test_a_host_that_cannot_be_a_name_is_one_line(server, monkeypatch, host):
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://{host}/v1")
    assert "OPENAI_BASE_URL" in refused(teacher())


def test_a_header_that_cannot_be_sent_is_one_line(server, monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "ключ")
    assert "cannot send the request" in refused(teacher(max_retries=3))
    assert server.received == []


def test_the_reason_of_an_error_in_a_good_reply_is_told_and_not_asked_again(server):
    body = {"error": {"message": "Insufficient credits", "code": 402}, "choices": None}
    server.reply = lambda handler, *_: handler.send(200, json.dumps(body).encode())
    assert "402 - Insufficient credits" in refused(teacher(max_retries=3))
    assert len(server.received) == 1


def test_an_error_in_a_good_reply_that_may_pass_is_asked_again(server):
    def reply(handler, _, number):
        if number == 1:
            return handler.send(200, b'{"error": {"message": "Provider overloaded", "code": 503}}')
        return server.complete(handler, "Better.")

    server.reply = reply
    assert ask(teacher(max_retries=1)) == "Better."


@pytest.mark.parametrize(
    ("status", "error", "final"),
    [
        (400, {"message": "no", "code": "content_filter"}, True),
        (400, {"message": "too long"}, False),
        (413, {}, False),
    ],
)
def test_a_refusal_of_one_request_is_an_answer(server, status, error, final):
    server.reply = lambda handler, *_: handler.send(status, json.dumps({"error": error}).encode())
    got = answer(teacher(max_retries=3))
    assert (got.text, got.state, got.final) == ("", "refused", final)
    assert got.details["reason"].startswith(f"{status} - ")
    assert len(server.received) == 1


def test_a_request_at_which_the_server_always_breaks_has_failed_after_its_tries(server):
    server.reply = lambda handler, *_: server.fail(handler, "500")
    got = answer(teacher(max_retries=2))
    assert (got.text, got.state, got.final) == ("", "failed", False)
    assert got.details == {"reason": "500 - not now"}
    assert len(server.received) == 3


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_concerns_every_request_is_an_error_at_once(server, status):
    server.reply = lambda handler, *_: server.fail(handler, str(status))
    assert f"{status} - not now" in refused(teacher(max_retries=3))
    assert len(server.received) == 1


def test_a_key_that_the_server_repeats_is_not_told(server):
    body = b'{"error": {"message": "Incorrect API key provided: test-key"}}'
    server.reply = lambda handler, *_: handler.send(401, body)
    assert "test-key" not in refused(teacher())


def test_the_record_gets_seconds_usage_and_the_model_that_answered(server):
    reply = json.loads(server.completion({"content": "Fine."})) | {"usage": {"total_tokens": 9}}
    server.reply = lambda handler, *_: handler.send(200, json.dumps(reply).encode())
    details = answer(teacher()).details
    assert 0 <= details.pop("seconds") < 5
    assert details == {"finish_reason": "stop", "usage": {"total_tokens": 9}, "served_model": "m"}


def test_request_options_reach_the_server_and_null_takes_one_out(server):
    options = {"max_tokens": None, "max_completion_tokens": 64, "extra": {"top_k": 5}}
    changed = teacher(request=options)
    ask(changed)
    (sent,) = server.received
    assert {name: value for name, value in sent.items() if name != "messages"} == {
        "model": "m-1",
        "temperature": 0.7,
        "max_completion_tokens": 64,
        "extra": {"top_k": 5},
    }
    assert changed.parameters == {
        "temperature": 0.7,
        "max_completion_tokens": 64,
        "extra": {"top_k": 5},
    }
    assert teacher().parameters == {"temperature": 0.7, "max_tokens": 64}


@pytest.mark.parametrize("name", ["model", "messages", "stream", "n"])
def test_options_that_are_not_the_users_are_named(name):
    with pytest.raises(InputError, match=rf"^teacher\.request\.{name}: "):
        teacher(request={name: None})


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ({"temperature": 0.2}, "set teacher.temperature instead"),
        ({"max_tokens": 9}, "set teacher.max_tokens instead"),
        ({"extra_body": {"top_k": 5}}, "put its fields into teacher.request itself"),
    ],
)
def test_an_option_that_clashes_or_would_be_lost_is_refused(option, reason):
    (name,) = option
    with pytest.raises(InputError, match=rf"^teacher\.request\.{name}: .*{reason}$"):
        teacher(request=option)


def test_a_server_that_does_not_take_max_tokens_is_told_the_way_out(server):
    error = {"message": "Unsupported parameter: 'max_tokens' is not supported with this model."}
    server.reply = lambda handler, *_: handler.send(400, json.dumps({"error": error}).encode())
    message = refused(teacher(max_retries=2))
    assert "Unsupported parameter: 'max_tokens'" in message
    assert "teacher.request" in message
    assert len(server.received) == 1


def test_bytes_that_trickle_end_at_the_timeout(server):
    def trickle(handler, *_):
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not server.ended.wait(0.05):
            try:
                handler.wfile.write(b" ")
                handler.wfile.flush()
            except OSError:
                break
        handler.close_connection = True

    server.reply = trickle
    start = time.monotonic()
    got = answer(teacher(timeout=0.3))
    assert (got.state, got.final) == ("failed", False)
    assert got.details["reason"] == "timed out after 0.3 s (teacher.timeout)"
    assert time.monotonic() - start < 4


def test_the_server_says_how_long_to_wait(server):
    def reply(handler, _, number):
        if number == 1:
            return handler.send(
                429, b"{}"
            )  # with Retry-After-Ms: 1; our own pause would be half a second
        return server.complete(handler, "Better.")

    server.reply = reply
    start = time.monotonic()
    assert ask(teacher(max_retries=1)) == "Better."
    assert time.monotonic() - start < 0.45


def test_pictures_keep_their_order_form_and_size_and_a_blank_one_is_left_out(server, tmp_path):
    first, second = tmp_path / "1.bmp", tmp_path / "2.png"
    Image.new("RGB", (40, 20), "red").save(first)
    Image.new("RGB", (400, 200), "blue").save(second)
    ask(teacher(max_pixels=20_000), pictures=[second, None, first])
    *images, text = server.received[0]["messages"][0]["content"]
    assert text == {"type": "text", "text": "What is it?"}
    got = []
    for image in images:
        head, data = image["image_url"]["url"].split(",")
        assert head == "data:image/png;base64"
        decoded = Image.open(BytesIO(base64.b64decode(data)))
        got.append((decoded.size, decoded.getpixel((1, 1))))
    assert got == [((200, 100), (0, 0, 255)), ((40, 20), (255, 0, 0))]


def test_a_half_built_client_can_be_closed(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:7890")
    asyncio.run(teacher().close())
