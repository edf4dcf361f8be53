"""How many tokens prompts and responses have, and the shape of the model: without its weights.

Tokens are exact where the checkpoint is a local folder, whose tokenizer is read. For a name of the
hub nothing is downloaded: text is estimated by its characters, and pictures by the backbone's rule.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from mmie.costs import Shape
from mmie.data.pictures import upright_size
from mmie.models.architecture import architecture
from mmie.models.backbone import defuse_markers, load_tokenizer, render_prompt, resolve_path
from mmie.types import Picture

TEMPLATE_TOKENS = 20  # of a chat template around one turn: Qwen2.5-VL's has 20, LLaVA-1.5's fewer
BLANK_SIZE = (112, 112)  # see ``open_picture``


def shape_of(config: Any, *, rank: int, value_bytes: int) -> Shape:
    """The shape of the language model in a transformers configuration."""
    text = config.get_text_config()
    heads = text.num_attention_heads
    return Shape(
        layers=text.num_hidden_layers,
        hidden=text.hidden_size,
        heads=heads,
        kv_heads=text.num_key_value_heads,
        head_size=getattr(text, "head_dim", None) or text.hidden_size // heads,
        inner=text.intermediate_size,
        vocabulary=text.vocab_size,
        rank=rank,
        value_bytes=value_bytes,
    )


@cache
def picture_size(picture: Picture) -> tuple[int, int]:
    """Width and height as the model gets the picture, cut to its box; nothing is decoded."""
    if picture.path is None:
        return BLANK_SIZE
    if picture.box is not None:
        left, upper, right, lower = picture.box
        return right - left, lower - upper
    return upright_size(picture.path)


class PromptTokens:
    """Counts the tokens of one backbone.

    Args:
        backbone: its class, which knows the number of tokens of a picture.
        settings: the arguments of the node ``model``.
        chars_per_token: of text, where there is no tokenizer at hand.

    Attributes:
        config: the transformers configuration.
        exact: whether a tokenizer is at hand.
    """

    def __init__(
        self, backbone: Any, settings: Mapping[str, Any], *, chars_per_token: float
    ) -> None:
        self.folder = resolve_path(settings["path"])
        self.config = architecture(settings["path"])
        self.exact = Path(self.folder).is_dir()
        self._tokenizer = load_tokenizer(self.folder) if self.exact else None
        self._chars_per_token = chars_per_token
        self._of_size = cache(backbone.picture_counter(self.config, self.folder, settings))

    def picture(self, picture: Picture) -> int:
        """Tokens of one picture."""
        return int(self._of_size(picture_size(picture)))

    def prompt(self, text: str, pictures: Sequence[Picture]) -> int:
        """Tokens of one user turn: the pictures, then the text."""
        in_pictures = sum(map(self.picture, pictures))
        if self._tokenizer is None:
            return in_pictures + TEMPLATE_TOKENS + self._estimated(text)
        placeholder = self._tokenizer.convert_ids_to_tokens(self.config.image_token_id)
        rendered = render_prompt(self._tokenizer, text, placeholder, [1] * len(pictures))
        ids = self._tokenizer(rendered)["input_ids"]
        return len(ids) - len(pictures) + in_pictures

    def response(self, text: str) -> int:
        """Tokens of a response, with the one that ends it."""
        if self._tokenizer is None:
            return self._estimated(text) + 1
        defused = defuse_markers(text, self._tokenizer)
        return len(self._tokenizer(defused, add_special_tokens=False)["input_ids"]) + 1

    def _estimated(self, text: str) -> int:
        return math.ceil(len(text) / self._chars_per_token)
