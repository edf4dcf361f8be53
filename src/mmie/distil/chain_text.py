"""How the teacher's chains and scores are read. ``conf/`` holds the questions.

Every step reads the text a fixed number of times, so the work grows linearly with its length.
"""

from __future__ import annotations

import re

from mmie.text import replace_invalid_characters

_FENCED = re.compile(r"```\w*+[^\S\n]*+\n(.*?)\n?```", re.DOTALL)
# Qwen and DeepSeek write <think>, Gemma <thought>, Magistral [THINK], Kimi ◁think▷.
_THOUGHT = re.compile(r"[<\[◁](?:think(?:ing)?|thought)[>\]▷](.*)", re.DOTALL | re.IGNORECASE)
_THOUGHT_END = re.compile(r"[<\[◁]/(?:think(?:ing)?|thought)[>\]▷]", re.IGNORECASE)
_TAG = re.compile(r"<\s*+(?:/\s*+)?(?:think|answer)\s*+>", re.IGNORECASE)
_SCORE_LINE = re.compile(r"^[-#>\t ]*+score:(.*)$", re.MULTILINE | re.IGNORECASE)


def parse_score(text: str) -> float | None:
    """The number on the last line of the form ``Score: <number>``.

    Markdown's marks, case, a full stop and ``/1.0`` after the number are ignored. A score out of
    another maximum, such as ``8/10``, does not count.

    Returns:
        None if there is no such line, or its number is not within 0..1.
    """
    lines = _SCORE_LINE.findall(re.sub(r"[*`]", "", text))
    if not lines:
        return None
    points, _, maximum = lines[-1].strip(" \t\r`[].").partition("/")
    try:
        score, largest = float(points), float(maximum or 1)
    except ValueError:
        return None
    return score if largest == 1 and 0.0 <= score <= 1.0 else None


def extract_chain(text: str) -> str:
    """The chain in a teacher's answer, without the teacher's own thinking and without a code fence.

    A teacher that thinks first writes ``<think> … </think>`` and then the chain. Some servers leave
    the opening tag out. If nothing follows the thinking, the tags stand around the chain itself.

    Returns:
        "" if a think or answer tag is left inside: such a chain would break the format of eq. 4.
    """
    chain = _without_thinking(_without_fence(replace_invalid_characters(text).strip()))
    chain = _without_fence(chain)
    return "" if _TAG.search(chain) else chain


def _without_fence(text: str) -> str:
    fenced = _FENCED.fullmatch(text)
    return fenced[1].strip() if fenced else text


def _without_thinking(text: str) -> str:
    last_end = None
    for end in _THOUGHT_END.finditer(text):
        last_end = end
    if last_end is None:
        return text
    chain = text[last_end.end() :].strip()
    if chain:
        return chain
    wrapped = _THOUGHT.fullmatch(text[: last_end.start()])
    return wrapped[1].strip() if wrapped else text
