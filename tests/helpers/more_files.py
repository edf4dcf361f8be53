"""A data set in MORE's layout, made of a few facts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from helpers.labels import LABELS

BOXES = {
    "1.jpg": {"person_0": (0.5, 0.5, 0.5, 0.5), "person_1": (0.25, 0.25, 0.5, 0.5)},
    "2.jpg": {"person_0": (0.5, 0.5, 1.0, 1.0)},
}


def fact(
    text: str = "Obama visits Kenya",
    relation: str | None = "none",
    *,
    entity: str = "Kenya",
    name: str = "person_0",
    img_id: str = "1.jpg",
) -> dict[str, Any]:
    h, t = {"name": entity, "pos": [2, 3]}, {"name": name, "pos": [0.5, 0.5, 0.5, 0.5]}
    return {"token": text.split(), "relation": relation, "h": h, "t": t, "img_id": img_id}


def write_split(
    root: Path, split: str, facts: Sequence[Any], *, boxes: Any = BOXES, in_txt: bool = False
) -> Path:
    """Writes a split under its name on disk (``valid``) and returns the text file.

    A fact may also be given as a line of text.
    """
    text = root / "txt" / f"{split}.txt"
    text.parent.mkdir(parents=True, exist_ok=True)
    text.write_text("".join(f"{one}\n" for one in facts), encoding="utf-8")
    torch.save(boxes, (text.parent if in_txt else root) / f"ent_{split}_dict.pth")
    return text


def write_picture(root: Path, split: str, name: str, size: tuple[int, int] = (40, 20)) -> Path:
    path = root / "img_org" / split / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (255, 0, 0)).save(path)
    return path


def write_labels(
    root: Path, labels: Sequence[str] = LABELS, *, more: Mapping[str, Any] | None = None
) -> Path:
    path = root / "rel2id.json"
    numbers = {label: number for number, label in enumerate(labels, start=1)}
    path.write_text(json.dumps({"none": 0, **numbers, **(more or {})}))
    return path
