"""The think and answer blocks of a response, however carelessly they are written."""

from __future__ import annotations

import re

_TAG = re.compile(r"<\s*+(/?)\s*+(think|answer)\s*+>", re.IGNORECASE)


def answer_text(text: str) -> str:
    """The text of the last answer block, or to the end of the text if that is not closed.

    Without an answer block it is the text outside of the think blocks. A closing think tag alone
    ends a thought that began with the text. A thought without an end reaches to the end of the
    text, or to an answer block after it.
    """
    rest = _outside_thoughts(text)
    start, end = 0, len(rest)
    for tag in _TAG.finditer(rest):
        name = _name(tag)
        if name == "answer":
            start, end = tag.end(), len(rest)
        elif name == "/answer" and end == len(rest):
            end = tag.start()
    return rest[start:end]


def has_answer_block(text: str) -> bool:
    """Whether an answer block is opened outside of the think blocks."""
    return any(_name(tag) == "answer" for tag in _TAG.finditer(_outside_thoughts(text)))


def think_text(text: str) -> str:
    """The text of the first think block, even if one of its two tags is missing.

    It is "" if both are missing.
    """
    first = {_name(tag): tag for tag in reversed([*_TAG.finditer(text)])}
    if "think" not in first:
        return text[: first["/think"].start()].strip() if "/think" in first else ""
    start = first["think"].end()
    ends = [tag.start() for tag in first.values() if tag.start() >= start]
    return text[start : min(ends, default=len(text))].strip()


def _name(tag: re.Match[str]) -> str:
    return tag[1] + tag[2].lower()


def _outside_thoughts(text: str) -> str:
    outside: list[str] = []
    start = 0  # of the text that is outside, if we are not thinking
    thinking = answered = False
    resumed: int | None = None  # the last answer tag inside an open thought: it may never close
    for tag in _TAG.finditer(text):
        name = _name(tag)
        if name == "think" and not thinking:
            outside.append(text[start : tag.start()])
            thinking, resumed = True, None
        elif name == "/think" and (thinking or not answered):
            if not thinking:
                outside = []  # the thought began with the text
            thinking, start = False, tag.end()
        elif name == "answer":
            resumed = tag.start()
            answered = answered or not thinking
    if thinking:
        start = len(text) if resumed is None else resumed
    return "\n".join([*outside, text[start:]])
