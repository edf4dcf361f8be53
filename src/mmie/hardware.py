"""The names of the processor and the GPUs.

Another processor rounds sums differently, so a training gives another model there.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")


def hardware(proc: Path = PROC) -> str:
    """The model of the processor, then those of NVIDIA's cards, separated by commas.

    Where Linux does not name the processor it is the architecture, such as ``aarch64``.
    """
    processor = next(_values(proc / "cpuinfo", "model name"), platform.machine())
    files = sorted((proc / "driver/nvidia/gpus").glob("*/information"))
    cards = (card for file in files for card in _values(file, "Model"))
    return ", ".join([processor, *cards])


def _values(file: Path, field: str) -> Iterator[str]:
    """The values of the lines ``field: value``; none from a file that cannot be read."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == field:
            yield value.strip()
