"""The toy world of MORE-R1: titles with entities, and pictures whose icons are the objects.

Each pair of an object and an entity has a label.
An icon has an object type of its own and stands for at most one relation to each entity type. For
three pairs of icon and entity type, a verb of the title turns it into another one. What stands for
nothing is ``none``. So one text, picture and entity have a label for each object, and only the crop
tells which object is asked about.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from PIL import ImageChops

from mmie.data.pictures import Box
from mmie.tasks.more.metrics import NONE
from mmie.toy import words
from mmie.toy.drawing import HALF, Icon, draw_scene
from mmie.toy.world import name_of

MORE_LABELS = (
    "/per/per/peer",
    "/per/per/couple",
    "/per/per/siblings",
    "/per/org/member",
    "/per/loc/residence",
    "/per/loc/birth",
    "/per/misc/awarded",
    "/per/misc/nationality",
    "/org/org/subsidiary",
    "/org/loc/locate",
    "/org/misc/present",
    "/loc/loc/contain",
)

# icon → (object type, {entity type: relation}); a type that is missing is none.
OBJECTS: dict[str, tuple[str, dict[str, str]]] = {
    "heart": ("per", {"per": "couple", "org": "member", "loc": "residence"}),
    "kite": ("per", {"per": "siblings", "loc": "birth", "misc": "awarded"}),
    "ball": ("per", {"per": "peer", "org": "member", "loc": "residence"}),
    "medal": ("per", {"per": "peer", "loc": "birth", "misc": "awarded"}),
    "flag": ("per", {"org": "member", "loc": "residence", "misc": "nationality"}),
    "cake": ("per", {"per": "couple", "org": "member", "misc": "nationality"}),
    "tree": ("org", {"org": "subsidiary", "loc": "locate", "misc": "present"}),
    "boat": ("org", {"org": "subsidiary", "loc": "locate", "misc": "present"}),
    "house": ("loc", {"loc": "contain"}),
    "star": ("misc", {}),
}

# (icon, entity type, verb of the title) → the relation that it then is.
SAID = {
    ("kite", "per", "joins"): "peer",
    ("medal", "loc", "lives"): "residence",
    ("flag", "misc", "wins"): "awarded",
}
TURNING = {verb for _, _, verb in SAID}
IDLE_VERBS = [verb for verb in words.VERBS if verb not in TURNING]

JITTER = 3  # pixels


@dataclass(frozen=True)
class MoreScene:
    """A title, its entities ``(name, type)`` in the order of the text, icons, and verb or ""."""

    text: str
    entities: tuple[tuple[str, str], ...]
    icons: tuple[Icon, ...]
    verb: str


@dataclass(frozen=True)
class MoreFact:
    """One icon, one entity, the label that joins them, and the box of the icon in pixels."""

    object: str
    entity: str
    label: str
    box: Box


def label_of(icon: str, kind: str, verb: str) -> str:
    """The label of an icon and an entity of type ``kind`` in a title with this verb.

    It is ``/{object type}/{entity type}/{relation}`` or ``none``.
    """
    object_type, relations = OBJECTS[icon]
    relation = SAID.get((icon, kind, verb)) or relations.get(kind)
    return f"/{object_type}/{kind}/{relation}" if relation else NONE


def relations_between(object_type: str, kind: str) -> list[str]:
    """The relations that the labels have for a pair of types, in the labels' order."""
    pair = f"/{object_type}/{kind}/"
    return [label.removeprefix(pair) for label in MORE_LABELS if label.startswith(pair)]


def make_more_scene(rng: random.Random) -> MoreScene:
    """One scene, with one to three entities of any types.

    Half of the titles with a fitting entity have a verb that can turn a relation.
    """
    kinds = rng.choices(list(words.NAMES), k=rng.choices((1, 2, 3), (0.25, 0.5, 0.25))[0])
    names: list[str] = []
    for kind in kinds:
        names.append(name_of(kind, rng, names))
    verb = _verb(kinds, rng)
    body = [names[0], verb or (rng.choice(words.LINKS) if names[1:] else ""), *names[1:2]]
    for name in names[2:]:
        body += [rng.choice(words.SECOND_LINKS), name]
    text = " ".join(
        part for part in (rng.choice(words.OPENINGS), *body, rng.choice(words.CLOSINGS)) if part
    )
    return MoreScene(text, tuple(zip(names, kinds, strict=True)), _icons(rng), verb)


def facts(scene: MoreScene, rng: random.Random) -> list[MoreFact]:
    """Every object with one entity; half of the other entities with one object.

    The entities are in a random order.
    """
    entities = rng.sample(scene.entities, len(scene.entities))
    pairs = [(icon, entities[0]) for icon in scene.icons]
    pairs += [(rng.choice(scene.icons), entity) for entity in entities[1:] if rng.random() < 0.5]
    return [
        MoreFact(icon, name, label_of(icon, kind, scene.verb), crop_of(icon, quadrant, rng))
        for (_, icon, quadrant), (name, kind) in pairs
    ]


def _verb(kinds: list[str], rng: random.Random) -> str:
    turning = [verb for _, kind, verb in SAID if kind in kinds]
    if turning and rng.random() < 0.5:
        return rng.choice(turning)
    return rng.choice(IDLE_VERBS) if rng.random() < 0.5 else ""


def _icons(rng: random.Random) -> tuple[Icon, ...]:
    names = rng.sample(list(OBJECTS), rng.choice((2, 3)))
    quadrants = sorted(rng.sample(range(4), len(names)))
    return tuple(
        (rng.choice(list(words.COLOURS)), icon, quadrant)
        for icon, quadrant in zip(names, quadrants, strict=True)
    )


def crop_of(icon: str, quadrant: int, rng: random.Random) -> Box:
    """The quadrant, moved by up to ``JITTER`` pixels each way within the picture.

    The icon stays whole.
    """
    row, column = divmod(quadrant, 2)
    first_x, first_y, last_x, last_y = _ink(icon)
    left, upper = _shift(column, first_x, last_x, rng), _shift(row, first_y, last_y, rng)
    return left, upper, left + HALF, upper + HALF


def _shift(place: int, first: int, last: int, rng: random.Random) -> int:
    """The first pixel of the crop on one axis.

    Args:
        place: the half of the picture, 0 or 1.
        first, last: the ink of the icon goes from ``first`` to just before ``last`` of that half.
        rng: moves the crop.
    """
    lowest = max(-JITTER, last - HALF) if place else 0
    highest = 0 if place else min(JITTER, first)
    return place * HALF + rng.randint(lowest, highest)


@cache
def _ink(icon: str) -> Box:
    box = ImageChops.difference(draw_scene([("black", icon, 0)]), draw_scene([])).getbbox()
    assert box is not None
    return box
