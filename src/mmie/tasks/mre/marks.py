"""Head and tail shown in the text: ``<head>Josh Gordon</head> plays for <tail>Browns</tail>``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmie.errors import InputError

ENTITIES = ("head", "tail")


def mark_words(words: Sequence[str], places: Mapping[str, tuple[int, int]]) -> str:
    """The words joined by blanks, with each entity in tags.

    Args:
        words: of the text.
        places: ``head`` and ``tail`` → first word of the entity, and the one after its last. One
            may lie in the other.
    """
    return " ".join(_tagged(words, places))


def mark_names(text: str, names: Mapping[str, str], where: str) -> str:
    """The text with the first mention of each entity in tags.

    Args:
        text: holds the names as they are.
        names: ``head`` and ``tail`` → its name.
        where: stands before a key in messages.

    Raises:
        InputError: a name is not in the text.
    """
    places = {}
    for tag, name in names.items():
        start = text.find(name)
        if start < 0:
            raise InputError(f"{where}{tag}: {name!r} is not in the text; copy it from there")
        places[tag] = start, start + len(name)
    return "".join(_tagged(text, places))


def _tagged(parts: Sequence[str], places: Mapping[str, tuple[int, int]]) -> list[str]:
    """The parts with tags around those at each place, the shorter place inside the longer one."""
    tagged = [*parts]
    for tag, (start, end) in sorted(places.items(), key=lambda item: item[1][1] - item[1][0]):
        tagged[start] = f"<{tag}>{tagged[start]}"
        tagged[end - 1] = f"{tagged[end - 1]}</{tag}>"
    return tagged
