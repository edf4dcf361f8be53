"""Figure 6: the teacher's scores beside people's."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mmie.errors import InputError
from mmie.reporting.figures import human
from mmie.reporting.figures.human import agreement

HEADER = "id,candidate,annotator,score\n"


@pytest.fixture
def candidates(tmp_path: Path) -> Path:
    return written(tmp_path, 0.8, 0.5, None, 1)


def written(folder: Path, *scores: Any) -> Path:
    """Chains 0, 1, … of sample s."""
    rows = [
        {"example_id": "s", "index": index, "chain": "", "verdicts": {"score": score}}
        for index, score in enumerate(scores)
    ]
    (folder / "candidates.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
    )
    return folder / "candidates.jsonl"


def people(folder: Path, text: str) -> Path:
    (folder / "scores.csv").write_text(text, encoding="utf-8")
    return folder / "scores.csv"


def test_differences_to_the_mean_of_the_annotators(tmp_path: Path, candidates: Path) -> None:
    """0.8 − 0.7 is within 0.1 despite rounding, 0.5 − 0.9 is not, and 1 − 1 is.

    The third chain has no score of the teacher's.
    """
    rows = "s,0,a1,0.6\ns,0,a2,0.8\ns,1,a1,0.9\ns,2,a1,0.1\ns,3,a2,1\n"
    files = [people(tmp_path, HEADER + rows)]
    selected = human.select(files, candidates)
    assert selected.differences == pytest.approx((0.1, -0.4, 0))
    assert (selected.annotators, selected.unreadable) == (2, 1)
    assert selected.near == pytest.approx(2 / 3)
    drawn = agreement(files, candidates)
    assert drawn.title == "Teacher score − human score, Figure 6: 67 % within 0.1"
    assert "3 chains, annotators: 2, mean difference -0.10." in drawn.caption
    assert drawn.caption.endswith("unreadable: 1 chains.")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,candidate,score\n", r"no chain that"),
        ("", r"no chain that"),
        (f"{HEADER}s,0,a1,0.5\ns,x,a1,0.5\n", r"scores\.csv:3: give id"),
        (f"{HEADER}s,0,a1,good\n", r"scores\.csv:2: give id"),
        (f"{HEADER}s,0,a1\n", r"scores\.csv:2: give id"),
        (
            f"{HEADER}s,0,a1,\n",
            r"scores\.csv:2: give id,candidate,annotator,score, with a score of 0..1",
        ),
        (f"{HEADER}s,0,a1,nan\n", r"scores\.csv:2: give id"),
        (f"{HEADER}s,0,a1,1.1\n", r"scores\.csv:2: give id"),
        (f"{HEADER}s,0,,0.5\n", r"scores\.csv:2: give id"),
        (f"{HEADER}s,0,a1,0.5,more\n", r"scores\.csv:2: "),
        (f"{HEADER}s,9,a1,0.5\n", r"scores\.csv:2: the teacher has no such chain"),
        (f"{HEADER}s,0,a1,0.5\ns,0,a1,0.6\n", r"scores\.csv:3: a1 has scored this chain before"),
        (f"{HEADER}s,2,a1,0.5\n", "no chain that .* has a score of"),
        (f'{HEADER}s,0,"a1,0.5\n', "cannot be read as CSV"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, candidates: Path, text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        agreement([people(tmp_path, text)], candidates)


def test_files_that_are_not_text_or_not_there(tmp_path: Path, candidates: Path) -> None:
    (tmp_path / "scores.csv").write_bytes(b"id,candidate,annotator,score\n\xff")
    for name in ("scores.csv", "none.csv"):
        with pytest.raises(InputError, match=f"{name}: cannot be read as CSV"):
            agreement([tmp_path / name], candidates)


def test_the_command(
    tmp_path: Path,
    candidates: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scores = people(tmp_path, f"{HEADER}s,0,a1,0.8\n")
    arguments = [
        "human",
        "--human",
        str(scores),
        "--candidates",
        str(candidates),
        "--out",
        str(tmp_path / "out"),
    ]
    monkeypatch.setattr(sys, "argv", arguments)
    human.main()
    assert capsys.readouterr().out.splitlines()[0] == str(
        tmp_path / "out" / "figure6-teacher-human.svg"
    )
    assert (tmp_path / "out" / "figure6-teacher-human.png").stat().st_size
    scores.write_text("x\ny\n")
    with pytest.raises(SystemExit, match="2"):
        human.main()
    assert (
        capsys.readouterr().err
        == f"error: {scores}:2: give id,candidate,annotator,score, with a score of 0..1\n"
    )
