"""Where the values of a key stand on an axis: numbers to scale, words evenly spaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

BANDS = 6  # up to so many values are evenly spaced bands; more numbers are drawn to scale
MARKS = 5  # on an axis to scale


@dataclass(frozen=True)
class Scaled:
    """Heights (0..1) of numbers, and the marks (height, text) beside them."""

    heights: list[float]
    marks: list[tuple[float, str]]


@dataclass(frozen=True)
class Upright:
    """An upright axis.

    Attributes:
        heights: value → height (0..1) of the middle of its band.
        width: of a band.
        marks: (height, text).
    """

    heights: dict[str, float]
    width: float
    marks: list[tuple[float, str]]

    def at(self, value: str, share: float) -> float:
        """The height of a value, at a share (0..1) of its band."""
        return self.heights[value] + self.width * (share - 0.5)


def numeric(values: Sequence[str]) -> bool:
    """Whether all values are finite numbers."""
    try:
        return bool(np.isfinite([float(value) for value in values]).all())
    except ValueError:
        return False


def logarithmic(numbers: Sequence[float]) -> bool:
    """Whether the logarithms are spread more evenly than the numbers themselves."""
    if min(numbers) <= 0 or min(numbers) == max(numbers):
        return False
    return _unevenness(np.log(numbers)) < _unevenness(np.asarray(numbers))


def _unevenness(numbers: np.ndarray) -> float:
    """How far the median is from the middle of the range, as a share of the range."""
    middle = (numbers.min() + numbers.max()) / 2
    return float(abs(np.median(numbers) - middle) / np.ptp(numbers))


def to_scale(numbers: Sequence[float], *, digits: int, log: bool = False) -> Scaled:
    """Equal numbers stand in the middle."""
    if min(numbers) == max(numbers):
        return Scaled([0.5] * len(numbers), [(0.5, f"{numbers[0]:.{digits}g}")])
    values = np.log10(numbers) if log else np.asarray(numbers)
    heights = (values - values.min()) / np.ptp(values)
    marks = []
    for height in np.linspace(0, 1, MARKS):
        value = values.min() + height * np.ptp(values)
        marks.append((float(height), f"{10**value if log else value:.{digits}g}"))
    return Scaled(heights.tolist(), marks)


def upright(values: Sequence[str], short: Callable[[str], str]) -> Upright:
    """The axis of a key with these values, in their order; ``short`` writes one of them."""
    if numeric(values) and len(values) > BANDS:
        numbers = [float(value) for value in values]
        scaled = to_scale(numbers, digits=2, log=logarithmic(numbers))
        return Upright(dict(zip(values, scaled.heights, strict=True)), 0, scaled.marks)
    heights = {value: (place + 0.5) / len(values) for place, value in enumerate(values)}
    marks = [(height, short(value)) for value, height in heights.items()]
    return Upright(heights, 0.6 / len(values), marks)
