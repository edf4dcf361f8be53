"""How a chain is read in a teacher's answer. ``conf/`` holds the questions.

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
