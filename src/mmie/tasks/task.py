"""The contract between the engine and a task.

A task is one folder: how it asks, how it reads an answer, how it scores and how it explains a
mistake. The engine knows it through ``Task`` alone. ``Task`` is a base class and not a protocol,
because most tasks fill a prompt, wrap a response and score counts in the same way: a new task
writes ``read``, ``judge`` and ``counts`` and inherits the rest.
"""

# No ``from __future__ import annotations``: a task's arguments are checked against its signature,
# and inherited annotations that were strings could not be resolved in the task's own module.

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

from mmie.data.questions import question_picture, question_text
from mmie.metrics import Invalid, prf
from mmie.significance import bootstrap_interval
from mmie.tasks.responses import Response
from mmie.templates import Places, fill
from mmie.types import Example, Judged, Reading
from mmie.voting import most_frequent

Counts = tuple[int, int, int]  # correct, predicted, gold


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """A task with one way of responding.

    A prediction is of the task's own type, as gold is; None stands for a response without a valid
    answer. ``invalid`` is the number of items of a response that are wrong in form or label: they
    count as predicted and are never right.

    Attributes:
        response: how the model responds.
        instruction: the prompt; its places are filled by ``places``.
        name: the task's name in ``results.json``.
        method: the name of the system that the whole method trains.
        warmed_up: the name of the system after SFT on chains, before GRPO.
        chains_learned: the name of the system after SFT on chains where no GRPO follows.
        unit: what ``size`` counts, in the plural.
        asked: the keys that one question of the stage predict has.
        shown: the pictures of a prompt, in their order, in words.
        selection_metric: the measure of ``score`` whose F1 chooses the best checkpoint.
    """

    response: Response
    instruction: Annotated[str, Places(("text",))] = "{text}"

    name: ClassVar[str]
    method: ClassVar[str]
    warmed_up: ClassVar[str] = "warm-up"
    chains_learned: ClassVar[str] = "CoT-SFT"
    unit: ClassVar[str]
    asked: ClassVar[tuple[str, ...]] = ("image", "text")
    shown: ClassVar[tuple[str, ...]] = ("the picture",)
    selection_metric: ClassVar[str]

    # What every task writes.

    @abstractmethod
    def read(self, response: str, *, lenient: bool) -> Reading:
        """The prediction in a response.

        The strict reader is the one of the reward; the lenient one may pass over what is wrong.
        """

    @abstractmethod
    def judge(
        self, prediction: Any | None, example: Example, *, truncated: bool, invalid: int = 0
    ) -> list[Judged]:
        """The parts of an answer beside the gold, each with its kind of error.

        An answer that cannot be read begins with a part that says so. ``truncated`` says that the
        response was cut at the length limit.
        """

    @abstractmethod
    def counts(
        self, prediction: Any | None, example: Example, *, invalid: int = 0
    ) -> dict[str, Counts]:
        """Measure → (correct, predicted, gold) of one sample."""

    # Prompt and response.

    def places(self, example: Example) -> dict[str, str]:
        """What is filled into the places of the instruction."""
        return {"text": example.text}

    def prompt(self, example: Example) -> str:
        """The text that follows the pictures: the instruction, then the form of the response."""
        filled = fill(self.instruction, **self.places(example))
        return f"{filled} {self.response.instruction}".strip()

    def prompt_template(self) -> str:
        """The prompt with ``{key}`` for each value of a question, for those who ask elsewhere."""
        values = {key: f"{{{key}}}" for key in self.asked}
        return self.prompt(Example("", "{text}", (), None, values))

    def gold_answer(self, example: Example) -> str:
        """The right answer as a response should hold it."""
        return str(example.gold)

    def target(self, example: Example, chain: str | None) -> str:
        """The response to learn; ``parse`` of it gives the gold."""
        return self.response.wrap(chain, self.gold_answer(example))

    def answer_of(self, response: str) -> str:
        """The answer as it stands in the response, "" where there is none."""
        return self.response.answer_of(response)

    def parse(self, response: str) -> Any | None:
        """The prediction by the strict reader, which is the one of the reward."""
        return self.read(response, lenient=False).prediction

    # Samples.

    def question(self, row: Mapping[str, Any], where: str) -> Example:
        """An unlabelled sample from one question of the stage predict.

        Args:
            row: ``id``, a value for each key of ``asked``, and maybe ``folder``, in which a picture
                with a relative path is looked for first.
            where: stands before a key in messages.

        Raises:
            InputError: a value cannot be used.
        """
        picture = question_picture(row, "image", where)
        return Example(row["id"], question_text(row, "text", where), (picture,), None)

    def fields(self, example: Example) -> dict[str, Any]:
        """What else belongs to the sample's question, besides text and pictures, as JSON values."""
        return {}

    def labels_of(self, example: Example) -> Mapping[str, Sequence[str]]:
        """Group of labels → the labels of the sample, for the statistics of the data."""
        return {}

    def stratum(self, example: Example) -> str:
        """The class of the sample; a division of the data keeps the shares of the classes."""
        return self.gold_answer(example)

    def size(self, example: Example) -> int:
        """The number of ``unit`` in the sample."""
        return 1

    def revive_gold(self, value: Any) -> Any:
        """Gold in the task's own type, from the JSON value that it became."""
        return value

    # Predictions.

    def describe(self, prediction: Any) -> list[str]:
        """The prediction for a reader, one line for each part."""
        return [str(prediction)]

    def is_right(self, prediction: Any | None, example: Example, *, invalid: int = 0) -> bool:
        """Whether the whole answer is right: such a sample is an easy one."""
        parts = self.judge(prediction, example, truncated=False, invalid=invalid)
        return not any(part.kind for part in parts)

    def votes(self, predictions: Sequence[Any | None]) -> dict[str, Any | None]:
        """Way of voting → the prediction that several ones for one sample amount to."""
        return {"answer": most_frequent(predictions)}

    def score(
        self,
        predictions: Sequence[Any | None],
        examples: Sequence[Example],
        *,
        bootstrap_samples: int,
        seed: int,
        invalid: Invalid = None,
    ) -> dict[str, dict[str, Any]]:
        """Measure → precision, recall, f1 (0..1), correct, predicted, gold (counts), ci95 of F1.

        ``ci95`` is [low, high] of the bootstrap over samples; without bootstrap samples it is
        [0, 1], which says nothing.
        """
        none = [0] * len(examples)
        pairs = zip(predictions, examples, invalid or none, strict=True)
        counts = [self.counts(said, example, invalid=wrong) for said, example, wrong in pairs]
        scores = {}
        for measure in counts[0] if counts else ():
            rows = [row[measure] for row in counts]
            interval = (0.0, 1.0)
            if bootstrap_samples:
                interval = bootstrap_interval(rows, samples=bootstrap_samples, seed=seed)
            totals = prf(*map(sum, zip(*rows, strict=True)))
            scores[measure] = {**asdict(totals), "ci95": list(interval)}
        return scores

    def breakdown(
        self,
        predictions: Sequence[Any | None],
        examples: Sequence[Example],
        *,
        invalid: Invalid = None,
    ) -> dict[str, dict[str, dict[str, Any]]]:
        """Group → label → the scores of that label, the main group first."""
        return {}
