"""Prompts as texts with places such as ``{text}``, each of which is filled once."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mmie.text import invalid_character

NOTHING = "nothing is filled in here"
_PLACE = re.compile(r"\{(\w+)\}")


def fill(template: str, **values: str) -> str:
    """The template with every ``{name}`` replaced by its value, in one pass.

    What a value holds is never filled in its turn, be it a tweet with ``{chain}`` in it. Braces
    around anything but a single word stay as they are, so ``{{text}}`` gives the text in braces.

    Raises:
        KeyError: the template has a place without a value.
    """
    return _PLACE.sub(lambda place: values[place[1]], template)


@dataclass(frozen=True)
class Places:
    """Which places a configured prompt has; the annotation of an argument that takes one.

    Attributes:
        needed: each of them must stand in the prompt.
        optional: they may.
    """

    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    def problem(self, template: str) -> str | None:
        """What is wrong with the prompt and what to do, as a phrase; None if nothing is."""
        reason = invalid_character(template)
        if reason is not None:
            return f"it holds {reason}, which no text may contain; correct it"
        used = _PLACE.findall(template)
        known = [f"{{{name}}}" for name in (*self.needed, *self.optional)]
        for name in used:
            if name not in self.needed + self.optional:
                offered = f"it may hold {', '.join(known)}" if known else NOTHING
                return f"the place {{{name}}} is unknown; {offered}"
        for name in self.needed:
            if name not in used:
                return f"the place {{{name}}} is missing; put it where the {name} shall stand"
        return None
