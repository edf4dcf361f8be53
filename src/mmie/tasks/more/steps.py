"""The numbered steps of a chain."""

from __future__ import annotations

import re

_STEP = re.compile(
    r"^[ \t#*_>\[(-]*+(?:\d++[.)][ \t*_]*+)?step\s*+#?(\d++)(?![^\W_])"
    r"|\bstep\s*+(\d++)[\s*]*+:",
    re.IGNORECASE | re.MULTILINE,
)
_AROUND_STEP = " \t\r\n:*#"
_BEHIND_HEADING = _AROUND_STEP + "_])"


def parse_steps(chain: str, *, steps: int) -> list[str] | None:
    """The text under each of the headings ``Step 1`` … ``Step <steps>``.

    A heading begins a line, be it behind marks or the number of a list (``## Step 1``,
    ``1. **Step 1**``, ``[Step 1]``), or has a colon behind its number; case does not matter. What
    stands before the first heading belongs to none. The texts are without white space, colons and
    marks around them.

    Returns:
        None unless each heading stands there once, in order.
    """
    headings = list(_STEP.finditer(chain))
    numbers = [heading[1] or heading[2] for heading in headings]
    if numbers != [str(number) for number in range(1, steps + 1)]:
        return None
    ends = [*(heading.start() for heading in headings[1:]), len(chain)]
    return [
        chain[heading.end() : end].lstrip(_BEHIND_HEADING).rstrip(_AROUND_STEP)
        for heading, end in zip(headings, ends, strict=True)
    ]
