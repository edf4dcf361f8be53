"""What the pipeline asks of a task. The task owns its prompt, its answers and its metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from mmie.tasks.responses import Response
from mmie.types import Example


class Task(Protocol):
    """A task with one way of responding.

    Attributes:
        name: as in ``results.json``.
        selection_metric: the key of ``score`` whose F1 chooses the best checkpoint.
    """

    name: ClassVar[str]
    selection_metric: ClassVar[str]

    @property
    def response(self) -> Response:
        """How it responds."""

    def prompt(self, example: Example) -> str:
        """The text that follows the pictures."""

    def target(self, example: Example, chain: str | None) -> str:
        """The response to learn; ``parse`` of it gives the gold."""

    def parse(self, response: str) -> Any | None:
        """The prediction, None where the response is invalid."""

    def answer_of(self, response: str) -> str:
        """The answer as it stands in the response, "" where there is none."""

    def gold_answer(self, example: Example) -> str:
        """The right answer as the response should hold it."""

    def correct(self, prediction: Any | None, example: Example) -> int:
        """What the sample adds to the count ``correct`` of ``selection_metric``."""

    def score(
        self, predictions: Sequence[Any | None], examples: Sequence[Example], *, bootstrap_samples: int, seed: int
    ) -> dict[str, dict[str, Any]]:
        """Measure → precision, recall, f1 (0..1), correct, predicted, gold (counts), ci95 of F1 (low, high)."""

    def revive_gold(self, value: Any) -> Any:
        """Gold in the task's own type, from the JSON value that it became."""
