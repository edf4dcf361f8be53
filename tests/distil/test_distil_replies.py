"""Replies that real servers give, standard and not."""

from __future__ import annotations

import json

import pytest

from mmie.distil.answer import Answer
from mmie.distil.replies import Complaint, read_reply

OPTIONS = ("temperature", "max_tokens")


def read(reply, status=200):
    return read_reply(status, json.dumps(reply).encode(), options=OPTIONS)


def completion(content, finish="stop", **more):
    return {"choices": [{"message": {"content": content, **more}, "finish_reason": finish}]}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Fine."}], "Fine."),
        (
            [{"type": "thinking", "text": "Hm."}, {"type": "text", "text": "Fi"}, {"text": "ne."}],
            "Fine.",
        ),
        ([{"type": "reasoning", "text": "Hm."}, "Fine."], "Fine."),
        ([{"type": "output_text", "text": "Fine."}, {"type": "text", "text": None}, 5], "Fine."),
        ({"type": "text", "text": "Fine."}, "Fine."),
        ([{"type": "text", "text": {"value": "Fine."}}], "Fine."),
    ],
)
def test_text_parts_are_joined_without_the_thinking(content, text):
    assert read(completion(content)).text == text


@pytest.mark.parametrize(
    ("reply", "state", "text"),
    [
        (completion("Step 1: all"), "whole", "Step 1: all"),
        (completion("Step 1: all", None), "whole", "Step 1: all"),
        (completion("Step 1: a", "length"), "cut", "Step 1: a"),
        (completion(None, "length"), "cut", ""),
        (completion(None), "empty", ""),
        (completion(" \n"), "empty", " \n"),
        (completion([]), "empty", ""),
        (completion([{"type": "thinking", "thinking": "Hm."}]), "empty", ""),
        (completion("Step", "content_filter"), "refused", "Step"),
        (completion(None, "refusal"), "refused", ""),
        (completion(None, refusal="I cannot."), "refused", ""),
        (completion("Fine.", refusal=None), "whole", "Fine."),
        (completion("Step", "MAX_TOKENS"), "cut", "Step"),
        (completion("Step", "max_output_tokens"), "cut", "Step"),
        (completion(None, "PROHIBITED_CONTENT"), "refused", ""),
        (completion(None, "RECITATION"), "refused", ""),
        (completion("Fine.", {"type": "stop"}), "whole", "Fine."),
    ],
)
def test_an_answer_has_a_state_and_keeps_its_text(reply, state, text):
    answer = read(reply)
    assert isinstance(answer, Answer)
    assert (answer.state, answer.text, answer.final) == (state, text, True)
    assert answer.usable == (text if state == "whole" else "")


def test_what_the_server_says_beside_the_answer_is_kept():
    usage = {"prompt_tokens": 3, "completion_tokens": 5}
    reply = {**completion("Fine."), "usage": usage, "model": "m-1-0613"}
    assert read(reply).details == {
        "finish_reason": "stop",
        "usage": usage,
        "served_model": "m-1-0613",
    }
    assert read(completion(None, refusal="I cannot.")).details["reason"] == "I cannot."


@pytest.mark.parametrize(
    ("status", "error", "verdict"),
    [
        (200, {"message": "Insufficient credits", "code": 402}, "stop"),
        (200, {"message": "Insufficient credits"}, "stop"),
        (200, {"message": "Incorrect API key provided"}, "stop"),
        (200, {"message": "Provider overloaded", "code": "503"}, "retry"),
        (200, {"message": "Rate limit exceeded", "type": "rate_limit"}, "retry"),
        (200, {"message": "Something broke"}, "retry"),
        (200, "Something broke", "retry"),
        (200, {"message": "prompt is too long", "type": "invalid_request_error"}, "refused"),
        (200, {"message": "flagged by moderation", "code": 403}, "refused"),
        (400, {"message": "prompt is too long"}, "refused"),
        (400, {"message": "Your credit balance is too low"}, "stop"),
        (400, {"message": "API key not valid"}, "stop"),
        (400, {"message": "Unsupported image format"}, "refused"),
        (413, {"message": "too large"}, "refused"),
        (422, {"message": "no"}, "refused"),
        (451, {"message": "no"}, "refused"),
        (401, {"message": "no"}, "stop"),
        (402, {"message": "no"}, "stop"),
        (403, {"message": "no"}, "stop"),
        (404, {"message": "no"}, "stop"),
        (408, {"message": "no"}, "retry"),
        (429, {"message": "You exceeded your quota", "code": "insufficient_quota"}, "retry"),
        (500, {"message": "content_filter crashed"}, "retry"),
        (529, {"message": "Overloaded"}, "retry"),
    ],
)
def test_a_complaint_is_of_one_kind_and_keeps_its_reason(status, error, verdict):
    for reply in ({"error": error, "choices": None}, {"error": error}, {"detail": error}):
        complaint = read(reply, status)
        assert isinstance(complaint, Complaint)
        assert complaint.verdict == verdict
        assert (error if isinstance(error, str) else error["message"]) in complaint.reason


