"""Figure 4: one sample under several systems, from the predictions of several runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from helpers.casebook_runs import GOLD, line, write_run
from mmie.errors import InputError
from mmie.reporting import case_study
from mmie.reporting.case_study import write_case_study

SLIP = [*GOLD[:4], "place of residence"]
INVENTED = ["Ann Lee", "per", "Bob", "per", "peer"]


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    """Four systems in four runs; JMERE-R1 has samples 1 and 2 right, SFT has 2."""
    Image.new("RGB", (40, 20), "red").save(tmp_path / "tweet.png")
    picture = [str(tmp_path / "tweet.png")]
    wrong, right = line(1, parsed=[SLIP], image=picture), line(1, image=picture)
    said: dict[str, list[dict[str, Any]]] = {
        "SFT": [line(0, parsed=[SLIP]), wrong, line(2)],
        "CoT-SFT": [
            line(0, parsed=[SLIP]),
            line(1, parsed=[INVENTED], image=picture),
            line(2, parsed=[]),
        ],
        "Only-RL": [
            line(0, parsed=None),
            line(1, parsed=None, response="<think> a | b", image=picture),
            line(2, parsed=None),
        ],
        "JMERE-R1": [line(0, parsed=[SLIP]), right, line(2)],
    }
    names = {"SFT": "sft", "CoT-SFT": "cot_sft", "Only-RL": "only_rl", "JMERE-R1": "jmere_r1"}
    for system, rows in said.items():
        write_run(
            tmp_path / names[system],
            {"zero-shot": [line(0)], system: rows},
            experiment=names[system],
        )
    return [str(tmp_path / name) for name in reversed(names.values())]


def test_the_page_shows_the_sample_that_tells_the_systems_apart(
    tmp_path: Path, runs: list[str]
) -> None:
    page = tmp_path / "out" / "figure4.md"
    assert write_case_study(runs, page) == "test-1"
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [text for text in lines if text.startswith("#")] == [
        "# Figure 4: one sample under several systems",
        "## SFT: wrong",
        "## CoT-SFT: wrong",
        "## Only-RL: invalid answer",
        "## JMERE-R1: right",
    ]
    assert "- SFT: sft, toy profile, seed 0, commit `abcdef012`" in lines
    assert "**Text:** Ann Lee of Oslo, sample 1" in lines
    assert "**Gold:** Ann Lee · per · Oslo · loc · place of birth" in lines
    gold = "Ann Lee · per · Oslo · loc · place of birth"
    assert f"- ✗ Ann Lee · per · Oslo · loc · place of residence → {gold} (wrong relation)" in lines
    assert "- ✗ Ann Lee · per · Bob · per · peer (invented)" in lines
    assert f"- ∅ {gold} (missed)" in lines
    assert f"- ✓ {gold}" in lines
    assert "As it came: \\<think> a \\| b" in lines
    assert "> Step 1: look.  " in lines
    assert "![picture 1 of the sample](figure4_pictures/1.jpeg)" in lines
    with Image.open(tmp_path / "out" / "figure4_pictures" / "1.jpeg") as image:
        assert image.size == (40, 20)


def test_a_sample_can_be_chosen_and_a_picture_may_be_gone(tmp_path: Path, runs: list[str]) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "tweet.png").unlink()
    assert write_case_study(runs, page, sample="test-2", names=["JMERE-R1", "SFT"]) == "test-2"
    text = page.read_text(encoding="utf-8")
    assert text.index("## JMERE-R1: right") < text.index("## SFT: right")
    write_case_study(runs, page)
    assert "tweet.png` is not here." in page.read_text(encoding="utf-8")
    with pytest.raises(InputError, match="no predictions of --sample 'test-9' in it"):
        write_case_study(runs, page, sample="test-9")


def test_runs_without_answers_are_named(tmp_path: Path) -> None:
    write_run(tmp_path / "empty", {"SFT": []})
    with pytest.raises(InputError, match=r"sft\.jsonl: no predictions in it"):
        write_case_study([str(tmp_path / "empty")], tmp_path / "page.md", names=["SFT"])


def test_the_command(
    tmp_path: Path,
    runs: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = tmp_path / "page.md"
    monkeypatch.setattr(sys, "argv", ["case_study", *runs, "--out", str(page)])
    case_study.main()
    assert capsys.readouterr().out == f"{page}: sample test-1, SFT, CoT-SFT, Only-RL, JMERE-R1\n"
    monkeypatch.setattr(sys, "argv", ["case_study", runs[0], "--out", str(page)])
    with pytest.raises(SystemExit, match="2"):
        case_study.main()
    assert capsys.readouterr().err.startswith(
        "error: --models: there are no predictions of 'SFT'; there are those of"
    )
