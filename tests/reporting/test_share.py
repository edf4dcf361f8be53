"""The page needs no other file and shows text of runs as text."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from helpers.results import SCORES, results_of
from mmie.reporting import share
from mmie.reporting.runs import load_runs
from mmie.reporting.share_page import differences, inline_svg, page, run_rows
from mmie.reporting.table import Table, Value
from mmie.results import write_results

EVIL = "<script>alert(1)</script>"
SVG = """<?xml version="1.0"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" \
viewBox="0 0 1 1"><metadata>
<a rdf:resource="http://x"/></metadata><defs><path id="p0"/></defs>
<g id="axes" clip-path="url(#p0)"><use xlink:href="#p0"/><text>curve</text></g></svg>"""
TABLE = Table(
    name="t",
    title="A title",
    caption="A caption.",
    columns=("F1",),
    values=(Value(row="row", column="F1", kind="score", value=0.5),),
)
SYSTEMS = {"JMERE-R1": {"test/quintuple": SCORES}}
ROLLOUT = {
    "step": 0,
    "id": "train-1",
    "image": ["a.png"],
    "text": f"tweet {EVIL}",
    "response": f"<think> {EVIL}",
    "reward": 0.25,
    "r_q": 0.5,
    "advantage": -1.125,
}


def write(folder: Path, **changes: Any) -> Path:
    """A run in the folder; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    results = results_of(**{"systems": SYSTEMS, "commit": "abcdef0123456789", **changes})
    write_results(folder / "results.json", results)
    return folder


def write_rollouts(folder: Path, rows: list[dict[str, Any]]) -> None:
    (folder / "rollouts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


@dataclass
class Figure:
    """What the page needs of a drawing."""

    name: str = "reward"
    title: str = f"Reward {EVIL}"
    caption: str = f"Mean of the seeds {EVIL}"

    def svg(self) -> str:
        return SVG


@pytest.fixture
def _figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "drawings", lambda runs: [Figure()])


