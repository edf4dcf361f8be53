"""How numbers are written, the same on terminals and in Markdown, LaTeX and figures."""

from __future__ import annotations

from collections.abc import Sequence

from mmie.significance import mean_and_deviation

NOTHING = "–"


def percent(share: float | None) -> str:
    """A share of 0..1 in %; a dash for None."""
    return NOTHING if share is None else f"{100 * share:.1f}"


def with_interval(share: float, interval: Sequence[float] | None) -> str:
    """``F1 [low, high]`` in %, from shares of 0..1; without an interval the value alone."""
    if interval is None:
        return percent(share)
    low, high = interval
    return f"{percent(share)} [{percent(low)}, {percent(high)}]"


def over_seeds(shares: Sequence[float], interval: Sequence[float] | None) -> str:
    """Mean ± standard deviation (n − 1) in %; one seed's value with its own interval."""
    average, deviation = mean_and_deviation(shares)
    if deviation is None:
        return with_interval(average, interval)
    return f"{percent(average)} ± {percent(deviation)}"


def signed(number: float, digits: int = 1) -> str:
    """With its sign and a real minus; what rounds to 0 is +0."""
    return f"{round(number, digits) + 0.0:+.{digits}f}".replace("-", "−")


def p_value(p: float) -> str:
    """Three digits, or ``< 0.001``."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
