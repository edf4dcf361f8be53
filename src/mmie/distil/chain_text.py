"""How the teacher's words are read. What it is asked stands in ``conf/tasks``.

Every step reads the text a fixed number of times, so the work grows linearly with its length.
"""

from __future__ import annotations

import re

from mmie.text import repaired

_FENCED = re.compile(r"```\w*+[^\S\n]*+\n(.*?)\n?```", re.DOTALL)
# Qwen and DeepSeek write <think>, Gemma <thought>, Magistral [THINK], Kimi ◁think▷.
_THOUGHT = re.compile(r"[<\[◁](?:think(?:ing)?|thought)[>\]▷](.*)", re.DOTALL | re.IGNORECASE)
_THOUGHT_END = re.compile(r"[<\[◁]/(?:think(?:ing)?|thought)[>\]▷]", re.IGNORECASE)
_TAG = re.compile(r"<\s*+(?:/\s*+)?(?:think|answer)\s*+>", re.IGNORECASE)
_SCORE_LINE = re.compile(r"^[-#>\t ]*+score:(.*)$", re.MULTILINE | re.IGNORECASE)


def parse_score(text: str) -> float | None:
    """The number on the last line ``Score: <number>``; None where there is no such line or it is not within 0..1.

    Markdown's marks, case, a full stop and ``/1.0`` behind the number are overlooked; a number out of another whole is none.
    """
    lines = _SCORE_LINE.findall(re.sub(r"[*`]", "", text))
    points, _, whole = lines[-1].strip(" \t\r`[].").partition("/") if lines else ("", "", "")
    try:
        score, largest = float(points), float(whole or 1)
    except ValueError:
        return None
    return score if largest == 1 and 0.0 <= score <= 1.0 else None


def chain_of(text: str) -> str:
    """The chain in the teacher's words, without its own thinking and without a code fence around.

    A teacher that thinks first writes ``<think> … </think>`` and then the chain; some servers leave
    the opening tag out. Where nothing follows the thinking, the tags stand around the chain itself.

    Returns:
        "" where a think or answer tag is left inside: such a chain would break the format of eq. 4.
    """
    chain = _without_thinking(_without_fence(repaired(text).strip()))
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
    following = text[last_end.end() :].strip()
    if following:
        return following
    wrapped = _THOUGHT.fullmatch(text[: last_end.start()])
    return wrapped[1].strip() if wrapped else text