def test_a_complaint_inside_a_choice_keeps_its_reason():
    choice = {
        "message": {"content": ""},
        "finish_reason": "error",
        "error": {"code": 502, "message": "Upstream died"},
    }
    assert read({"choices": [choice]}) == Complaint("retry", "502 - Upstream died")


@pytest.mark.parametrize(
    "error",
    [
        {"code": "content_filter", "message": "no"},
        {"code": "content_policy_violation", "message": "no"},
        {"message": "The response was filtered by our content management policy"},
    ],
)
def test_what_is_refused_for_its_content_is_known_as_such(error):
    complaint = read({"error": error}, 400)
    assert (complaint.verdict, complaint.by_content) == ("refused", True)
    assert not read({"error": {"message": "prompt is too long"}}, 400).by_content


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (
            "Unsupported parameter: 'max_tokens' is not supported; "
            "use 'max_completion_tokens' instead.",
            "max_tokens",
        ),
        ("Unsupported value: 'temperature' does not support 0.7 with this model.", "temperature"),
        ("Extra inputs are not permitted: body.max_tokens", "max_tokens"),
        ("'max_tokens' is too large: 1024. This model's context length is 512.", ""),
        ("unsupported image", ""),
    ],
)
def test_an_option_that_the_server_does_not_take_is_named(message, field):
    complaint = read({"error": {"message": message}}, 400)
    assert (complaint.field, complaint.verdict) == (field, "stop" if field else "refused")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"\xff",
        b"null",
        b"[]",
        b"[" * 100_000,
        b'{"choices": null}',
        b'{"choices": {}}',
    ],
)
def test_a_body_that_says_nothing_is_shown(body):
    complaint = read_reply(200, body, options=OPTIONS)
    assert complaint.verdict == "retry"
    assert "not a chat completion" in complaint.reason
    assert read_reply(500, body, options=OPTIONS).reason.startswith("500 - ")


def test_reading_takes_time_in_proportion_to_the_size():
    for letter in ("[", "<think>", "insufficient ", "\n", " api key "):
        body = json.dumps({"error": {"message": letter * 100_000}}).encode()
        assert read_reply(400, body, options=OPTIONS).reason


@pytest.mark.parametrize("finish", ["error", "network_error", "abort"])
def test_an_answer_that_the_server_broke_off_is_asked_again(finish):
    reply = read(completion("Step 1: hal", finish))
    assert isinstance(reply, Complaint)
    assert reply.verdict == "retry"


def test_an_error_beside_half_an_answer_is_told():
    reply = completion("Step 1: hal")
    reply["choices"][0]["error"] = {"message": "upstream is gone", "code": 502}
    assert read(reply) == Complaint("retry", "502 - upstream is gone")


@pytest.mark.parametrize(
    ("status", "reply", "verdict", "reason"),
    [
        (400, [{"error": {"code": 400, "message": "API key not valid."}}], "stop", "API key not"),
        (400, {"errors": [{"message": "API key not valid."}]}, "stop", "API key not valid"),
        (200, {"code": 1113, "msg": "insufficient balance"}, "stop", "insufficient balance"),
        (200, {"base_resp": {"status_msg": "insufficient balance"}}, "stop", "balance"),
        (400, {"message": "The model `x` does not exist."}, "stop", "The model `x`"),
    ],
)
def test_complaints_are_found_wherever_servers_put_them(status, reply, verdict, reason):
    complaint = read(reply, status)
    assert isinstance(complaint, Complaint)
    assert (complaint.verdict, reason in complaint.reason) == (verdict, True)
    assert "not a chat completion" not in complaint.reason
