"""Which configuration keys decide a result."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

from mmie.config import RunConfig
from mmie.settings import left_out


def effective(config: Mapping[str, Any]) -> dict[str, str]:
    """Dotted key → value of every setting on which some stage's result depends.

    The fields of ``RunConfig`` say through ``key`` in their metadata which ones do. Memory and
    speed settings, places and names do not, nor does an option that is off and that older runs do
    not know. Values that are not text are written as JSON.
    """
    return dict(_leaves(config, "", RunConfig))


def _leaves(value: Any, key: str, kind: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, part in value.items():
            if _counts(kind, name, part):
                inner = f"{key}.{name}" if key else name
                yield from _leaves(part, inner, _kind_of(kind, name))
    elif key:
        yield key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _counts(kind: Any, name: str, value: Any) -> bool:
    known = {field.name: field.metadata for field in fields(kind)} if kind else {}
    if name not in known:
        return True
    return bool(known[name].get("key", True)) and not left_out(known[name], value)


def _kind_of(kind: Any, name: str) -> Any:
    """The dataclass of a field, None for a plain value or an open node."""
    hint = get_type_hints(kind).get(name) if kind else None
    return next((part for part in (hint, *get_args(hint)) if is_dataclass(part)), None)
