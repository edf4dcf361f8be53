"""Reads a server's replies: answers in all their forms, and complaints with their reason.

Servers that claim to speak OpenAI's protocol differ most in their errors, so these are recognised
by status and by words. A complaint is of one of three kinds: another try may help, it concerns this
request alone, or it concerns all requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mmie.distil.answer import Answer, State

Verdict = Literal["retry", "refused", "stop"]

# Statuses about key, credit, address or model: no other request would succeed.
FOR_ALL = {401, 402, 403, 404, 405, 407, 410}
LATER = {408, 409, 425, 429}
# Names under which servers put their complaints.
COMPLAINTS = ("error", "errors", "detail", "message", "msg", "error_msg", "base_resp")
TEXT_PARTS = {"text", "output_text"}
# Reasons for which an answer ended, as different servers name them.
CUT = {"length", "max_tokens", "max_output_tokens", "model_length"}
REFUSED = re.compile(
    r"content_filter|refusal|safety|recitation|prohibited|block|spii|sensitive|moderation"
)
FAILED = {"error", "network_error", "abort", "failed"}  # the server ended the answer, not the model

_CONTENT = re.compile(
    r"content[_ -]?(filter|policy|management)|responsible.?ai|safety|moderation|flagged"
)
# Some servers say with status 200 or 400 what others say with 401, 402 or 404.
_SET_UP = re.compile(
    r"insufficient.?(quota|credit|fund|balance)|credit balance|billing|payment required"
    r"|(invalid|incorrect|missing|no) api.?key|api.?key (is )?(invalid|not valid|missing)"
    r"|model.?not.?found|no such model|model .{0,100}does not exist|authentication|unauthori[sz]ed"
)
_BAD_REQUEST = re.compile(
    r"invalid.?request|bad.?request|too long|too large|context.?length|invalid.?image"
)
_UNSUPPORTED = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown|extra inputs|not permitted|unexpected"
)


@dataclass(frozen=True)
class Complaint:
    """A reply without an answer.

    Attributes:
        verdict: ``retry`` if another try may help, ``refused`` if this request will not be
            answered but others may be, ``stop`` if no request will be answered.
        reason: the server's own words, after the status if it is an error.
        by_content: whether it was refused for what it says or shows.
        field: the request option that the server does not accept; "" for any other reason.
        lone: whether the fault may lie in this request alone if no further try helps.
    """

    verdict: Verdict
    reason: str
    by_content: bool = False
    field: str = ""
    lone: bool = False


def read_reply(status: int, body: bytes, *, options: Collection[str]) -> Answer | Complaint:
    """The first choice of a chat completion, or the server's complaint instead of one.

    Args:
        status: of the HTTP response.
        body: of the response, unchanged.
        options: names of the request's fields besides model and messages.
    """
    reply = _json(body)
    answer = _answer(reply) if status < 400 else None
    if answer is not None:
        return answer
    error = _error_in(reply)
    if error is None and status < 400:
        return Complaint("retry", f"the reply is not a chat completion: {_one_line(body)}")
    return _complaint(status, error, body, options=options)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _answer(reply: Any) -> Answer | None:
    try:
        choice = reply["choices"][0]
        message, finish = choice["message"], choice.get("finish_reason")
        ending = str(finish).lower()
        text, refusal = _text(message.get("content")), message.get("refusal")
    except (LookupError, TypeError, AttributeError):
        return None
    if text is None or choice.get("error") or ending in FAILED:
        return None
    facts = {
        "finish_reason": finish,
        "usage": reply.get("usage"),
        "served_model": reply.get("model"),
    }
    details = {name: value for name, value in facts.items() if value is not None}
    state = _state(text, ending, refusal)
    if state == "refused":
        details["reason"] = str(refusal or finish)
    return Answer(text, state, details)


def _state(text: str, ending: str, refusal: Any) -> State:
    if REFUSED.match(ending) or (refusal and not text.strip()):
        return "refused"
    if ending in CUT:
        return "cut"
    return "whole" if text.strip() else "empty"


def _text(content: Any) -> str | None:
    """The text of a message, or of its text parts joined; None for anything else."""
    if content is None:
        return ""
    if isinstance(content, Mapping):
        content = [content]
    if isinstance(content, list):
        content = "".join(_part_text(part) for part in content)
    if not isinstance(content, str):
        return None
    # A lone surrogate, which JSON can hold, would break every file that is written later.
    return content.encode(errors="replace").decode()


def _part_text(part: Any) -> str:
    """The text of one part; "" for the model's thinking and for anything else but text."""
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("type", "text") not in TEXT_PARTS:
        return ""
    text = part.get("text")
    if isinstance(text, Mapping):
        text = text.get("value")
    return text if isinstance(text, str) else ""


def _error_in(reply: Any) -> Any | None:
    """What is found where servers put their complaints; None if there is nothing."""
    if isinstance(reply, list) and reply:
        reply = reply[0]  # Gemini sends its errors in a list
    if not isinstance(reply, Mapping):
        return None
    choices = reply.get("choices")
    inside = choices[0] if isinstance(choices, list) and choices else None
    places = [reply.get(name) for name in COMPLAINTS]
    if isinstance(inside, Mapping):
        places.insert(0, inside.get("error"))
    return next((place for place in places if place), None)


def _complaint(status: int, error: Any, body: bytes, *, options: Collection[str]) -> Complaint:
    fields = error if isinstance(error, Mapping) else {"message": error}
    message = _one_line(fields.get("message") or error or body)
    facts = [str(fields.get(name) or "") for name in ("code", "type", "param")]
    words = " ".join([*facts, str(fields.get("message") or error or "")]).lower()
    if status < 400:
        status = _status_in(fields)
    reason = f"{status} - {message}" if status else message
    if _may_be_about_content(status) and _CONTENT.search(words):
        return Complaint("refused", reason, by_content=True)
    unsupported = _unsupported_option(words, options) if status in (0, 400, 422) else ""
    if unsupported:
        return Complaint("stop", reason, field=unsupported)
    # Other statuses from 500 on speak of gateways and of too much to do, so of all requests.
    return Complaint(_verdict(status, words), reason, lone=status == 500)


def _may_be_about_content(status: int) -> bool:
    """Whether words about safety in such a reply can mean this request's content.

    Some servers answer 403 to forbidden content, others to a wrong key.
    """
    concerns_all = status in FOR_ALL and status != 403
    return not (concerns_all or status in LATER or status >= 500)


def _status_in(fields: Mapping[str, Any]) -> int:
    """The status that an error names inside a reply of status 200; 0 if it names none."""
    for name in ("code", "status", "status_code"):
        text = str(fields.get(name, ""))
        if re.fullmatch(r"[45]\d\d", text):
            return int(text)
    return 0


def _verdict(status: int, words: str) -> Verdict:
    if status in LATER or status >= 500:
        return "retry"
    if status in FOR_ALL or _SET_UP.search(words):
        return "stop"
    return "refused" if status or _BAD_REQUEST.search(words) else "retry"


def _unsupported_option(words: str, options: Collection[str]) -> str:
    """The first of the options of which the server says that it does not accept it; else ""."""
    if _UNSUPPORTED.search(words):
        for name in options:
            if re.search(rf"\b{re.escape(name.lower())}\b", words):
                return name
    return ""


def _one_line(reply: Any) -> str:
    text = reply.decode(errors="replace") if isinstance(reply, bytes) else reply
    return " ".join((text if isinstance(text, str) else json.dumps(text)).split()) or "(nothing)"
