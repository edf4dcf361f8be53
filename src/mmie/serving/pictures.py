"""Prompts and pictures as a vLLM server takes them."""

from __future__ import annotations

import io
from collections.abc import Sequence

from mmie.data.pictures import open_picture
from mmie.models.policy import Policy
from mmie.types import Picture


def png(policy: Policy, picture: Picture) -> bytes:
    """The picture as the policy's vision tower gets it, without loss."""
    opened = open_picture(picture, max_pixels=policy.max_pixels)
    buffer = io.BytesIO()
    policy.backbone.resized(opened).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def one_placeholder_each(ids: Sequence[int], placeholder: int, lengths: Sequence[int]) -> list[int]:
    """The prompt's ids with one placeholder for each picture; the server expands them again.

    Args:
        ids: with as many placeholders in a row as a picture has tokens.
        placeholder: the id.
        lengths: image tokens of each picture.
    """
    left, short, place = list(lengths), [], 0
    while place < len(ids):
        short.append(ids[place])
        place += left.pop(0) if ids[place] == placeholder else 1
    return short
