"""The answers of several systems, put together by sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmie.errors import InputError
from mmie.reporting.casebook.answers import RIGHT, Answer, Model
from mmie.types import Judged, Picture


@dataclass(frozen=True)
class Case:
    """One sample with the answer of each system, None where a system has none to it."""

    id: str
    text: str
    fields: dict[str, str]
    gold: tuple[tuple[str, ...], ...]
    pictures: tuple[Picture, ...]
    answers: tuple[Answer | None, ...]

    @property
    def labels(self) -> list[str]:
        """The labels of the gold parts, each once."""
        return [*dict.fromkeys(part[-1] for part in self.gold if part)]

    @property
    def gold_in_words(self) -> str:
        return "; ".join(map(in_words, self.gold)) or "nothing"


def merged(models: Sequence[Model], limit: int | None = None) -> list[Case]:
    """The first ``limit`` samples, in the order in which they come.

    Raises:
        InputError: two files have the same id with another text or gold.
    """
    first: dict[str, tuple[Answer, Model]] = {}
    for model in models:
        for answer in model.answers.values():
            known, other = first.setdefault(answer.id, (answer, model))
            if (answer.text, answer.gold) != (known.text, known.gold):
                raise InputError(
                    f"{model.path}: sample {answer.id} has another text or gold"
                    f" than in {other.path}; give runs over the same test set"
                )
    return [_case([model.answers.get(id) for model in models]) for id in [*first][:limit]]


def most_telling(cases: Sequence[Case]) -> Case:
    """The first sample that the last system has right and the fewest others have."""
    right = [case for case in cases if _is_right(case.answers[-1])] or cases
    return min(right, key=lambda case: sum(map(_is_right, case.answers)))


def mark(part: Judged) -> str:
    """One part of an answer in one line: ✓ right, ✗ wrong (→ what was meant), ∅ missed."""
    if not part.kind:
        return f"✓ {in_words(part.said or ())}"
    if part.said is None:
        return f"∅ {in_words(part.meant)} ({part.kind})" if part.meant else f"✗ {part.kind}"
    meant = f" → {in_words(part.meant)}" if part.meant else ""
    return f"✗ {in_words(part.said)}{meant} ({part.kind})"


def in_words(part: Sequence[str]) -> str:
    return " · ".join(part)


def _is_right(answer: Answer | None) -> bool:
    return answer is not None and answer.verdict == RIGHT


def _case(answers: Sequence[Answer | None]) -> Case:
    """The pictures are those of the first run that still has them, the fields those of all."""
    given = [answer for answer in answers if answer]
    pictures = [answer.pictures for answer in given if all(map(_is_there, answer.pictures))]
    fields = {key: value for answer in given for key, value in (answer.fields or {}).items()}
    first = given[0]
    return Case(
        id=first.id,
        text=first.text,
        fields=fields,
        gold=_parts(first.gold),
        pictures=(*pictures, first.pictures)[0],
        answers=tuple(answers),
    )


def _is_there(picture: Picture) -> bool:
    return picture.path is not None and picture.path.is_file()


def _parts(gold: Any) -> tuple[tuple[str, ...], ...]:
    """Gold, a JSON value, as parts of text: a list of lists, or one value that is the only part."""
    if not isinstance(gold, list):
        return ((str(gold),),)
    return tuple(tuple(map(str, part)) if isinstance(part, list) else (str(part),) for part in gold)
