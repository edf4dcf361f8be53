"""JMERE V1, rebuilt from the public text files of MNRE-2 (JMERE-R1 section 4.1).

A sample is a run of neighbouring lines that have a relation and equal tokens. So a line without a
relation ends a sample, and the same tweet further down is another sample: 3,618 / 496 / 475 samples
with 4,503 / 624 / 640 quintuples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from mmie.data.files import file_of
from mmie.data.literals import literals
from mmie.data.source import picture_name, text_of
from mmie.errors import InputError
from mmie.tasks.jmere.annotations import AnnotatedFiles, Sample
from mmie.types import Quintuple

FILES = {
    "train": ["mnre_train.txt"],
    "val": ["mnre_val .txt", "mnre_val.txt"],
    "test": ["mnre_test.txt"],
}
NONE = "none"  # however it is capitalised


@dataclass(frozen=True)
class _Line:
    tokens: list[str]
    img_id: str
    quintuple: Quintuple | None
    where: str


class MNRE(AnnotatedFiles):
    """Python-literal dicts, one per line: ``token``, ``h``, ``t``, ``img_id`` and ``relation``.

    ``h`` and ``t`` are the two entities, each with ``name``. In the folder lie ``mnre_train.txt``,
    ``mnre_val .txt`` (with or without the blank) and ``mnre_test.txt``.

    Args, Raises: see ``AnnotatedFiles``; a broken file is named with its line.
    """

    def _file(self, split: str) -> Path:
        return file_of(self.root, *FILES[split])

    def _samples(self, path: Path) -> Iterator[Sample]:
        lines = self._lines(path)
        for (labelled, _), run in groupby(
            lines, key=lambda line: (line.quintuple is not None, line.tokens)
        ):
            if labelled:
                first, *others = run
                quintuples = dict.fromkeys(
                    line.quintuple for line in (first, *others) if line.quintuple
                )
                yield Sample(text_of(first.tokens, first.where), first.img_id, tuple(quintuples))

    def _lines(self, path: Path) -> Iterator[_Line]:
        for where, line in literals(path):
            match line:
                case {
                    "token": [*tokens],
                    "h": {"name": str(head)},
                    "t": {"name": str(tail)},
                    "img_id": str() | int() as img_id,
                    "relation": (str() | None) as relation,
                }:
                    quintuple = self._quintuple(head, tail, relation, where)
                    yield _Line(tokens, picture_name(img_id, where), quintuple, where)
                case _:
                    needed = "token, h and t with a name, img_id and relation"
                    raise InputError(f"{where}: not a line of MNRE-2; it needs {needed}")

    def _quintuple(
        self, head: str, tail: str, relation: str | None, where: str
    ) -> Quintuple | None:
        if relation is None or relation.strip().lower() == NONE:
            return None
        match relation.strip().split("/"):
            case ["", head_type, tail_type, name]:
                return self.labels.checked(Quintuple(head, head_type, tail, tail_type, name), where)
        raise InputError(
            f"{where}: relation {relation!r} is not of the form /per/org/member_of; correct it"
        )
