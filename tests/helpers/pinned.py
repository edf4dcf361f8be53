"""Whether this environment is the one that constraints.txt describes."""

from collections.abc import Iterable, Mapping
from importlib.metadata import distributions
from pathlib import Path

from packaging.utils import canonicalize_name

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"


def pins(lines: Iterable[str]) -> dict[str, str]:
    """Version by canonical name of every ``name==version`` line."""
    pairs = (line.split("==") for line in lines if line.strip() and not line.startswith("#"))
    return {canonicalize_name(name): version.strip() for name, version in pairs}


def installed() -> dict[str, str]:
    """Version by canonical name of every package that this Python sees."""
    found = ((one.metadata["Name"], one.version) for one in distributions())
    return {canonicalize_name(name): version for name, version in found if name}


def differences(pinned: Mapping[str, str], present: Mapping[str, str]) -> list[str]:
    """Packages that are pinned and present in another version; one that is absent is an extra."""
    both = sorted(pinned.keys() & present.keys())
    return [
        f"{name} {present[name]} (pinned: {pinned[name]})"
        for name in both
        if present[name] != pinned[name]
    ]


def drift() -> list[str]:
    """The differences between this environment and constraints.txt."""
    return differences(pins(CONSTRAINTS.read_text(encoding="utf-8").splitlines()), installed())
