"""The strict grammar of responses and answers, both ways. The rewards read with it.

It is strict because a reward must not pay for what only looks like an answer. Text that breaks a
rule gives the value None, never an exception. ``mmie.reading`` is the lenient reader, for
evaluation.

An answer is ``[]`` or a sequence of items ``[head, type, tail, type, relation]``, separated by
white space and at most one comma. Names are free text and may contain commas, brackets and quotes.
So an item is read from its ends and from the known types:

1. ``]`` and ``[`` with nothing but white space and at most one comma between them always separate
   two items. So a wrong item can never hide inside a name of its neighbour.
2. The last field is a known relation, and the field before it is a known type. The first inner
   field that is a known type ends the head; what remains is the tail. So of several readings the
   one with the shortest head counts. A tail that contains the end of an item (type, relation,
   ``]``) is invalid: some other text separates two items there.
3. A backslash before ``,``, ``[``, ``]``, a backslash or white space takes that character
   literally. Elsewhere it stands for itself. White space that is not escaped is folded.
4. A backslash after the ``<`` of a think or answer tag (``<\\answer>``) belongs to no name. It
   keeps a name that contains such a tag from breaking the response, and is removed before anything
   else is read.

``format_quintuples`` escapes only the names that these rules would change. Every step reads the
text a fixed number of times, so the work grows linearly with the length of the answer, garbage or
not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from mmie.answer_items import Labels, format_items, hide_tags, parse_items, show_tags
from mmie.text import TAGS
from mmie.types import Quintuple, Response

TYPES = ("per", "org", "loc", "misc")

_RESPONSE = re.compile(r"\s*<think>(.*)</think>\s*<answer>(.*)</answer>\s*", re.DOTALL)


def parse_response(text: str) -> Response | None:
    """Splits a response into its chain and its answer, both trimmed.

    The form is one think block, then one answer block, with nothing but white space around them. A
    tag that is nested or occurs twice breaks it.

    Returns:
        None where eq. 4 of JMERE-R1 gives 0.
    """
    if any(text.count(tag) != 1 for tag in TAGS):
        return None
    match = _RESPONSE.fullmatch(text)
    return None if match is None else Response(think=match[1].strip(), answer=match[2].strip())


def parse_quintuples(
    answer: str, *, types: Collection[str], relations: Collection[str]
) -> list[Quintuple] | None:
    """Reads an answer strictly: one invalid item makes all of it invalid.

    Args:
        answer: what stands in the answer block.
        types: match exactly.
        relations: match with underscores read as blanks on both sides.

    Returns:
        The quintuples in order; ``[]`` for the valid empty answer; None if any item is invalid.
        Labels are spelled as in ``types`` and ``relations``. Names are unescaped and folded. An
        empty name is invalid.
    """
    return parse_items(show_tags(answer).strip(), Labels.exact(types, relations))


def format_quintuples(quintuples: Iterable[Quintuple]) -> str:
    """Writes quintuples as an answer: ``[Josh Gordon, per, Browns, org, member of]`` and so on.

    Items are joined by a comma and a blank. ``[]`` stands for none.

    ``parse_quintuples`` reads the same quintuples back, whatever their names are, if its types are
    among ``TYPES`` and the types of the quintuples. A name is written unchanged unless it would be
    misread: because a part of it between commas is a type, because it contains ``]`` and later
    ``[``, because its white space is not folded, or because a backslash in it would escape
    something. In such a name commas, brackets, backslashes and the white space that folding would
    change are escaped. A think or answer tag is written with a backslash after its ``<``.

    Raises:
        ValueError: a name is empty.
    """
    quintuples = list(quintuples)
    types = set(TYPES)
    for quintuple in quintuples:
        types.update((quintuple.head_type, quintuple.tail_type))
    return hide_tags(format_items(quintuples, types)) or "[]"
