"""The generator: a scene is a tweet, the icons of its picture and the quintuples that hold in it.

Every entity of a tweet wears a colour, and its icon is the one of that colour in the picture. Each
icon stands for a mood, and the moods of head and tail, in this order, tell the relation. So it
takes four steps to a relation: the colour of each name in the text, the icon of each colour in the
picture, the mood of each icon, and what the two moods mean together for their pair of types. For
some facts a verb of the tweet says the relation as well.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import permutations

from mmie.toy import words
from mmie.toy.drawing import Icon
from mmie.types import Quintuple

STREAM = "toy-world"  # of the random numbers that the scenes of the data come from
SIZES = {"train": 600, "val": 200, "test": 400}
SAID_IN_TEXT = 0.25
NEW_SHARE = 0.2  # of the pairs of icons; they are not in the training split

Badge = tuple[str, str]  # the colour and the icon that belong to an entity


@dataclass(frozen=True)
class Fact:
    """One quintuple, the icons of its head and tail, and the verb that says it, or ""."""

    quintuple: Quintuple
    icons: tuple[str, str]
    verb: str


@dataclass(frozen=True)
class Scene:
    """A tweet, its entities ``(name, type)`` in the order of the text, its icons and its facts.

    ``badges`` has the colour and the icon of each entity.
    """

    text: str
    entities: tuple[tuple[str, str], ...]
    badges: tuple[Badge, ...]
    icons: tuple[Icon, ...]
    facts: tuple[Fact, ...]

    @property
    def badge_of(self) -> dict[str, Badge]:
        """The badge of each name."""
        names = (name for name, _ in self.entities)
        return dict(zip(names, self.badges, strict=True))

    @property
    def quintuples(self) -> tuple[Quintuple, ...]:
        return tuple(fact.quintuple for fact in self.facts)


_PAIRS = list(permutations(words.ICONS, 2))
_NEW = set(random.Random("new").sample(_PAIRS, round(NEW_SHARE * len(_PAIRS))))


def meaning(head_mood: str, tail_mood: str, pair: tuple[str, str]) -> str:
    """The relation that two moods tell for a pair of types."""
    relations = list(words.RELATIONS[pair])
    return relations[words.TABLE[head_mood][tail_mood] * len(relations) // len(words.MOODS)]


def is_new(head_icon: str, tail_icon: str) -> bool:
    """Whether the training split leaves this pair of icons out."""
    return (head_icon, tail_icon) in _NEW


def make_scene(rng: random.Random, icons: tuple[Icon, ...] = ()) -> Scene:
    """One scene, with the picture that is given or with one of its own.

    Half of the scenes have one fact, three in ten have two facts that share an entity, and the rest
    have one fact and a mention of a further name.
    """
    icons = icons or make_icons(rng)
    shape = rng.choices(("one", "two", "mention"), (0.5, 0.3, 0.2))[0]
    pair = rng.choices(list(words.PAIR_SHARES), list(words.PAIR_SHARES.values()))[0]
    kinds = list(pair)
    two = shape == "two"
    if two:
        further = {
            tail: share for (head, tail), share in words.PAIR_SHARES.items() if head == pair[1]
        }
        kinds += rng.choices(list(further), list(further.values()))
    elif shape != "one":
        kinds.append(rng.choice(list(words.NAMES)))
    names: list[str] = []
    for kind in kinds:
        names.append(name_of(kind, rng, names))
    entities = tuple(zip(names, kinds, strict=True))
    badges = tuple((colour, icon) for colour, icon, _ in rng.sample(icons, len(names)))
    worn = [f"{name} in {colour}" for name, (colour, _) in zip(names, badges, strict=True)]
    facts = [_fact(entities[at : at + 2], badges[at : at + 2], rng) for at in range(1 + two)]
    body = [worn[0], facts[0].verb or rng.choice(words.LINKS), worn[1]]
    if two:
        body += [facts[1].verb or rng.choice(words.SECOND_LINKS), worn[2]]
    elif len(worn) == 3:
        body += [rng.choice(words.MENTIONS), worn[2]]
    text = " ".join(
        part for part in (rng.choice(words.OPENINGS), *body, rng.choice(words.CLOSINGS)) if part
    )
    return Scene(text, entities, badges, icons, tuple(facts))


def distinct_scenes(
    rng: random.Random, count: int, seen: set[str], *, new: bool = True
) -> list[Scene]:
    """The next scenes whose texts are not among ``seen``, to which they are added.

    Without ``new`` no fact has a pair of icons for which ``is_new`` holds.
    """
    scenes: list[Scene] = []
    while len(scenes) < count:
        scene = make_scene(rng)
        left_out = not new and any(is_new(*fact.icons) for fact in scene.facts)
        if scene.text not in seen and not left_out:
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


def _fact(ends: tuple[tuple[str, str], ...], badges: tuple[Badge, ...], rng: random.Random) -> Fact:
    (head, head_type), (tail, tail_type) = ends
    fact = fact_of(Quintuple(head, head_type, tail, tail_type, ""), badges[0][1], badges[1][1])
    verb = words.RELATIONS[head_type, tail_type][fact.quintuple.relation]
    return replace(fact, verb=verb if rng.random() < SAID_IN_TEXT else "")


def fact_of(ends: Quintuple, head_icon: str, tail_icon: str) -> Fact:
    """What two icons tell of head and tail; the relation of ``ends`` does not matter."""
    moods = words.MOOD_OF[head_icon], words.MOOD_OF[tail_icon]
    relation = meaning(*moods, (ends.head_type, ends.tail_type))
    return Fact(ends._replace(relation=relation), (head_icon, tail_icon), "")


def make_icons(rng: random.Random) -> tuple[Icon, ...]:
    """Three or four icons, no two of one colour or one name."""
    count = rng.choice((3, 4))
    colours, names = rng.sample(list(words.COLOURS), count), rng.sample(words.ICONS, count)
    quadrants = sorted(rng.sample(range(4), count))
    return tuple(zip(colours, names, quadrants, strict=True))


def describe(icons: tuple[Icon, ...]) -> str:
    """``a red heart , a blue boat``: the icons in reading order."""
    return " , ".join(f"a {colour} {icon}" for colour, icon, _ in icons)


def link(badges: Mapping[str, Badge]) -> str:
    """``Ann Lee red kite fun ; Bob Ray blue ring love``: each name's colour, icon and mood."""
    told = [
        f"{name} {colour} {icon} {words.MOOD_OF[icon]}" for name, (colour, icon) in badges.items()
    ]
    return " ; ".join(told)


def reason(fact: Fact) -> str:
    """``Ann Lee per fun and Bob Ray per love means peer``, or the verb in place of the moods."""
    q = fact.quintuple
    head, tail = f"{q.head} {q.head_type}", f"{q.tail} {q.tail_type}"
    if fact.verb:
        return f"{head} {fact.verb} {tail} means {q.relation}"
    head_mood, tail_mood = (words.MOOD_OF[icon] for icon in fact.icons)
    return f"{head} {head_mood} and {tail} {tail_mood} means {q.relation}"
