"""The generator: a scene is a tweet, the icons of its picture and the quintuples that hold in it.

Where a pair of types allows several relations, only one icon of the picture tells which one holds
(or, for a quarter of the facts, the verb). Beside it are icons that hint at relations of other
pairs, and names that take part in no relation.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from mmie.toy import words
from mmie.toy.drawing import Icon
from mmie.types import Quintuple

STREAM = "toy-world"  # of the random numbers that the scenes of the data come from
SIZES = {"train": 600, "val": 200, "test": 400}
SAID_IN_TEXT = 0.25


@dataclass(frozen=True)
class Fact:
    """One quintuple and what gives it away: an icon's name or a verb.

    It is neither where the types allow one relation only.
    """

    quintuple: Quintuple
    clue: str
    verb: str


@dataclass(frozen=True)
class Scene:
    """A tweet, its entities ``(name, type)`` in the order of the text, its icons and its facts."""

    text: str
    entities: tuple[tuple[str, str], ...]
    icons: tuple[Icon, ...]
    facts: tuple[Fact, ...]

    @property
    def quintuples(self) -> tuple[Quintuple, ...]:
        return tuple(fact.quintuple for fact in self.facts)


def make_scene(rng: random.Random) -> Scene:
    """One scene.

    Half of the scenes have one fact, three in ten have two facts that share an entity, and the rest
    have one fact and a mention of a further name.
    """
    shape = rng.choices(("one", "two", "mention"), (0.5, 0.3, 0.2))[0]
    pair = rng.choices(list(words.PAIR_SHARES), list(words.PAIR_SHARES.values()))[0]
    names = [name_of(kind, rng, ()) for kind in pair]
    if names[0] == names[1]:
        names[1] = name_of(pair[1], rng, names)
    entities = list(zip(names, pair, strict=True))
    facts = [_fact(entities[0], entities[1], rng)]
    body = [names[0], facts[0].verb or rng.choice(words.LINKS), names[1]]
    further = [tail for head, tail in words.RELATIONS if head == pair[1] and (head, tail) != pair]
    if shape == "two" and further:
        tail_type = rng.choice(further)
        entities.append((name_of(tail_type, rng, names), tail_type))
        facts.append(_fact(entities[1], entities[2], rng))
        body += [facts[1].verb or rng.choice(words.SECOND_LINKS), entities[2][0]]
    elif shape != "one":
        kind = rng.choice(list(words.NAMES))
        entities.append((name_of(kind, rng, names), kind))
        body += [rng.choice(words.MENTIONS), entities[2][0]]
    text = " ".join(
        part for part in (rng.choice(words.OPENINGS), *body, rng.choice(words.CLOSINGS)) if part
    )
    return Scene(text, tuple(entities), _icons(facts, rng), tuple(facts))


def distinct_scenes(rng: random.Random, count: int, seen: set[str]) -> list[Scene]:
    """The next scenes whose texts are not among ``seen``, to which they are added."""
    scenes: list[Scene] = []
    while len(scenes) < count:
        scene = make_scene(rng)
        if scene.text not in seen:
            seen.add(scene.text)
            scenes.append(scene)
    return scenes


def name_of(kind: str, rng: random.Random, taken: list[str] | tuple[()]) -> str:
    """A name for an entity of this type, other than those that are taken."""
    first, second = words.NAMES[kind]
    while True:
        name = f"{rng.choice(first)} {rng.choice(second)}"
        if name not in taken:
            return name


def _fact(head: tuple[str, str], tail: tuple[str, str], rng: random.Random) -> Fact:
    options = words.RELATIONS[head[1], tail[1]]
    relation = rng.choices(list(options), [share for share, _, _ in options.values()])[0]
    _, clue, verb = options[relation]
    said = bool(verb) and rng.random() < SAID_IN_TEXT
    return Fact(Quintuple(*head, *tail, relation), "" if said else clue, verb if said else "")


def _icons(facts: list[Fact], rng: random.Random) -> tuple[Icon, ...]:
    """The clues of the facts, and others that mean nothing for these pairs of types.

    There are two or three icons in all.
    """
    shown = list(dict.fromkeys(fact.clue for fact in facts if fact.clue))
    pairs = {(fact.quintuple.head_type, fact.quintuple.tail_type) for fact in facts}
    loaded = {clue for pair in pairs for _, clue, _ in words.RELATIONS[pair].values()}
    idle = [icon for icon in words.ICONS if icon not in loaded]
    shown += rng.sample(idle, max(0, rng.choice((2, 3)) - len(shown)))
    quadrants = sorted(rng.sample(range(4), len(shown)))
    rng.shuffle(shown)
    return tuple(
        (rng.choice(list(words.COLOURS)), icon, quadrant)
        for icon, quadrant in zip(shown, quadrants, strict=True)
    )


def describe(icons: tuple[Icon, ...]) -> str:
    """``a red heart , a blue boat``: the icons in reading order."""
    return " , ".join(f"a {colour} {icon}" for colour, icon, _ in icons)
