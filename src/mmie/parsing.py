"""Responses and answers as text, both ways. A failure is the value None, never an exception.

An answer is ``[]`` or a row of items ``[head, type, tail, type, relation]``, parted by white space
and at most a comma. Names are free text and may hold commas, brackets and quotes, so an item is
read from its ends and from the known types:

1. ``]`` and ``[`` with nothing but white space and at most one comma between them always part two
   items, so an item that is wrong never hides inside a name of its neighbour.
2. The last field is a known relation, the field before it a known type. The first inner field that
   is a known type ends the head, and what remains is the tail: of several readings, the one with
   the shortest head. A tail that holds the end of an item (type, relation, ``]``) is invalid: other
   text stands between two items.
3. A backslash before ``,``, ``[``, ``]``, a backslash or white space takes that character
   literally; elsewhere it stands for itself. White space that is not escaped is folded.
4. A backslash after the ``<`` of a think or answer tag (``<\\answer>``) belongs to no name: with
   it a name that holds such a tag cannot break the response. It is taken off before anything else
   is read.

``format_quintuples`` escapes only the names that these rules would change. Every step reads the
text a fixed number of times, so the work grows linearly with the length of the answer, garbage or
not.

This strict reading is that of the reward. ``read_quintuples`` is the lenient one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from mmie.answer_items import Labels, format_items, hide_tags, parse_items, show_tags
from mmie.reading import read_quintuples as read_quintuples
from mmie.text import TAGS
from mmie.text import fold as fold
from mmie.types import Quintuple, Response

TYPES = ("per", "org", "loc", "misc")

_RESPONSE = re.compile(r"\s*<think>(.*)</think>\s*<answer>(.*)</answer>\s*", re.DOTALL)
_TAGS = ("<think>", "</think>", "<answer>", "</answer>")

def parse_response(text: str) -> Response | None:
    """Split a response into its chain and its answer, both trimmed; None where eq. 4 of JMERE-R1
    gives 0.

    The form is one think block, then one answer block, with nothing but white space around them; a
    tag that is nested or occurs twice breaks it.
    """
    if any(text.count(tag) != 1 for tag in TAGS):
        return None
    match = _RESPONSE.fullmatch(text)
    return None if match is None else Response(think=match[1].strip(), answer=match[2].strip())


def parse_quintuples(
    answer: str, *, types: Collection[str], relations: Collection[str]
) -> list[Quintuple] | None:
    """Read an answer: its quintuples in order, ``[]`` for the empty answer, None if any item is
    invalid.

    Types match exactly. Relations match with underscores read as blanks on both sides. Both come
    back as the configuration spells them. Names come back unescaped and folded; an empty name is
    invalid.
    """
    return parse_items(show_tags(answer).strip(), Labels.exact(types, relations))


def format_quintuples(quintuples: Iterable[Quintuple]) -> str:
    """Write quintuples as an answer: ``[Josh Gordon, per, Browns, org, member of]`` and so on.

    Items are joined by a comma and a blank; ``[]`` stands for none.

    ``parse_quintuples`` reads the same quintuples back, whatever their names, with any types out
    of ``TYPES`` and those of the quintuples. A name is written plain unless it would be misread: a
    part of it between commas is a type in any case, it holds ``]`` and later ``[``, its white
    space is not folded, or a backslash in it would escape something. In such a name commas,
    brackets, backslashes and the white space that folding would change are escaped. A think or
    answer tag is written with a backslash after its ``<``.

    Raises:
        ValueError: a name is empty.
    """
    quintuples = list(quintuples)
    types = {label for q in quintuples for label in (q.head_type, q.tail_type)}.union(TYPES)
    return hide_tags(format_items(quintuples, types)) or "[]"
