"""An answer of the teacher, and its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

State = Literal["whole", "cut", "refused", "failed", "empty"]
STATES: tuple[str, ...] = get_args(State)


@dataclass(frozen=True)
class Answer:
    """The outcome of one request.

    Attributes:
        text: everything that arrived, also if the answer was cut or refused.
        state: ``whole``; ``cut`` at the token limit; ``refused`` by server or model; ``failed`` if
            the server broke down at this request on every try; ``empty``.
        details: what is known about the answer, as JSON values: ``finish_reason``, ``usage``,
            ``seconds``, ``served_model``, the ``dollars`` that it cost, and for a refusal or a
            failure its ``reason``.
        final: False if the request failed, or was refused unpaid and for another reason than its
            content, for example because it is too long. The next run asks again, because the
            server may have been mended or configured differently in the meantime.
    """

    text: str
    state: State = "whole"
    details: Mapping[str, Any] = field(default_factory=dict)
    final: bool = True

    @property
    def usable(self) -> str:
        """The text of a whole answer, "" of any other."""
        return self.text if self.state == "whole" else ""
