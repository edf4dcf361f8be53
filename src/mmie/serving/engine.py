"""What rollouts, evaluation, votes and predictions need of whoever samples the responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mmie.models.backbone import Prompt
from mmie.models.batch import Completions
from mmie.types import Picture, Sampling


@dataclass(frozen=True)
class Question:
    """One prompt to be answered.

    Attributes:
        id: of the sample, for messages.
        pictures: as they stand in the prompt.
        prompt: text and pictures, encoded.
    """

    id: str
    pictures: Sequence[Picture]
    prompt: Prompt


class Engine(Protocol):
    """Samples from the policy as it is at the time, with the adapter that is active.

    Attributes:
        name: as the files of answers say it, with the version; "" for this process.
    """

    name: str

    def sample(
        self,
        questions: Sequence[Question],
        keys: Sequence[str],
        *,
        sampling: Sampling,
        group_size: int = 1,
        side_by_side: int | None = None,
    ) -> Completions:
        """Draws the same number of responses to each question.

        Sampling is neutral: only the temperature divides the logits, and no marker is drawn.

        Args:
            questions: B prompts.
            keys: what seeds the responses, for example "rollout-<seed>-<step>-<sample>". There is
                the same number of keys for each question, and those of one follow each other.
            sampling: temperature and length limit.
            group_size: responses for each key.
            side_by_side: how many responses are decoded at once, which bounds memory; None decodes
                all. An engine that bounds its memory itself does not need it.

        Returns:
            len(keys)·group_size completions; those of one key follow each other.

        Raises:
            NotFiniteLogitsError: the model gives NaN or infinity.
            InputError: a server cannot be asked, or does not serve what it should.
        """

    def close(self) -> None:
        """Frees what the engine holds. It is not used after that."""
