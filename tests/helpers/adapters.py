"""A digest that tells whether an adapter has changed."""

from __future__ import annotations

import hashlib
from typing import Any

from mmie.models.adapters import POLICY


def adapter_hash(policy: Any, name: str = POLICY) -> str:
    digest = hashlib.sha256()
    for key, value in sorted(policy.adapter_state(name).items()):
        digest.update(key.encode() + value.float().numpy().tobytes())
    return digest.hexdigest()
