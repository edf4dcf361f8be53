"""The body of a request to a server, and what it costs at most."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from mmie.distil.teacher_pictures import encode_for_teacher
from mmie.errors import InputError
from mmie.spending import Tokens, price_of
from mmie.types import Example

# Fields of a request that we set ourselves: each request wants one whole answer to our question.
RESERVED = ("model", "messages", "stream", "n")
LIMITS = ("max_completion_tokens", "max_tokens")  # names that servers give the limit of an answer
# What the worst case of a request is made of: a token is at least one byte of text, and a picture
# has at most 4 × 2 tiles, see ``mmie.distil.estimate``.
FRAME = 32  # tokens of the message around the text
MOST_TILES = 8
PRICES = ("input", "cached", "output", "picture", "tile")


def request_fields(own: Mapping[str, Any], further: Mapping[str, Any]) -> dict[str, Any]:
    """All fields that have a value.

    Raises:
        InputError: a further field would replace one of ours.
    """
    for name, value in further.items():
        if name in RESERVED:
            raise InputError(f"teacher.request.{name}: mmie sets it itself; remove it")
        if name in own and value is not None:
            raise InputError(f"teacher.request.{name}: set teacher.{name} instead")
        if name == "extra_body":
            raise InputError(
                "teacher.request.extra_body: the server has no such field; put its fields into "
                "teacher.request itself"
            )
    fields = {**own, **further}
    return {name: value for name, value in fields.items() if value is not None}


def message_parts(example: Example, prompt: str, *, max_pixels: int) -> list[dict[str, Any]]:
    """The pictures of the sample, then the question."""
    parts: list[dict[str, Any]] = []
    for picture in example.pictures:
        if picture.path is not None:
            encoded = encode_for_teacher(picture, max_pixels=max_pixels)
            data = base64.b64encode(encoded.data).decode()
            url = f"data:image/{encoded.kind};base64,{data}"
            parts.append({"type": "image_url", "image_url": {"url": url}})
    return [*parts, {"type": "text", "text": prompt}]


def answer_limit(parameters: Mapping[str, Any]) -> int | None:
    """Tokens of an answer at most, of all that the model writes; None if there is no limit."""
    limits = [parameters[name] for name in LIMITS if name in parameters]
    return int(limits[0]) if limits else None


def worst_case(example: Example, prompt: str, *, limit: int, prices: Mapping[str, float]) -> float:
    """Dollars that a request costs at most.

    Args:
        example: its pictures go with the question.
        prompt: the text of the question.
        limit: tokens of the answer at most.
        prices: see ``mmie.distil.teacher.Teacher.price``.
    """
    pictures = sum(one.path is not None for one in example.pictures)
    picture = int(prices["picture"] + MOST_TILES * prices["tile"])
    tokens = len(prompt.encode()) + FRAME + pictures * picture
    return price_of(Tokens(tokens, 0, limit), prices) or 0.0


def price_in(prices: Mapping[str, Any], model: str) -> Mapping[str, float] | None:
    """What a model costs; None if it is not listed.

    Raises:
        InputError: its line lacks a price, or has something else.
    """
    price = prices.get(model)
    if price is None:
        return None
    where = f"teacher.prices.{model}"
    good = isinstance(price, Mapping) and all(
        type(value) in (int, float) and value >= 0 for value in price.values()
    )
    names = set(price) if good else set()
    if not {"input", "output"} <= names <= set(PRICES) or ("picture" in names) != ("tile" in names):
        raise InputError(
            f"{where}: it needs numbers of 0 or more for input and output, and may have cached, "
            "and picture with tile; correct it"
        )
    return {name: float(price[name]) for name in price}


def reduced(price: Mapping[str, float], factor: float) -> dict[str, float]:
    """Prices of tokens times a factor; how many tokens a picture has stays."""
    tokens = ("input", "cached", "output")
    return {name: value * factor if name in tokens else value for name, value in price.items()}
