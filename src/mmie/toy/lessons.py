"""What the tiny base is pre-trained on: general skills of the world, never a task.

It describes pictures, answers questions about their icons, names and types the entities of a tweet,
copies lists, and thinks before it answers. No lesson asks for a relation, and no lesson uses a
tweet of the toy data.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass

from mmie.toy import words
from mmie.toy.tokenizer import world_words
from mmie.toy.world import Scene, describe, make_scene

THINK_FIRST = "think then answer ."
LESSONS = {
    "describe": 0.26,
    "name": 0.26,
    "copy": 0.2,
    "ask": 0.08,
    "think_ask": 0.08,
    "think_name": 0.12,
}


@dataclass(frozen=True)
class Lesson:
    """A question that goes with the scene's picture, and the response to learn."""

    scene: Scene
    question: str
    response: str


def make_lesson(rng: random.Random, scene: Scene, held_out: Collection[str]) -> Lesson:
    """One lesson about the scene's picture.

    A tweet among ``held_out`` is replaced by that of another scene.

    Args:
        rng: the only source of randomness.
        scene: gives the picture, and the tweet where that is not held out.
        held_out: the tweets of all the splits of the toy data.
    """
    tweet = scene
    while tweet.text in held_out or rng.random() < 0.7:
        tweet = make_scene(rng)
    kind = rng.choices(list(LESSONS), list(LESSONS.values()))[0]
    named = ", ".join(f"[{name}, {type_}]" for name, type_ in tweet.entities)
    if kind == "describe":
        return Lesson(scene, "describe the picture .", describe(scene.icons))
    if kind == "name":
        return Lesson(scene, f"text : {tweet.text} . name the entities .", named)
    if kind == "think_name":
        said = " and ".join(name for name, _ in tweet.entities)
        chain = f"picture : {describe(scene.icons)} . the text says {said} ."
        return Lesson(
            scene,
            f"text : {tweet.text} . name the entities . {THINK_FIRST}",
            _reasoned(chain, named),
        )
    if kind == "copy":
        listed = _word_list(rng)
        return Lesson(scene, f"copy the list : {' ; '.join(listed)} .", f"[{', '.join(listed)}]")
    question, answer = _question(rng, scene)
    if kind == "ask":
        return Lesson(scene, question, answer)
    return Lesson(
        scene,
        f"{question} {THINK_FIRST}",
        _reasoned(f"picture : {describe(scene.icons)} .", answer),
    )


def _reasoned(chain: str, answer: str) -> str:
    return f"<think> {chain} </think> <answer> {answer} </answer>"


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
