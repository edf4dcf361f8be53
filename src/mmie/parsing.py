"""Responses and answers as text, both ways. A failure is the value None, never an exception.

An answer is ``[]`` or a row of items ``[head, type, tail, type, relation]``, parted by white space and at most a comma.
Names are free text and may hold commas, brackets and quotes, so an item is read from its ends and from the known types:

1. ``]`` and ``[`` with nothing but white space and at most one comma between them always part two items, so an item
   that is wrong never hides inside a name of its neighbour.
2. The last field is a known relation, the field before it a known type. The first inner field that is a known type ends
   the head, and what remains is the tail: of several readings, the one with the shortest head. A tail that holds the
   end of an item (type, relation, ``]``) is invalid: other text stands between two items.
3. A backslash before ``,``, ``[``, ``]``, a backslash or white space takes that character literally; elsewhere it
   stands for itself. White space that is not escaped is folded.

``format_quintuples`` escapes only the names that these rules would change. Every step reads the text a fixed number of
times, so the work grows linearly with the length of the answer, garbage or not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from itertools import pairwise

from mmie.types import Quintuple, Response

TYPES = ("per", "org", "loc", "misc")

_RESPONSE = re.compile(r"\s*<think>(.*)</think>\s*<answer>(.*)</answer>\s*", re.DOTALL)
_TAGS = ("<think>", "</think>", "<answer>", "</answer>")

_STEP = re.compile(r"^[ \t#*]*+step\s*+(\d++)\b|\bstep\s*+(\d++)[\s*]*+:", re.IGNORECASE | re.MULTILINE)
_AROUND_STEP = " \t\r\n:*#"
SLASHES = {"strict": ("",), "lenient": ("", "/")}  # what may stand before an answer to make it a label

_ESCAPE = r"\\[,\[\]\\\s]"
_BOUNDARY = r"\]\s*+(?:,\s*+)?\["
_ITEM_CUT = re.compile(rf"{_ESCAPE}|{_BOUNDARY}")
_FIELD_CUT = re.compile(rf"{_ESCAPE}|,")
_NAME_TOKEN = re.compile(rf"{_ESCAPE}|\s+")

_MISREAD = re.compile(rf"{_BOUNDARY}|{_ESCAPE}|\\\Z")
_SPECIAL = re.compile(r"[,\[\]\\]|[^\S ]|(?<!\S) | (?!\S)")


def fold(text: str) -> str:
    """Trim and make every run of white space one blank."""
    return " ".join(text.split())


def parse_response(text: str) -> Response | None:
    """Split a response into its chain and its answer, both trimmed; None where eq. 4 of JMERE-R1 gives 0.

    The form is one think block, then one answer block, with nothing but white space around them; a tag that is nested
    or occurs twice breaks it.
    """
    if any(text.count(tag) != 1 for tag in _TAGS):
        return None
    match = _RESPONSE.fullmatch(text)
    return None if match is None else Response(think=match[1].strip(), answer=match[2].strip())


def parse_steps(chain: str, *, steps: int) -> list[str] | None:
    """The text under each of the headings ``Step 1`` … ``Step <steps>`` (MORE-R1); None unless each stands there once, in order.

    A heading begins a line, be it behind ``#`` or ``*``, or has a colon behind its number; case does not matter. What
    stands before the first belongs to none. The texts are without white space, colons and marks around them.
    """
    headings = list(_STEP.finditer(chain))
    if [heading[1] or heading[2] for heading in headings] != [str(number) for number in range(1, steps + 1)]:
        return None
    ends = [*(heading.start() for heading in headings[1:]), len(chain)]
    return [chain[heading.end() : end].strip(_AROUND_STEP) for heading, end in zip(headings, ends, strict=True)]


def parse_label(answer: str, *, labels: Collection[str], slash: str) -> str | None:
    """The one of ``labels`` (``/per/misc/awarded``, ``none``) that the trimmed answer is, case kept; None for anything else.

    With ``slash="lenient"`` the leading slash may be missing, with ``"strict"`` it may not.
    """
    text = answer.strip()
    return next((before + text for before in SLASHES[slash] if before + text in labels), None)


def parse_quintuples(answer: str, *, types: Collection[str], relations: Collection[str]) -> list[Quintuple] | None:
    """Read an answer: its quintuples in order, ``[]`` for the empty answer, None if any item is invalid.

    Types match exactly. Relations match with underscores read as blanks on both sides and come back as ``relations``
    spells them. Names come back unescaped and folded; an empty name is invalid.
    """
    text = answer.strip()
    if text == "[]":
        return []
    if not (text.startswith("[") and text.endswith("]")):
        return None
    known_types = set(types)
    spelling = {_blanks(relation): relation for relation in relations}
    quintuples = []
    for item in _split(text[1:-1], _ITEM_CUT):
        quintuple = _parse_item(item, known_types, spelling)
        if quintuple is None:
            return None
        quintuples.append(quintuple)
    return quintuples


def format_quintuples(quintuples: Iterable[Quintuple]) -> str:
    """Write quintuples as an answer: ``[Josh Gordon, per, Browns, org, member of]``, joined by ``, ``; ``[]`` for none.

    ``parse_quintuples`` reads the same quintuples back, whatever their names, with any types out of ``TYPES`` and those
    of the quintuples. A name is written plain unless it would be misread: a part of it between commas is a type, it
    holds ``] [`` or ``], [``, its white space is not folded, or a backslash in it would escape something. In such a
    name commas, brackets, backslashes and the white space that folding would change are escaped.

    Raises:
        ValueError: a name is empty.
    """
    quintuples = list(quintuples)
    types = {fold(label) for q in quintuples for label in (q.head_type, q.tail_type)}.union(TYPES)
    return ", ".join(_format_item(q, types) for q in quintuples) or "[]"


def _split(text: str, cut: re.Pattern[str]) -> list[str]:
    """Cut at every match of ``cut`` that is not an escape."""
    parts, start = [], 0
    for match in cut.finditer(text):
        if match[0][0] != "\\":
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]]


def _parse_item(item: str, types: set[str], spelling: dict[str, str]) -> Quintuple | None:
    fields = _split(item, _FIELD_CUT)
    head_end = next((i for i in range(1, len(fields)) if fold(fields[i]) in types), None)
    if head_end is None or fold(fields[-2]) not in types:
        return None
    tail_fields = fields[head_end + 1 : -2]
    head, tail = _unescape(",".join(fields[:head_end])), _unescape(",".join(tail_fields))
    relation = spelling.get(_blanks(fields[-1]))
    if not (head and tail and relation) or _holds_item_end(tail_fields, types, spelling):
        return None
    return Quintuple(head, fold(fields[head_end]), tail, fold(fields[-2]), relation)


def _holds_item_end(fields: list[str], types: set[str], spelling: dict[str, str]) -> bool:
    ends = (after.partition("]") for label, after in pairwise(fields) if fold(label) in types)
    return any(bracket and _blanks(relation) in spelling for relation, bracket, _ in ends)


def _format_item(quintuple: Quintuple, types: set[str]) -> str:
    head, head_type, tail, tail_type, relation = quintuple
    if not (head and tail):
        raise ValueError(f"cannot write {quintuple}: a name is empty; drop the quintuple")
    return f"[{_escape(head, types)}, {head_type}, {_escape(tail, types)}, {tail_type}, {relation.replace('_', ' ')}]"


def _escape(name: str, types: set[str]) -> str:
    holds_type = any(fold(part) in types for part in name.split(","))
    if holds_type or name != fold(name) or _MISREAD.search(name):
        return _SPECIAL.sub(r"\\\g<0>", name)
    return name


def _unescape(name: str) -> str:
    """Undo the escapes and fold all other white space; an escaped blank at the end survives the trimming."""
    end = max((m.end() for m in _NAME_TOKEN.finditer(name) if m[0][0] == "\\"), default=0)
    trimmed = (name[:end] + name[end:].rstrip()).lstrip()
    return _NAME_TOKEN.sub(lambda m: m[0][1] if m[0][0] == "\\" else " ", trimmed)


def _blanks(relation: str) -> str:
    return fold(relation.replace("_", " "))
