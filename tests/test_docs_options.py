"""docs/options.md names every key of the configuration, in the row of its section."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from helpers.configured import run_config
from mmie.settings import CardConfig

PAGE = (Path(__file__).parents[1] / "docs/options.md").read_text(encoding="utf-8")


def keys() -> Iterator[tuple[str, str]]:
    """Section and key; the section is empty for keys without one."""
    config: Any = run_config()
    for entry in fields(config):
        value = getattr(config, entry.name)
        if is_dataclass(value):
            yield from ((entry.name, inner.name) for inner in fields(value))
        elif not isinstance(value, dict):
            yield "", entry.name
    yield from (("cards", inner.name) for inner in fields(CardConfig))
    yield from (("predict", name) for name in ("file", "adapter"))


def explained(section: str) -> str:
    """The rows of a section; those of ``plan`` have a table of their own."""
    if section == "plan":
        return PAGE.partition("### `plan`")[2].partition("\n## ")[0]
    first = "(none)" if not section else rf"[^|\n]*`{section}`[^|\n]*"
    pattern = re.compile(rf"^\| {first if section else re.escape(first)} \|.*$", re.MULTILINE)
    return "\n".join(pattern.findall(PAGE))


def test_every_key_is_explained() -> None:
    named = [*keys()]
    assert len(named) > 60
    assert [key for key in named if f"`{key[1]}`" not in explained(key[0])] == []
