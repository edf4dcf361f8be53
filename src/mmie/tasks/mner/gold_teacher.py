"""A teacher for real tweets that is no model: templates over the gold entities.

Its chains look at no picture. A chain has one line for each entity, with the words around it::

    "star WR Josh Gordon of the": Josh Gordon is per.

Such chains teach the form of the method and where to look. They hold no knowledge beyond tweet and
gold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar

from mmie.distil.teacher import Request
from mmie.tasks.mner.entities import Entity, format_entities
from mmie.toy.teacher import ScriptedTeacher
from mmie.types import Example

AROUND = 2  # words on each side of a name that are quoted
NOTHING = "The tweet names nothing."
LINE = re.compile(r'".*": (.+) is (.+)\.')


class GoldTeacher(ScriptedTeacher):
    """Writes chains from the gold entities, and reads the entities off a chain.

    Args:
        seed: of the errors.
        types: those of the task.
        wrong_type: the share of chains in which one entity has another type, if there is one.
    """

    model: ClassVar[str] = "mner-templates"
    choice: ClassVar[str] = "mner_templates"

    def __init__(self, *, seed: int = 0, types: Sequence[str], wrong_type: float) -> None:
        super().__init__(seed=seed, rates={"wrong_type": wrong_type})
        self.types = types

    def knows(self, example: Example) -> bool:
        """Any sample that has gold."""
        return True

    def write(self, request: Request) -> str:
        """The chain, or the entities read off the chain."""
        if request.purpose == "repredict":
            return (
                f"<answer>{format_entities(read_lines(request.chain), types=self.types)}</answer>"
            )
        entities = list(request.example.gold)
        if entities and self.errs(request, "wrong_type"):
            rng = self.rng(request, "type")
            place = rng.randrange(len(entities))
            right = entities[place].type
            others = [kind for kind in self.types if kind != right] or [right]
            entities[place] = entities[place]._replace(type=rng.choice(others))
        quoted = quotations(request.example.text, entities)
        return "\n".join(map(line, quoted, entities)) or NOTHING


def line(words: str, entity: Entity) -> str:
    """The line of a chain that leads to the entity."""
    return f'"{words}": {entity.name} is {entity.type}.'


def read_lines(chain: str) -> list[Entity]:
    """The entity of each line that has the form of ``line``."""
    matches = map(LINE.fullmatch, chain.splitlines())
    return [Entity(*match.groups()) for match in matches if match]


def quotations(text: str, entities: Iterable[Entity]) -> list[str]:
    """Each entity with the words around it; its name alone where the text has it otherwise.

    The entities are in the order of the text, so of equal names each is quoted in its own place.
    """
    quoted = []
    place = 0
    for name, _ in entities:
        start = text.find(name, place)
        if start < 0:
            quoted.append(name)
            continue
        place = start + len(name)
        before, after = text[:start].split()[-AROUND:], text[place:].split()[:AROUND]
        quoted.append(" ".join([*before, name, *after]))
    return quoted
