"""The devices that the jobs of a sweep share, and which of them a job gets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from mmie.errors import InputError

KEY = "hydra.launcher.devices"
VARIABLE = "CUDA_VISIBLE_DEVICES"


def all_devices(configured: Any) -> list[str]:
    """The devices in the words of ``CUDA_VISIBLE_DEVICES``: numbers, or names such as ``GPU-…``.

    Args:
        configured: the value of ``hydra.launcher.devices``. None stands for what the environment
            variable names, or without it for all that torch sees.

    Raises:
        InputError: there is none, one is named twice, or one is hidden from this process.
    """
    visible = _visible()
    if configured is None:
        named = [str(number) for number in range(_count())] if visible is None else visible
        return _sound(named, KEY if visible is None else VARIABLE)
    if not _is_list(configured):
        raise InputError(f"{KEY}: it must be a list such as [0,1]")
    named = _sound([str(device).strip() for device in configured], KEY)
    hidden = [device for device in named if visible and device not in visible]
    if hidden:
        raise InputError(f"{KEY}: {hidden[0]} is not in {VARIABLE}={','.join(visible or [])}")
    return named


def _is_list(value: Any) -> bool:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return False
    return all(type(item) in (int, str) for item in value)


def _visible() -> list[str] | None:
    """What the variable names; CUDA ignores everything from a negative number on."""
    text = os.environ.get(VARIABLE)
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    ends = [place for place, name in enumerate(names) if not name or name.startswith("-")]
    return names[: ends[0]] if ends else names


def _count() -> int:
    import torch  # seconds, which only this needs

    return torch.cuda.device_count()


def _sound(devices: list[str], where: str) -> list[str]:
    if not devices:
        remedy = f"name devices, as in {KEY}=[0,1], or leave hydra/launcher=gpus out"
        raise InputError(f"{where}: no GPU found; {remedy}")
    for place, device in enumerate(devices):
        if device in devices[:place]:
            raise InputError(f"{where}: {device} is named twice; each job has devices of its own")
    return devices
