"""What the pipeline asks of a task. The task owns its prompt, its answers and its metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from mmie.metrics import Invalid
from mmie.tasks.responses import Response
from mmie.types import Example, Reading


class Task(Protocol):
    """A task with one way of responding.

    Attributes:
        name: as in ``results.json``.
        method: what the whole method is called in the run's table, and ``warmed_up`` what its first stage is.
        chains_learned: what SFT on chains is called where no GRPO follows.
        unit: what the samples' labels are counted in.
        asked: the keys of ``predict`` that a sample of the task is made of.
        selection_metric: the key of ``score`` whose F1 chooses the best checkpoint.

    ``invalid`` is what the lenient reader counts: items that were tried and are wrong in form or label. They are
    predicted and never right.
    """

    name: ClassVar[str]
    method: ClassVar[str]
    warmed_up: ClassVar[str]
    chains_learned: ClassVar[str]
    unit: ClassVar[str]
    asked: ClassVar[tuple[str, ...]]
    selection_metric: ClassVar[str]

    @property
    def response(self) -> Response:
        """How it responds."""

    def prompt(self, example: Example) -> str:
        """The text that follows the pictures."""

    def target(self, example: Example, chain: str | None) -> str:
        """The response to learn; ``parse`` of it gives the gold."""

    def parse(self, response: str) -> Any | None:
        """The prediction by the strict reader, that of the reward; None where the response is invalid."""

    def read(self, response: str, *, lenient: bool) -> Reading:
        """The prediction of an evaluation: by the lenient reader, or as ``parse`` gives it."""

    def answer_of(self, response: str) -> str:
        """The answer as it stands in the response, "" where there is none."""

    def gold_answer(self, example: Example) -> str:
        """The right answer as the response should hold it."""

    def shown(self, prediction: Any) -> list[str]:
        """The prediction for a reader, a line each."""

    def labels_of(self, example: Example) -> Mapping[str, Sequence[str]]:
        """Group of labels → those of the sample, for the statistics of the data; the group ``relations`` is in every task."""

    def is_right(self, prediction: Any | None, example: Example, *, invalid: int = 0) -> bool:
        """Whether the whole answer is right: such a sample is an easy one."""

    def correct(self, prediction: Any | None, example: Example) -> int:
        """How much of the sample is right, as a count."""

    def counts(
        self, prediction: Any | None, example: Example, *, invalid: int = 0
    ) -> dict[str, tuple[int, int, int]]:
        """Measure → (correct, predicted, gold) of the sample; what a paired test of two runs is computed from."""

    def errors(
        self, prediction: Any | None, example: Example, *, truncated: bool, invalid: int = 0
    ) -> Counter[str]:
        """Kind of error (``mmie.error_kinds``) → count."""

    def confused(self, prediction: Any | None, example: Example) -> Counter[tuple[str, str]]:
        """(gold relation, predicted relation) → count, right ones included; "" stands for nothing."""

    def breakdown(
        self,
        predictions: Sequence[Any | None],
        examples: Sequence[Example],
        *,
        invalid: Invalid = None,
    ) -> dict[str, Any]:
        """``per_relation`` and ``per_type``: label → scores and counts; more where the task has more."""

    def score(
        self,
        predictions: Sequence[Any | None],
        examples: Sequence[Example],
        *,
        bootstrap_samples: int,
        seed: int,
        invalid: Invalid = None,
    ) -> dict[str, dict[str, Any]]:
        """Measure → precision, recall, f1 (0..1), correct, predicted, gold (counts), ci95 of F1 (low, high); more where it has more."""

    def votes(self, predictions: Sequence[Any | None]) -> dict[str, Any | None]:
        """What several predictions for one sample amount to: way of voting → prediction, None where there is none."""

    def revive_gold(self, value: Any) -> Any:
        """Gold in the task's own type, from the JSON value that it became."""
