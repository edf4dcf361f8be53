"""Boxes of every plain kind are read, nothing is executed, and following the advice helps."""

import contextlib
import io
import pickle
from collections import OrderedDict, defaultdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmie.errors import InputError
from mmie.tasks.more.boxes import Boxes

BOX = (0.5, 0.25, 0.125, 0.0625)  # exact in half precision, too


def saved(folder: Path, content: Any, **options: Any) -> Path:
    path = folder / "ent_train_dict.pth"
    torch.save(content, path, **options)
    return path


def box_in(path: Path) -> tuple[float, ...]:
    return Boxes(path).of("1.jpg", "person_0", where="f:1")


def by_default(value: Any, factory: Any) -> Any:
    content = defaultdict(factory)
    content["1.jpg"] = value
    return content


INNER = {"person_0": BOX}
KINDS = {
    "tuple": {"1.jpg": INNER},
    "list": {"1.jpg": {"person_0": list(BOX)}},
    "list of numpy floats": {"1.jpg": {"person_0": [np.float32(v) for v in BOX]}},
    "tuple of mixed floats": {
        "1.jpg": {"person_0": (np.float64(0.5), 0.25, np.float16(0.125), 0.0625)}
    },
    "tensor": {"1.jpg": {"person_0": torch.tensor(BOX)}},
    "list of tensors": {"1.jpg": {"person_0": [torch.tensor(v) for v in BOX]}},
    "defaultdict": by_default(INNER, dict),
    "defaultdict of lists": by_default(defaultdict(list, INNER), list),
    "defaultdict without factory": by_default(INNER, None),
    "OrderedDict": OrderedDict({"1.jpg": OrderedDict(INNER)}),
    **{
        f"array of {kind}": {"1.jpg": {"person_0": np.array(BOX, dtype=kind)}}
        for kind in ("float16", "float32", "float64", ">f4")
    },
    "array in Fortran's order": {"1.jpg": {"person_0": np.array([BOX, BOX], order="F")[1]}},
}


@pytest.mark.parametrize("old", [False, True], ids=["zip", "old form"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_box_is_read_in_every_plain_kind(tmp_path: Path, kind: str, old: bool) -> None:
    path = saved(tmp_path, KINDS[kind], _use_new_zipfile_serialization=not old)
    assert box_in(path) == BOX


def test_arrays_written_by_numpy_1_are_read(tmp_path: Path) -> None:
    content = {"1.jpg": {"person_0": [np.float64(value) for value in BOX]}}
    path = saved(tmp_path, content, _use_new_zipfile_serialization=False)
    written = path.read_bytes()
    assert b"numpy._core.multiarray" in written
    path.write_bytes(written.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert box_in(path) == BOX


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        Boxes(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert not set("\n\x1b") & set(message)
    return message


FRACTIONS = {"1.jpg": {"person_0": [Fraction(value) for value in BOX]}}


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("class", "holds values of fractions.Fraction"),
        ("protocol 4", "is in a form that is not loaded safely"),
        ("pickle", "is a pickle that torch did not write"),
    ],
)
def test_the_advice_for_other_files_works(tmp_path: Path, form: str, reason: str) -> None:
    path = tmp_path / "ent_train_dict.pth"
    if form == "pickle":
        path.write_bytes(pickle.dumps({"1.jpg": INNER}))
    elif form == "class":
        saved(tmp_path, FRACTIONS)
    else:
        saved(tmp_path, KINDS["array of float32"], pickle_protocol=4)
    message = refusal(path)
    assert message.startswith(f"{path}: {reason}; if you trust its origin")
    exec(message.partition("in Python with: ")[2], {})
    assert box_in(path) == BOX


class Executed:
    """Unpickling it would create the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("kind", ["direct", "in a defaultdict", "in an array", "pickle"])
def test_nothing_in_the_file_is_executed(tmp_path: Path, kind: str) -> None:
    evil = Executed(tmp_path / "executed")
    content = {
        "direct": evil,
        "in a defaultdict": by_default({"person_0": evil}, dict),
        "in an array": {"1.jpg": {"person_0": np.array([evil, 1], dtype=object)}},
        "pickle": evil,
    }[kind]
    path = tmp_path / "ent_train_dict.pth"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        saved(tmp_path, content)
    refusal(path)
    assert not (tmp_path / "executed").exists()


def test_a_cut_file_is_to_be_downloaded_again(tmp_path: Path) -> None:
    path = saved(tmp_path, KINDS["tensor"])
    whole = path.read_bytes()
    for size in (4, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert "download or copy it again" in refusal(path)


def test_reading_leaves_torchs_own_list_alone(tmp_path: Path) -> None:
    before = list(torch.serialization.get_safe_globals())
    with contextlib.redirect_stderr(io.StringIO()) as noise:
        box_in(saved(tmp_path, KINDS["defaultdict"]))
    assert set(torch.serialization.get_safe_globals()) == set(before)
    assert noise.getvalue() == ""
