"""How a server's replies are read: answers in all their forms, and complaints with their reason.

A complaint is one of three kinds: worth another try, about this request alone, or about all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mmie.distil.answer import Answer, State

Verdict = Literal["retry", "refused", "stop"]

FOR_ALL = {
    401,
    402,
    403,
    404,
    405,
    407,
    410,
}  # key, credit, address or model: no other request fares better
LATER = {408, 409, 425, 429}
COMPLAINTS = ("error", "errors", "detail", "message", "msg", "error_msg", "base_resp")
TEXT_PARTS = {"text", "output_text"}
CUT = {"length", "max_tokens", "max_output_tokens", "model_length"}
REFUSED = re.compile(
    r"content_filter|refusal|safety|recitation|prohibited|block|spii|sensitive|moderation"
)
FAILED = {"error", "network_error", "abort", "failed"}  # the server ended the answer, not the model

_CONTENT = re.compile(
    r"content[_ -]?(filter|policy|management)|responsible.?ai|safety|moderation|flagged"
)
_SET_UP = re.compile(  # some servers say with status 200 or 400 what others say with 401, 402 or 404
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
        verdict: ``retry``: another try may help; ``refused``: this request will not be answered,
            others may; ``stop``: no request will be.
        reason: the server's own words, after the status where it is an error.
        by_content: refused for what it says or shows.
        field: the request option that the server does not take, "" where it is something else.
    """

    verdict: Verdict
    reason: str
    by_content: bool = False
    field: str = ""


def read_reply(status: int, body: bytes, *, options: Collection[str]) -> Answer | Complaint:
    """The first choice of a chat completion, or what the server says instead of one.

    Args:
        status: of HTTP.
        body: as it came.
        options: names of the request's fields besides model and messages.
    """
    reply = _json(body)
    answer = _answer(reply) if status < 400 else None
    if answer is not None:
        return answer
    error = _error_in(reply)
    if error is None and status < 400:
        return Complaint("retry", f"a body that is no chat completion: {_folded(body)}")
    return _judged(status, error, body, options=options)


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
    """The text of a message or of its text parts, joined; None where it is something else."""
    if content is None:
        return ""
    if isinstance(content, Mapping):
        content = [content]
    if isinstance(content, list):
        content = "".join(_part(part) for part in content)
    if not isinstance(content, str):
        return None
    return content.encode(
        errors="replace"
    ).decode()  # half a character would break every later file


def _part(part: Any) -> str:
    """The text of one part; "" where it is thinking or something else than text."""
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("type", "text") not in TEXT_PARTS:
        return ""
    text = part.get("text")
    if isinstance(text, Mapping):
        text = text.get("value")
    return text if isinstance(text, str) else ""


def _error_in(reply: Any) -> Any | None:
    """What stands where servers put their complaints; None where nothing does."""
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


def _judged(status: int, error: Any, body: bytes, *, options: Collection[str]) -> Complaint:
    fields = error if isinstance(error, Mapping) else {"message": error}
    message = _folded(fields.get("message") or error or body)
    facts = [str(fields.get(name) or "") for name in ("code", "type", "param")]
    words = " ".join([*facts, str(fields.get("message") or error or "")]).lower()
    if status < 400:
        status = _status_in(fields)
    reason = f"{status} - {message}" if status else message
    if (
        status not in FOR_ALL - {403}
        and status not in LATER
        and status < 500
        and _CONTENT.search(words)
    ):
        return Complaint("refused", reason, by_content=True)
    unsupported = _field(words, options) if status in (0, 400, 422) else ""
    if unsupported:
        return Complaint("stop", reason, field=unsupported)
    return Complaint(_verdict(status, words), reason)


def _status_in(fields: Mapping[str, Any]) -> int:
    """The status that an error in a reply of status 200 names; 0 where it names none."""
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


def _field(words: str, options: Collection[str]) -> str:
    """The first of the options that the server says it does not take."""
    if not _UNSUPPORTED.search(words):
        return ""
    return next(
        (name for name in options if re.search(rf"\b{re.escape(name.lower())}\b", words)), ""
    )


def _folded(said: Any) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return " ".join((text if isinstance(text, str) else json.dumps(text)).split()) or "(nothing)"
