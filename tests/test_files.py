"""Files are replaced whole or not at all, and finished JSON lines are read with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmie.errors import InputError
from mmie.files import read_jsonl, replacing


@pytest.mark.parametrize("durable", [True, False])
def test_what_was_written_replaces_the_file_at_the_end(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "new folder" / "a"
    with replacing(path, durable=durable) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def fail_half_way(path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_text("half of the ne")
        raise KeyError


def test_an_error_keeps_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(KeyError):
        fail_half_way(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match=r"file/a: cannot be written \("),
        replacing(tmp_path / "file" / "a"),
    ):
        pass


def number(row: Any) -> int:
    return int(row["n"])


def read(path: Path) -> list[int]:
    return read_jsonl(path, number, what="a number", remedy="count again")


def test_json_lines_are_built_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"n": 1}\n{"n": "2"}\n')
    assert read(path) == [1, 2]
    path.write_text("")
    assert read(path) == []


@pytest.mark.parametrize("line", ["", "{", "[]", "3", '{"m": 1}', '{"n": "x"}', "[" * 100_000])
def test_a_broken_line_is_named_with_its_remedy(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"n": 1}}\n{line}\n{{"n": 3}}\n')
    with pytest.raises(InputError) as error:
        read(path)
    assert str(error.value) == f"{path}:2: not a number; count again"


def test_a_missing_file_is_named_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.jsonl: cannot be read \(.*\); count again"):
        read(tmp_path / "a.jsonl")
