"""The values of one question of the stage predict, checked as the data are.

``where`` stands before the key in every message: ``predict.`` or ``tweets.jsonl:3: ``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmie.data.pictures import Box, clipped, unreadable, upright_size
from mmie.errors import InputError
from mmie.text import clean
from mmie.types import Picture


def question_text(row: Mapping[str, Any], key: str, where: str) -> str:
    """The text under a key, with white space folded; InputError where it is no text or blank."""
    if not isinstance(row[key], str):
        raise InputError(f"{where}{key}: {row[key]!r} is no text; put it into quotes")
    return clean(row[key], f"{where}{key}")


def question_picture(row: Mapping[str, Any], key: str, where: str) -> Picture:
    """The whole picture whose path stands under a key; InputError where it cannot be read.

    A relative path counts from ``row["folder"]`` if there is such a file, else from where the
    command runs.
    """
    value = row[key]
    try:
        beside = Path(row.get("folder", ""), value)
        path = beside if os.path.isfile(beside) else Path(value)
        readable = unreadable(path) is None
    except TypeError:
        readable = False
    if not readable:
        raise InputError(f"{where}{key}={value}: no readable picture there; give the path of one")
    return Picture(path)


def question_box(row: Mapping[str, Any], key: str, where: str, picture: Picture) -> Box:
    """The box under a key: left, upper, right and lower edge in pixels of the upright picture.

    Raises:
        InputError: it is no list of four whole numbers, or holds no pixel of the picture.
    """
    value = row[key]
    whole = isinstance(value, list) and len(value) == 4 and all(type(edge) is int for edge in value)
    if not whole:
        reason = f"{value!r} is no left, upper, right, lower in pixels"
        raise InputError(f"{where}{key}: {reason}; give four whole numbers")
    assert picture.path is not None
    size = upright_size(picture.path)
    left, upper, right, lower = value
    if clipped((left, upper, right, lower), size) is None:
        reason = f"{value} holds no pixel of the picture, whose size is {size}"
        raise InputError(f"{where}{key}: {reason}; correct it")
    return left, upper, right, lower
