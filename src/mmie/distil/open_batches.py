"""The batches that a server is working on, kept in a file beside the record.

A batch is in the file before the server hears of it, and until its answers are in the record.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import uuid4

from mmie.distil.teacher import Request
from mmie.errors import InputError
from mmie.files import write_json
from mmie.json_types import read_json
from mmie.types import Example


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What the record keeps of a request besides its answer."""

    purpose: str
    example_id: str
    candidate: int

    def request(self) -> Request:
        """A request with these, but without its text, for the record."""
        return Request(self.purpose, Example(self.example_id, "", (), ()), self.candidate, "")


@dataclass(frozen=True, kw_only=True)
class OpenBatch:
    """A batch that is started, or is about to be.

    Attributes:
        mark: by which the server's list of batches tells it from others.
        since: seconds of the epoch, before it was started.
        worst: dollars that it costs at most; 0 if there is no budget.
        requests: key → request.
        id: the server's name for it; "" until that has come.
    """

    mark: str
    since: float
    worst: float
    requests: dict[str, Waiting]
    id: str = ""


@dataclass(frozen=True)
class OpenBatches:
    """The content of the file."""

    batches: tuple[OpenBatch, ...] = field(default=())


def new_mark() -> str:
    """A mark that no other batch has."""
    return uuid4().hex


def batches_path(record: Path) -> Path:
    """The file beside a record."""
    return record.with_name(f"{record.stem}.batches.json")


def read_batches(path: Path) -> list[OpenBatch]:
    """The open batches; none if there is no file."""
    if not path.is_file():
        return []
    advice = "look at your batches on the server, then delete the file"
    return [*read_json(OpenBatches, path, what="open batches", advice=advice).batches]


def write_batches(path: Path, batches: list[OpenBatch]) -> None:
    """Writes the file, whole or not at all; without open batches it is deleted."""
    if batches:
        write_json(path, {"batches": [asdict(batch) for batch in batches]})
    else:
        path.unlink(missing_ok=True)


def check_no_batches(record: Path) -> None:
    """Refuses to ask one by one what a server may be answering in batches.

    Raises:
        InputError: there are open batches.
    """
    path = batches_path(record)
    if path.is_file():
        raise InputError(
            f"{path}: batches are under way whose answers are not in the record; fetch them with "
            "teacher.mode=batch, or delete the file and pay twice"
        )
