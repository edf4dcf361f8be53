"""An answer of the teacher and the state that it is in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

State = Literal["whole", "cut", "refused", "empty"]
STATES: tuple[str, ...] = get_args(State)


@dataclass(frozen=True)
class Answer:
    """What came of one request.

    Attributes:
        text: all of it that there is, also where it was cut or refused.
        state: ``whole``; ``cut`` at the token limit; ``refused`` by server or model; ``empty``.
        details: what the server said about it, as JSON values: ``finish_reason``, ``usage``,
            ``seconds``, ``served_model``, and ``reason`` where it is refused.
        final: False where the request was turned away unpaid and for another reason than its
            content (too long, say): the next start asks again, as the server may have been set up
            anew.
    """

    text: str
    state: State = "whole"
    details: Mapping[str, Any] = field(default_factory=dict)
    final: bool = True

    @property
    def usable(self) -> str:
        """The text of a whole answer, "" of any other."""
        return self.text if self.state == "whole" else ""
