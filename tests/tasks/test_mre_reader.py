"""The reader of MNRE-2's facts: what it reads and refuses, and the numbers of the real files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers.configured import task_file
from mmie.data.source import SPLITS, check_splits, shared_sentences
from mmie.data.statistics import statistics
from mmie.errors import InputError
from mmie.tasks.mre.reader import MNREFacts
from mmie.tasks.mre.task import MRE
from mmie.tasks.responses import Direct
from mmie.types import Example, Picture

REAL = Path("../shared/data/mnre")
PATHS = list(task_file("mre").task.labels)
TASK = MRE(labels=PATHS, response=Direct())
FACT = {
    "token": ["Ann", "Lee", "of", "Apex"],
    "h": {"name": "Ann Lee", "pos": [0, 2]},
    "t": {"name": "Apex", "pos": [3, 4]},
    "img_id": "1.jpg",
    "relation": "/per/org/member_of",
}


def write(root: Path, *facts: Any, name: str = "mnre_train.txt") -> Path:
    path = root / name
    path.write_text("".join(f"{fact!r}\n" for fact in facts), encoding="utf-8")
    return path


def source(root: Path, **settings: Any) -> MNREFacts:
    return MNREFacts(
        root, root / "img_org", **{"labels": PATHS, "missing_images": "blank", **settings}
    )


def test_every_line_is_a_sample(tmp_path: Path) -> None:
    write(tmp_path, FACT, {**FACT, "relation": None}, {**FACT, "relation": "None"})
    first, *others = source(tmp_path).load("train")
    names = {"head": "Ann Lee", "tail": "Apex", "img_id": "1.jpg"}
    marked = "<head>Ann Lee</head> of <tail>Apex</tail>"
    assert first == Example(
        "train-00000",
        "Ann Lee of Apex",
        (Picture(None),),
        "per, org, member of",
        {**names, "marked": marked},
    )
    assert [one.gold for one in others] == ["none", "none"]


def test_a_name_that_stands_twice_is_marked_at_its_position(tmp_path: Path) -> None:
    twice = {"token": ["Apex", "of", "Ann", "Lee", "Apex"], "h": {"name": "Ann Lee", "pos": [2, 4]}}
    write(tmp_path, {**FACT, **twice, "t": {"name": "Apex", "pos": [4, 5]}})
    [one] = source(tmp_path).load("train")
    assert one.extra["marked"] == "Apex of <head>Ann Lee</head> <tail>Apex</tail>"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"token": "Ann"}, "not a line of MNRE-2"),
        ({"token": []}, "'token' must be a list of words"),
        ({"h": {"name": "Ann Lee"}}, "not a line of MNRE-2"),
        ({"h": {"name": "Ann Lee", "pos": [0, 1]}}, "the head 'Ann Lee' is not at its position"),
        ({"t": {"name": "Apex", "pos": [3, 9]}}, "the tail 'Apex' is not at its position [3, 9]"),
        ({"t": {"name": "Apex", "pos": [-1, 4]}}, "the tail 'Apex' is not at its position"),
        ({"t": {"name": " ", "pos": [3, 4]}}, "the name of the tail is blank"),
        ({"img_id": "../1.jpg"}, "img_id '../1.jpg' is no file name"),
        ({"relation": "/per/org/boss"}, "relation '/per/org/boss' is unknown"),
        ({"relation": "/org/per/member_of"}, "relation '/org/per/member_of' is unknown"),
        ({"relation": "member_of"}, "relation 'member_of' is unknown"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = write(tmp_path, FACT, {**FACT, **change}, FACT)
    with pytest.raises(InputError) as caught:
        source(tmp_path).load("train")
    assert str(caught.value).startswith(f"{path}:2: {message}")
    assert "\n" not in str(caught.value)


def test_no_literal_and_no_file(tmp_path: Path) -> None:
    path = write(tmp_path, FACT)
    path.write_text(path.read_text() + "{'token': \n")
    with pytest.raises(InputError, match=rf"^{path}:2: not a Python literal"):
        source(tmp_path).load("train")
    with pytest.raises(InputError, match=r"'mnre_val \.txt' or 'mnre_val\.txt'"):
        source(tmp_path).content()


def test_a_limit_stops_reading(tmp_path: Path) -> None:
    write(tmp_path, FACT, FACT, "broken")
    assert len(source(tmp_path, limit={"train": 2}).load("train")) == 2


def test_the_content_is_that_of_all_files(tmp_path: Path) -> None:
    names = ("mnre_train.txt", "mnre_val .txt", "mnre_test.txt")
    for name in names:
        write(tmp_path, FACT, name=name)
    digests = [source(tmp_path).content()]
    for name in names:
        write(tmp_path, FACT, FACT, name=name)
        digests.append(source(tmp_path).content())
    assert len(set(digests)) == 4


@pytest.fixture(scope="module")
def real() -> dict[str, list[Example]]:
    if not REAL.is_dir():
        pytest.skip(f"MNRE-2 is not at hand in {REAL}")
    return {split: source(REAL).load(split) for split in SPLITS}


def test_the_real_files_have_their_numbers(real: dict[str, list[Example]]) -> None:
    counted = statistics(real, TASK)
    labels = {split: counted[split]["labels"]["relation"] for split in SPLITS}
    sizes = {split: (counted[split]["facts"], labels[split]["none"]) for split in SPLITS}
    assert sizes == {"train": (12247, 7744), "val": (1624, 1000), "test": (1614, 974)}
    assert [len(labels[split]) for split in SPLITS] == [23, 23, 21]
    assert set(labels["train"]) == set(TASK.candidates)
    frequent = {"per, per, peer": 960, "per, org, member of": 872, "loc, loc, contain": 629}
    assert frequent.items() <= labels["train"].items()


def test_the_real_splits_share_no_sample(real: dict[str, list[Example]]) -> None:
    check_splits(real, TASK.fields)
    assert shared_sentences(real) == {"train/val": 5, "train/test": 2, "val/test": 1}


def test_every_real_label_is_read_back_and_every_pair_marked(
    real: dict[str, list[Example]],
) -> None:
    for one in real["test"]:
        answer = TASK.gold_answer(one)
        assert TASK.parse(answer) == TASK.read(answer, lenient=True).prediction == one.gold
        assert all(one.extra["marked"].count(f"<{tag}>") == 1 for tag in ("head", "tail"))
