"""Texts that OmegaConf parses again and again are parsed once per process.

A suite composes several hundred configurations from the same few files. Reading YAML and the
grammar of interpolations is half of that work, and depends on nothing but the text.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import omegaconf._utils
import omegaconf.base
from omegaconf import OmegaConf

LOAD = OmegaConf.load
_loaded: dict[str, Any] = {}


def install() -> None:
    OmegaConf.load = staticmethod(_load)  # type: ignore[method-assign]
    parse = cache(omegaconf._utils.parse)
    omegaconf._utils.parse = omegaconf.base.parse = parse


def _load(file: Any) -> Any:
    if not hasattr(file, "read"):
        with Path(file).open(encoding="utf-8") as opened:
            return _load(opened)
    text = file.read()
    if text not in _loaded:
        file.seek(0)
        _loaded[text] = LOAD(file)  # which names the file in its errors
    return deepcopy(_loaded[text])
