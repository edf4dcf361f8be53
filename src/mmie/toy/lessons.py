"""What the tiny base is pre-trained on: single skills of the world, never a task.

It describes pictures and answers questions about their icons. It names and types the entities of a
tweet, and finds the colour, the icon and the mood of each. It reads the table of moods, and writes
the quintuples of a reasoning that it is told. It copies lists, and thinks before it answers. No
lesson goes from a picture to a relation, and no lesson uses a tweet of the toy data. The form of an
answer is shown in the task's own words, but with a relation and an order of names that are drawn.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass, replace

from mmie.parsing import format_quintuples
from mmie.toy import words
from mmie.toy.tokenizer import world_words
from mmie.toy.world import Scene, describe, fact_of, link, make_scene, reason
from mmie.types import Quintuple

THINK_FIRST = "think then answer ."
LESSONS = {
    "describe": 0.1,
    "name": 0.1,
    "link": 0.1,
    "reason": 0.4,
    "write": 0.08,
    "form": 0.1,
    "copy": 0.07,
    "ask": 0.05,
}
ALL_RELATIONS = [name for relations in words.RELATIONS.values() for name in relations]
THOUGHT = 0.35  # share of the lessons that think first


@dataclass(frozen=True)
class Lesson:
    """A question that goes with the scene's picture, and the response to learn."""

    scene: Scene
    question: str
    response: str


def make_lesson(rng: random.Random, scene: Scene, held_out: Collection[str]) -> Lesson:
    """One lesson about the scene's picture, with a tweet that is not among ``held_out``.

    Args:
        rng: the only source of randomness.
        scene: gives the picture.
        held_out: the tweets of all the splits of the toy data.
    """
    tweet = make_scene(rng, scene.icons)
    while tweet.text in held_out:
        tweet = make_scene(rng, scene.icons)
    kind = rng.choices(list(LESSONS), list(LESSONS.values()))[0]
    question, chain, answer = _MAKERS[kind](rng, tweet)
    if not chain or rng.random() >= THOUGHT:
        return Lesson(scene, question, answer)
    return Lesson(scene, f"{question} {THINK_FIRST}", _thought(chain, answer))


def _thought(chain: str, answer: str) -> str:
    return f"<think> {chain} </think> <answer> {answer} </answer>"


Made = tuple[str, str, str]  # a question, the thoughts that go before its answer, and the answer


def _describe(rng: random.Random, tweet: Scene) -> Made:
    return "describe the picture .", "", describe(tweet.icons)


def _name(rng: random.Random, tweet: Scene) -> Made:
    named = ", ".join(f"[{name}, {type_}]" for name, type_ in tweet.entities)
    question = f"text : {tweet.text} . name the entities ."
    return question, f"picture : {describe(tweet.icons)} .", named


def _link(rng: random.Random, tweet: Scene) -> Made:
    question = f"text : {tweet.text} . link the names ."
    return question, f"picture : {describe(tweet.icons)} .", link(tweet.badge_of)


def _reason(rng: random.Random, tweet: Scene) -> Made:
    """Reads the table of moods, without a tweet and with other icons than those of the picture."""
    while len(tweet.entities) > len(tweet.facts) + 1:  # a name that takes part in nothing
        tweet = make_scene(rng)
    told = _with_other_icons(rng, tweet)
    chain = _reasons(told)
    question = f"link : {link(told.badge_of)} . reason ."
    if rng.random() < 0.7:
        return question, "", chain
    return f"{question} {THINK_FIRST}", "", _thought(chain, told.facts[-1].quintuple.relation)


def _write(rng: random.Random, tweet: Scene) -> Made:
    """Writes the quintuples of a reasoning that is told, whatever the picture shows."""
    told = _with_other_icons(rng, tweet)
    question = f"{_reasons(told)} text : {tweet.text} . extract the quintuples ."
    return question, _reasons(told), format_quintuples(told.quintuples)


def _form(rng: random.Random, tweet: Scene) -> Made:
    """Shows the form of an answer: two names of the tweet with a relation drawn from all."""
    (head, head_type), (tail, tail_type) = rng.sample(tweet.entities, 2)
    relation = rng.choice(ALL_RELATIONS)
    question = f"text : {tweet.text} . extract the quintuples ."
    chain = f"picture : {describe(tweet.icons)} . link : {link(tweet.badge_of)} ."
    return (
        question,
        chain,
        format_quintuples([Quintuple(head, head_type, tail, tail_type, relation)]),
    )


def _reasons(scene: Scene) -> str:
    return f"reason : {' ; '.join(reason(fact) for fact in scene.facts)} ."


def _with_other_icons(rng: random.Random, tweet: Scene) -> Scene:
    """The scene with badges drawn anew, and with the facts that these tell."""
    icons = rng.sample(words.ICONS, len(tweet.entities))
    colours = rng.sample(list(words.COLOURS), len(icons))
    told = replace(tweet, badges=tuple(zip(colours, icons, strict=True)))
    ends = [fact.quintuple for fact in tweet.facts]
    facts = [fact_of(q, told.badge_of[q.head][1], told.badge_of[q.tail][1]) for q in ends]
    return replace(told, facts=tuple(facts))


def _copy(rng: random.Random, tweet: Scene) -> Made:
    listed = _word_list(rng)
    return f"copy the list : {' ; '.join(listed)} .", "", f"[{', '.join(listed)}]"


def _ask(rng: random.Random, tweet: Scene) -> Made:
    question, answer = _question(rng, tweet)
    return question, f"picture : {describe(tweet.icons)} .", answer


_MAKERS = {
    "describe": _describe,
    "name": _name,
    "link": _link,
    "reason": _reason,
    "write": _write,
    "form": _form,
    "copy": _copy,
    "ask": _ask,
}


def _word_list(rng: random.Random) -> list[str]:
    """Two to five entries of one or two words; half of them are names put together at random."""
    entries = []
    for _ in range(rng.randint(2, 5)):
        if rng.random() < 0.5:
            first, second = words.NAMES[rng.choice(list(words.NAMES))]
            entries.append(f"{rng.choice(first)} {rng.choice(second)}")
        else:
            plain = [word for word in world_words() if word.isalpha()]
            entries.append(" ".join(rng.sample(plain, rng.randint(1, 2))))
    return entries


def _question(rng: random.Random, scene: Scene) -> tuple[str, str]:
    colour, icon, _ = rng.choice(scene.icons)
    if rng.random() < 0.5:
        return f"what colour is the {icon} ?", colour
    asked = rng.choice([icon, rng.choice(words.ICONS)])
    shown = any(asked == name for _, name, _ in scene.icons)
    return f"is there a {asked} ?", "yes" if shown else "no"
