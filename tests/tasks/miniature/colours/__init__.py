"""A whole task in one module: name the colours of a picture.

Gold and predictions are tuples of colour names; an answer is written ``red, blue``.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mmie.distil.candidates import Ask
from mmie.distil.teacher import Request
from mmie.metrics import counts_of
from mmie.parsing import parse_response
from mmie.tasks.kinds import INVALID, INVENTED, MISSED, TRUNCATED
from mmie.tasks.task import Counts, Task
from mmie.toy.drawing import Icon
from mmie.toy.source import GeneratedSource
from mmie.toy.teacher import ScriptedTeacher
from mmie.toy.words import COLOURS
from mmie.types import Candidate, Example, Judged, Picture, Reading


class Colours(Task):
    """What is asked, read and scored."""

    name: ClassVar[str] = "colours"
    method: ClassVar[str] = "Colours-R1"
    unit: ClassVar[str] = "colours"
    selection_metric: ClassVar[str] = "colour"

    def gold_answer(self, example: Example) -> str:
        return ", ".join(example.gold)

    def read(self, response: str, *, lenient: bool) -> Reading:
        """A strict reader knows colours alone; a lenient one passes over other words."""
        words = self.answer_of(response).replace(",", " ").split()
        known = tuple(sorted({word for word in words if word in COLOURS}))
        wrong = len(words) - sum(word in COLOURS for word in words)
        if not words or (wrong and not lenient):
            return Reading(None)
        return Reading(known, wrong)

    def judge(
        self, prediction: Any | None, example: Example, *, truncated: bool, invalid: int = 0
    ) -> list[Judged]:
        said, meant = prediction or (), example.gold
        kind = TRUNCATED if truncated else INVALID
        unreadable = [Judged(None, None, kind)] * max(invalid, prediction is None)
        right = [Judged((one,), (one,), "") for one in said if one in meant]
        invented = [Judged((one,), None, INVENTED) for one in said if one not in meant]
        missed = [Judged(None, (one,), MISSED) for one in meant if one not in said]
        return [*unreadable, *right, *invented, *missed]

    def counts(
        self, prediction: Any | None, example: Example, *, invalid: int = 0
    ) -> dict[str, Counts]:
        return {"colour": counts_of([prediction], [example.gold], invalid=[invalid])[0]}

    def size(self, example: Example) -> int:
        return len(example.gold)

    def revive_gold(self, value: Sequence[str]) -> tuple[str, ...]:
        return tuple(value)


class ColourReward:
    """The share of colours that are right, and ``beta`` for the form of the response."""

    def __init__(self, *, beta: float) -> None:
        self.beta = beta

    def __call__(
        self, response: str, predicted: Any | None, gold: Any, answer: str, gold_answer: str
    ) -> dict[str, float]:
        correct, said, meant = counts_of([predicted], [gold])[0]
        r_a, r_f = 2 * correct / (said + meant), float(parse_response(response) is not None)
        return {"reward": r_a + self.beta * r_f, "r_a": r_a, "r_f": r_f}


class ColourChains:
    """One chain, and whether the teacher stands by it."""

    requests = 2

    async def __call__(self, ask: Ask, example: Example, index: int) -> Candidate:
        chain = await ask("distil", f"Why are the colours {', '.join(example.gold)}?")
        verdict = await ask("confirm", f"Is this right? {chain}", chain=chain)
        return Candidate(example.id, index, chain, {"confirmed": verdict == "yes"})


class ConfirmedFilter:
    """Keeps the chains that the teacher stands by."""

    def __call__(self, candidates: Sequence[Candidate], gold: Mapping[str, Any]) -> list[Candidate]:
        return [candidate for candidate in candidates if candidate.verdicts["confirmed"]]


class ColourTeacher(ScriptedTeacher):
    """Knows the colours; stands by all but a share ``unsure`` of its chains."""

    model: ClassVar[str] = "colour-template"
    known_by: ClassVar[str] = "icons"
    choice: ClassVar[str] = "colours"

    def __init__(self, *, unsure: float) -> None:
        super().__init__(seed=0, rates={"unsure": unsure})

    def write(self, request: Request) -> str:
        if request.purpose == "confirm":
            return "no" if self.errs(request, "unsure") else "yes"
        return f"the picture shows {' and '.join(request.example.gold)} ."


class ColourSource(GeneratedSource):
    """Pictures of one or two balls. A scene is a tuple of icons."""

    stream: ClassVar[str] = "colours"
    defaults: ClassVar[Mapping[str, int]] = {"train": 12, "val": 4, "test": 6}

    def distinct(self, split: str, rng: random.Random, count: int, seen: set[str]) -> list[Any]:
        return [self._scene(rng, seen) for _ in range(count)]

    def _scene(self, rng: random.Random, seen: set[str]) -> tuple[str, tuple[Icon, ...]]:
        text = f"picture {len(seen)}"
        seen.add(text)
        colours = rng.sample(list(COLOURS), rng.choice((1, 2)))
        return text, tuple((colour, "ball", place) for place, colour in enumerate(colours))

    def icons(self, scene: Any) -> tuple[Icon, ...]:
        return scene[1]

    def examples(self, scene: Any, picture: Picture, names: list[str]) -> list[Example]:
        text, icons = scene
        gold = tuple(sorted(colour for colour, _, _ in icons))
        return [Example(names[0], text, (picture,), gold, {"icons": [list(one) for one in icons]})]
