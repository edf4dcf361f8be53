"""The tables and figures in experiments/report are what the results in experiments/results give."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mmie.reporting.figures import Drawing
from mmie.reporting.page import write_page
from mmie.reporting.runs import load_runs

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "experiments" / "report"


@pytest.mark.slow
def test_the_shipped_report_is_what_the_results_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables and pages by their text, pictures by their names: matplotlib draws them."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(Drawing, "save", named_only)
    write_page(load_runs(["experiments/results"]), tmp_path)
    shipped, made = (
        sorted(path.relative_to(folder) for path in folder.rglob("*.*"))
        for folder in (SHIPPED, tmp_path)
    )
    assert shipped == made
    assert len([path for path in made if path.suffix == ".svg"]) >= 5
    for path in (path for path in made if path.suffix in (".md", ".csv", ".tex")):
        old, new = ((folder / path).read_text(encoding="utf-8") for folder in (SHIPPED, tmp_path))
        assert old == new, path


def named_only(drawing: Drawing, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in ("svg", "png"):
        (folder / f"{drawing.name}.{suffix}").touch()


def test_the_shipped_results_tell_where_they_are_from() -> None:
    runs = load_runs([ROOT / "experiments" / "results"])
    for run in runs:
        assert run.path.is_relative_to(ROOT / "experiments" / "results" / run.profile)
        assert re.fullmatch(r"[0-9a-f]{40}", run.commit), (
            f"{run.path} was made from code that is not committed"
        )
        assert not re.search(r'"/(home|root|tmp|work)/', run.path.read_text(encoding="utf-8")), (
            f"{run.path} names a folder of a machine"
        )
