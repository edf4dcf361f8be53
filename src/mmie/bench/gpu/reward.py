"""A reward for responses of random weights, which a task's own reward would all call worthless."""

from __future__ import annotations

import hashlib
from typing import Any


class TextReward:
    """A number in [0, 1) that depends on the response's text and on nothing else.

    So the rewards of a group differ, and a resumed run gives the same ones again.
    """

    def __call__(self, response: str, *_: Any) -> dict[str, float]:
        digest = hashlib.sha256(response.encode()).digest()
        return {"reward": int.from_bytes(digest[:6], "big") / 2**48}