class Elements(HTMLParser):
    """Every element with its attributes, and the text outside of the style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data if self.found and self.found[-1][0] != "style" else ""


def test_ids_of_a_figure_are_its_own() -> None:
    drawing = inline_svg(SVG, "f1")
    assert drawing.startswith("<svg")
    assert {*re.findall(r'(?:\bid="|href="#|url\(#)([^")]+)', drawing)} == {"f1-p0", "f1-axes"}
    assert "metadata" not in drawing


@pytest.mark.usefixtures("_figure")
def test_a_page_is_one_file_that_fetches_nothing_and_runs_nothing(tmp_path: Path) -> None:
    one = write(
        tmp_path / "a",
        experiment=f"x{EVIL}",
        command=f"python run.py {EVIL}",
        date=EVIL,
        commit=EVIL,
        config={"reward": {"alpha": EVIL}, EVIL: 1},
    )
    write(
        tmp_path / "b",
        config={"reward": {"alpha": 0.2}},
        systems={EVIL: {"test/quintuple": SCORES}},
    )
    write_rollouts(one, [ROLLOUT, {**ROLLOUT, "r_q": EVIL, "step": 3}])
    share.share([str(tmp_path)], tmp_path / "out" / "report.html", title=EVIL)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.html"]
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    elements = Elements(html)
    kinds = {kind for kind, _ in elements.found}
    assert not kinds & {"script", "link", "img", "iframe", "object", "embed", "base", "image"}
    told = [(name, value) for _, attributes in elements.found for name, value in attributes.items()]
    assert all(
        value.startswith("#")
        for name, value in told
        if name in ("href", "src", "xlink:href", "action")
    )
    assert not [name for name, _ in told if name.startswith("on")]
    assert not re.search(r"url\((?!#)|@import", html)
    assert elements.text.count(EVIL) >= 10
    ids = [value for name, value in told if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for name, value in told if name == "href" and value} <= set(ids)


@pytest.mark.usefixtures("_figure")
def test_runs_tables_figures_and_rollouts_are_there(tmp_path: Path) -> None:
    write_rollouts(
        write(tmp_path, command="python run.py seed=0", date="2026-11-21T10:11:12+00:00"), [ROLLOUT]
    )
    share.share([str(tmp_path)], tmp_path / "report.html", title="Results")
    elements = Elements((tmp_path / "report.html").read_text(encoding="utf-8"))
    first = share.tables(load_runs([tmp_path]))[0]
    told = ["python run.py seed=0", "2026-11-21 10:11", "abcdef0123", "50.0 (JMERE-R1, quintuple)"]
    for text in (*told, first.title, "curve", "0.25", "-1.12", "<think>"):
        assert text in elements.text
    kinds = [kind for kind, _ in elements.found]
    assert (kinds.count("svg"), kinds.count("figure")) == (1, 1)
    assert "color-scheme: light dark" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_run_without_systems_has_no_score(tmp_path: Path) -> None:
    assert [row[6] for row in run_rows(load_runs([write(tmp_path, systems={})]))] == ["–"]


def test_a_run_without_rollouts_has_none(tmp_path: Path) -> None:
    runs = load_runs([write(tmp_path)])
    assert "recorded steps" not in page("T", runs, tables=[], figures=[])


def test_what_differs_is_compared_within_a_task_and_without_seeds_and_speed(
    tmp_path: Path,
) -> None:
    grpo = {"group_size": 8, "lr": 0.1, "micro_prompts": 2}
    base = {"seed": 0, "artifacts": "a", "grpo": grpo, "filter": {"rule": {"threshold": 0.7}}}
    other = {**base, "grpo": {**grpo, "group_size": 4}, "filter": {}}
    fast = {**base, "seed": 1, "artifacts": "b", "grpo": {**grpo, "micro_prompts": 4}}
    for seed, config in enumerate((base, fast, other)):
        write(tmp_path / str(seed), config=config, seed=seed)
    write(tmp_path / "more", config={"alone": True}, task="more", seed=3)
    header, rows = differences(load_runs([tmp_path]))["jmere"]
    assert header == ("", "jmere_r1 #1, 2", "jmere_r1 #3")
    assert rows == [
        ("filter", "–", "{}"),
        ("filter.rule.threshold", "0.7", "–"),
        ("grpo.group_size", "8", "4"),
    ]
    assert [*differences(load_runs([tmp_path]))] == ["jmere"]


def test_a_table_has_its_title_caption_and_notes(tmp_path: Path) -> None:
    table = replace(TABLE, notes=("a note",))
    html = page("T", load_runs([write(tmp_path)]), tables=[table], figures=[])
    assert all(text in html for text in ("A title", "A caption.", "a note", "<td>50.0</td>"))


def test_long_recordings_are_thinned_and_groups_stay_together(tmp_path: Path) -> None:
    rows = [
        {**ROLLOUT, "step": step, "text": f"tweet {step}.", "response": f"{turn}"}
        for step in range(0, 110, 10)
        for turn in range(2)
    ]
    write_rollouts(write(tmp_path), rows)
    text = Elements(page("T", load_runs([tmp_path]), tables=[], figures=[])).text
    assert "11 recorded steps" in text
    assert re.findall(r"tweet (\d+)\.", text)[::2] == ["0", "20", "40", "60", "80", "100"]


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["share", *map(str, arguments)])
    try:
        share.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.mark.usefixtures("_figure")
def test_bad_input_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, tmp_path, "--out", tmp_path / "page.html") == 2
    told = capsys.readouterr()
    assert (told.out, told.err) == (
        "",
        f"error: {tmp_path}: no results.json there; give the folder of a run or of several\n",
    )


@pytest.mark.usefixtures("_figure")
def test_without_a_key_the_page_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mmie.stages.tracking.has_key", lambda: False)
    write(tmp_path)
    assert call(monkeypatch, tmp_path, "--out", tmp_path / "page.html", "--wandb", "me/mmie") == 2
    told = capsys.readouterr()
    assert told.err.startswith("error: --wandb: no key for wandb;")
    assert told.err.count("\n") == 1
    assert (tmp_path / "page.html").is_file()
