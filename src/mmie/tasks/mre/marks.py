"""Head and tail shown in the text: ``<head>Josh Gordon</head> plays for <tail>Browns</tail>``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmie.errors import InputError

ENTITIES = ("head", "tail")


def mark_words(words: Sequence[str], places: Mapping[str, tuple[int, int]]) -> str:
    """The words joined by blanks, with each entity in tags.

    Args:
        words: of the text.
        places: ``head`` and ``tail`` → first word of the entity, and the one after its last.
    """
    marked = [*words]
    for tag, (start, end) in places.items():
        marked[start] = f"<{tag}>{marked[start]}"
        marked[end - 1] = f"{marked[end - 1]}</{tag}>"
    return " ".join(marked)


def mark_names(text: str, names: Mapping[str, str], where: str) -> str:
    """The text with the first mention of each entity in tags.

    Args:
        text: holds the names as they are.
        names: ``head`` and ``tail`` → its name.
        where: stands before a key in messages.

    Raises:
        InputError: a name is not in the text.
    """
    inserts: list[tuple[int, str]] = []
    for tag, name in names.items():
        start = text.find(name)
        if start < 0:
            raise InputError(f"{where}{tag}: {name!r} is not in the text; copy it from there")
        inserts += [(start, f"<{tag}>"), (start + len(name), f"</{tag}>")]
    for place, mark in sorted(inserts, key=lambda insert: insert[0], reverse=True):
        text = text[:place] + mark + text[place:]
    return text
