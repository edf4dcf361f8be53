"""What the ``config.json`` of a base says, before the base is loaded or even downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import errors, get_session, hf_hub_url, try_to_load_from_cache
from huggingface_hub.utils import build_hf_headers

from mmie.errors import InputError
from mmie.files import parse_json
from mmie.models.backbone import require_whole_weights, resolve_path

CONFIG = "config.json"
PATIENCE = 10.0  # seconds for the hub; a run that has all it needs must not wait for a network
# The hub's library has changed its HTTP library once, so the error is taken from there.
UNREACHABLE = (OSError, ValueError, errors.HTTPError)


def refuse_quantised(path: str) -> None:
    """Looks into the folder or the cache, or else asks the hub once.

    Args:
        path: a folder, a name on the hub, or ``mmie:…``.

    Raises:
        InputError: the base is quantised, or its folder is not there or holds no checkpoint. One
            that cannot be reached is not refused here: loading it says why.
    """
    folder = resolve_path(path)
    if Path(folder).is_dir() and not (Path(folder) / CONFIG).is_file():
        reason = f"there is no {CONFIG} in it"
        raise InputError(f"model.path={path}: {reason}; give the folder of a checkpoint")
    try:
        settings = parse_json(_content(folder))
    except UNREACHABLE:
        return
    if isinstance(settings, dict):
        require_whole_weights(settings, path)


def _content(path: str) -> str | bytes:
    if Path(path).is_dir():
        return (Path(path) / CONFIG).read_bytes()
    cached: Any = try_to_load_from_cache(path, CONFIG)
    if isinstance(cached, str):
        return Path(cached).read_bytes()
    url, headers = hf_hub_url(path, CONFIG), build_hf_headers()
    answer = get_session().get(url, headers=headers, follow_redirects=True, timeout=PATIENCE)
    return answer.raise_for_status().content
