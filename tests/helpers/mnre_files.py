"""A data set in MNRE's layout, of two samples in each split."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

LINE = (
    "{{'token': ['Ann', 'Lee', 'of', 'Apex', 'Club', '{n}'], "
    "'h': {{'name': 'Ann Lee', 'pos': [0, 2]}}, 't': {{'name': 'Apex Club', 'pos': [3, 5]}}, "
    "'img_id': '{n}.jpg', 'relation': '/per/org/member_of'}}\n"
)


def write_mnre(root: Path) -> Path:
    """Texts and pictures; gives the folder."""
    for number, split in enumerate(("train", "val", "test")):
        (root / "img_org" / split).mkdir(parents=True)
        lines = [LINE.format(n=10 * number + place) for place in range(2)]
        (root / f"mnre_{split}.txt").write_text("".join(lines), encoding="utf-8")
        for place in range(2):
            picture = Image.new("RGB", (90 + 40 * place, 80), (number * 80, place * 200, 9))
            picture.save(root / f"img_org/{split}/{10 * number + place}.jpg")
    return root
