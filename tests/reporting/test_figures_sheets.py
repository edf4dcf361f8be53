"""The sheets of Figure 6: who scores which chain, and the way back to the figure."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from pathlib import Path

import pytest

from mmie.data.source import examples_to_jsonl
from mmie.distil.candidates import candidates_to_jsonl
from mmie.errors import InputError
from mmie.reporting.figures import sheets
from mmie.reporting.figures.human import agreement
from mmie.reporting.figures.sheets import deal, draw, write_sheets
from mmie.types import Candidate, Example, Picture, Quintuple

GOLD = (Quintuple("Ann", "per", "Oslo", "loc", "place of birth"),)


def chains(samples: int, each: int = 5) -> list[Candidate]:
    numbers = [(sample, index) for sample in range(samples) for index in range(each)]
    return [
        Candidate(f"s{sample}", index, f"chain {index}", {"score": 0.5})
        for sample, index in numbers
    ]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Six samples with five chains each, all scored 0.5 by the teacher."""
    candidates_to_jsonl(chains(6), tmp_path / "candidates.jsonl")
    picture = Picture(tmp_path / "tweet.png")
    examples = [Example(f"s{n}", f"@ann of Oslo {n}", (picture,), GOLD) for n in range(8)]
    examples_to_jsonl(tmp_path / "train.jsonl", examples, images=tmp_path)
    return tmp_path / "candidates.jsonl", tmp_path / "train.jsonl", tmp_path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_design_of_the_paper() -> None:
    """10 people in 2 groups: 4 scores for each of 500 chains, 200 chains for each person."""
    drawn = draw(chains(120), 100, Path("x"))
    people = deal(drawn)
    assert [len(sheet) for sheet in people] == [200] * 10
    asked = [Counter((chain.example_id, chain.index) for chain in sheet) for sheet in people]
    assert all(set(sheet.values()) == {1} for sheet in asked)  # nobody has a chain twice
    assert Counter(sum(asked, Counter()).values()) == {4: 500}
    first, second = (
        {name for sheet in asked[start : start + 5] for name, _ in sheet} for start in (0, 5)
    )
    assert not first & second  # each sample is one group's
    for sheet in asked:
        assert {index for _, index in sheet} == set(
            range(5)
        )  # nobody misses all chains of one place


def test_samples_with_an_empty_chain_are_left_out() -> None:
    candidates = [*chains(5), Candidate("broken", 0, "")]
    names = {sample[0].example_id for sample in draw(candidates, 5, Path("x"))}
    assert names == {f"s{number}" for number in range(5)}
    for samples in (0, 6):
        with pytest.raises(InputError, match=rf"x: 5 complete samples, not {samples}; set"):
            draw(candidates, samples, Path("x"))


def test_sheets_hold_what_annotators_need_and_not_the_teachers_score(
    tmp_path: Path, files: tuple[Path, Path, Path]
) -> None:
    found = write_sheets(*files, tmp_path / "sheets", samples=4)
    assert [path.stem for path in found] == [f"annotator-{number:02}" for number in range(1, 11)]
    rows = rows_of(found[0])
    assert len(rows) == 8
    assert list(rows[0]) == [
        "id",
        "candidate",
        "annotator",
        "score",
        "picture",
        "text",
        "gold",
        "chain",
    ]
    assert rows[0]["annotator"] == "annotator-01"
    assert {row["score"] for row in rows} == {""}
    assert rows[0]["picture"] == str(tmp_path / "tweet.png")
    assert rows[0]["text"].startswith(
        " @ann of Oslo"
    )  # a spreadsheet would compute what begins with @
    assert (rows[0]["gold"], rows[0]["chain"]) == ("Ann, per, Oslo, loc, place of birth", "chain 0")
    assert "0.5" not in found[0].read_text(encoding="utf-8")


def test_filled_sheets_become_the_figure(tmp_path: Path, files: tuple[Path, Path, Path]) -> None:
    found = write_sheets(*files, tmp_path / "sheets", samples=4)
    with pytest.raises(InputError, match=r"annotator-01\.csv:2: give .*score"):
        agreement(found, files[0])
    for number, path in enumerate(found):
        rows = [{**row, "score": str(0.5 + 0.1 * (number < 5))} for row in rows_of(path)]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*rows[0]])
            writer.writeheader()
            writer.writerows(rows)
    assert "20 chains, annotators: 10, mean difference -0.05." in agreement(found, files[0]).caption
    with pytest.raises(InputError, match="has scored this chain before"):
        agreement([*found, found[0]], files[0])


def test_a_sheet_is_never_written_over(tmp_path: Path, files: tuple[Path, Path, Path]) -> None:
    first, *_ = write_sheets(*files, tmp_path / "sheets", samples=2)
    first.write_text("somebody's scores")
    with pytest.raises(InputError, match=r"annotator-01\.csv: exists already and may hold scores"):
        write_sheets(*files, tmp_path / "sheets", samples=2)
    assert first.read_text() == "somebody's scores"


def test_data_of_another_run_is_named(tmp_path: Path, files: tuple[Path, Path, Path]) -> None:
    examples_to_jsonl(tmp_path / "other.jsonl", [Example("t0", "x", (), GOLD)], images=tmp_path)
    with pytest.raises(InputError, match=r"other\.jsonl: s\d of .* is not in it"):
        write_sheets(files[0], tmp_path / "other.jsonl", tmp_path, tmp_path / "sheets", samples=2)


def test_the_command(
    tmp_path: Path,
    files: tuple[Path, Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths = [
        "--candidates",
        str(files[0]),
        "--examples",
        str(files[1]),
        "--images",
        str(files[2]),
        "--out",
        str(tmp_path / "sheets"),
    ]
    monkeypatch.setattr(sys, "argv", ["sheets", *paths, "--samples", "6"])
    sheets.main()
    assert len(capsys.readouterr().out.splitlines()) == 10
    monkeypatch.setattr(sys, "argv", ["sheets", *paths])
    with pytest.raises(SystemExit, match="2"):
        sheets.main()
    assert capsys.readouterr().err.endswith("6 complete samples, not 100; set --samples\n")
