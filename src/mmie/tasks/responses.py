"""Two ways to respond: think first, or answer at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mmie.parsing import parse_response
from mmie.text import break_tags


class Response(Protocol):
    """How a response is asked for, written and read."""

    @property
    def instruction(self) -> str:
        """What the prompt says about the form."""

    def wrap(self, chain: str | None, answer: str) -> str:
        """The response to learn."""

    def answer_of(self, response: str) -> str:
        """The answer in a response, "" where there is none."""


@dataclass(frozen=True)
class Reasoned:
    """``<think> chain </think> <answer> answer </answer>`` (JMERE-R1, Figure 11).

    All systems that reason respond like this.

    Attributes:
        instruction: the sentence that asks for this form; without one the prompt is silent on it.
    """

    instruction: str = ""

    def wrap(self, chain: str | None, answer: str) -> str:
        if chain is None:
            raise ValueError("a reasoned response needs a chain; learn answers alone with Direct")
        return f"<think> {break_tags(chain)} </think> <answer> {break_tags(answer)} </answer>"

    def answer_of(self, response: str) -> str:
        parsed = parse_response(response)
        return "" if parsed is None else parsed.answer


@dataclass(frozen=True)
class Direct:
    """The answer alone, and no word about the form: zero-shot (Appendix C) and answer-only SFT."""

    instruction: str = ""

    def wrap(self, chain: str | None, answer: str) -> str:
        return answer

    def answer_of(self, response: str) -> str:
        return response.strip()
