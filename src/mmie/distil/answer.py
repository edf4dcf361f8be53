"""An answer of the teacher, and its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

State = Literal["whole", "cut", "refused", "empty"]
STATES: tuple[str, ...] = get_args(State)


@dataclass(frozen=True)
class Answer:
    """The outcome of one request.

    Attributes:
        text: everything that arrived, also if the answer was cut or refused.
        state: ``whole``; ``cut`` at the token limit; ``refused`` by server or model; ``empty``.
        details: what the server said about the answer, as JSON values: ``finish_reason``,
            ``usage``, ``seconds``, ``served_model``, and for a refusal its ``reason``.
        final: False if the request was refused unpaid and for another reason than its content, for
            example because it is too long. The next run asks again, because the server may have
            been configured differently in the meantime.
    """

    text: str
    state: State = "whole"
    details: Mapping[str, Any] = field(default_factory=dict)
    final: bool = True

    @property
    def usable(self) -> str:
        """The text of a whole answer, "" of any other."""
        return self.text if self.state == "whole" else ""
