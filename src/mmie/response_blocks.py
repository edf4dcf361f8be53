"""The think and answer blocks of a response, however carelessly they are written."""

from __future__ import annotations

import re

_TAG = re.compile(r"<\s*+(/?)\s*+(think|answer)\s*+>", re.IGNORECASE)


def answer_text(text: str) -> str:
    """The last answer block, up to the end where it is not closed; without one the text outside of
    the think blocks.

    A closing think tag alone ends a thought that began with the text. A thought without an end
    holds the rest of the text, but for an answer block.
    """
    rest = _outside_thoughts(text)
    tags = [(tag, tag[1] + tag[2].lower()) for tag in _TAG.finditer(rest)]
    opened = [tag.end() for tag, name in tags if name == "answer"]
    start = opened[-1] if opened else 0
    closed = [tag.start() for tag, name in tags if name == "/answer" and tag.start() >= start]
    return rest[start : closed[0] if closed else len(rest)]


def think_text(text: str) -> str:
    """What is inside the first think block, whether both its tags are there or one; "" where
    neither is."""
    tags = {tag[1] + tag[2].lower(): tag for tag in reversed([*_TAG.finditer(text)])}
    if "think" not in tags:
        return text[: tags["/think"].start()].strip() if "/think" in tags else ""
    after = [tag.start() for tag in tags.values() if tag.start() >= tags["think"].end()]
    return text[tags["think"].end() : min(after, default=len(text))].strip()


def _outside_thoughts(text: str) -> str:
    outside: list[str] = []
    start, thinking, answered, resumed = 0, False, False, None
    for tag in _TAG.finditer(text):
        name = tag[1] + tag[2].lower()
        if name == "think" and not thinking:
            outside.append(text[start : tag.start()])
            thinking, resumed = True, None
        elif name == "/think" and (thinking or not answered):
            outside = outside if thinking else []
            thinking, start = False, tag.end()
        elif name == "answer":
            resumed = tag.start()
            answered = answered or not thinking
    if thinking:
        start = len(text) if resumed is None else resumed
    return "\n".join([*outside, text[start:]])
