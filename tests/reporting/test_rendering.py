"""Values become text in a template, and a name that was not given is an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from mmie.reporting import rendering
from mmie.reporting.rendering import Markup


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(rendering, "TEMPLATES", tmp_path)
    return tmp_path / "page"


def test_text_is_escaped_in_html_and_markup_is_not(template: Path) -> None:
    template.write_text('<td title="{{ title }}">{{ text }}{{ markup }}{{ number }}</td>')
    made = rendering.html(
        "page", title='"x\u2066', text="a\u202e<b>", markup=Markup("<i>"), number=3
    )
    assert made == '<td title="&#34;x\\u2066">a\\u202e&lt;b&gt;<i>3</td>'


def test_text_is_escaped_in_markdown_and_markup_is_not(template: Path) -> None:
    template.write_text("# {{ text }}\n\n{{ markup }}\n")
    made = rendering.markdown("page", text="a\n*b* <i>", markup=Markup("| a | b |"))
    assert made == "# a \\*b\\* \\<i>\n\n| a | b |\n"


def test_a_missing_name_is_an_error(template: Path) -> None:
    template.write_text("{{ missing }}")
    for render in (rendering.html, rendering.markdown):
        with pytest.raises(UndefinedError, match="missing"):
            render("page")
