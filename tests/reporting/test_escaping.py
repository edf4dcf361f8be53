"""Hostile text is shown as text. Markdown is read by a parser of CommonMark and tables."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from helpers.casebook_runs import line, write_run
from helpers.results import SCORES, results_of
from mmie.reporting.casebook.__main__ import write_casebook
from mmie.reporting.escaping import in_code, in_latex, in_markdown
from mmie.reporting.page import write_page
from mmie.reporting.runs import load_runs
from mmie.reporting.sweep import Job, as_markdown
from mmie.results import write_results

HOSTILE = [
    "a`b",
    "`",
    "``",
    "` <script>alert(1)</script> `",
    "<script>alert(1)</script>",
    "<img src=x onerror=y>",
    "[a](javascript:b)",
    "![a](http://b/c.png)",
    "a|b",
    "a\nb",
    "**a**",
    "\\`a",
    "\\",
    "a\\|b",
    "a\u202eb",
    "x\n# y",
    "x\n\n<b>y",
    "  a  ",
    "</code>",
]


def html(text: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(text)


def words(text: str) -> str:
    return " ".join(text.replace("\u202e", "\\u202e").split())


@pytest.mark.parametrize("text", HOSTILE)
def test_a_code_span_holds_the_text(text: str) -> None:
    read = html(f"- seed 0: {in_code(text)}, commit")
    (code,) = re.findall("<code>(.*?)</code>", read, re.DOTALL)
    assert words(unescape(code)) == words(text)
    assert not re.search("<(script|img|a|b|h1)", read)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cell_and_a_paragraph_hold_the_text(text: str) -> None:
    cell = in_markdown(text)
    read = html(f"| a | b |\n|---|---|\n| {cell} | end |\n")
    (first, last) = re.findall("<td>(.*?)</td>", read, re.DOTALL)
    assert words(unescape(first)) == words(text)
    assert last == "end"
    assert not re.search("<(script|img|a|b|em|strong|code|h1)", read)
    assert not re.search("<(script|img|a|b|em|strong|code|h1)", html(f"- note: {cell}"))


def test_latex_has_no_invisible_marks() -> None:
    assert in_latex("a\u202e_b\x1b\n") == r"a\textbackslash{}u202e\_b\textbackslash{}u001b "


@pytest.mark.parametrize("key", ["command", "profile", "experiment", "commit"])
@pytest.mark.parametrize(
    "text", ["x` <script>alert(1)</script> `", "<script>alert(1)</script>", "\u202e", "a\n\n<b>b"]
)
def test_a_page_of_results_has_no_html_of_theirs(tmp_path: Path, key: str, text: str) -> None:
    systems = {"JMERE-R1": {"test/quintuple": SCORES}}
    results = results_of(experiment="mine", systems=systems)
    write_results(tmp_path / "results.json", replace(results, **{key: text}))
    page = write_page(load_runs([tmp_path]), tmp_path / "report").read_text(encoding="utf-8")
    assert not re.search("<(script|b)", html(page))
    assert "\u202e" not in page


def test_the_summary_of_a_sweep_has_no_html_of_the_overrides() -> None:
    hostile = "`<script>|x`"
    jobs = [
        Job(0, {"a": "1"}, 0.5, None, 1.0, "0", None),
        Job(1, {"a": hostile}, 0.6, None, 1.0, "1", f"no {hostile}"),
    ]
    read = html(as_markdown(jobs, figure=False))
    assert "<script" not in read
    assert unescape(read).count(hostile) == 4
    assert ">failed</td>" in read


def test_the_case_book_is_not_reordered(tmp_path: Path) -> None:
    rows = [line(text="Ann \u202eLee of Oslo", response="\u2067")]
    run = write_run(tmp_path / "run", {"SFT": rows}, experiment="\u202ex")
    write_casebook([str(run)], tmp_path / "book.html")
    page = (tmp_path / "book.html").read_text(encoding="utf-8")
    assert not {"\u202e", "\u2067"} & set(page)
    assert "Ann \\u202eLee of Oslo" in page
