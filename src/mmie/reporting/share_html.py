"""HTML in which no text of a run can be anything but text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from mmie.display import escape_invisible

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --line: #d8dee4; --back: #ffffff; --tint: #f6f8fa; --link: #0a58ca; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9aa5b1; --line: #343b44; --back: #0f1318; --tint: #181d24; --link: #79b0ff; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 82rem; padding: 1.5rem; color: var(--ink); background: var(--back); }
body { font: 15px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.7rem; }
h2 { margin: 2.5rem 0 .5rem; padding-bottom: .2rem; border-bottom: 1px solid var(--line); font-size: 1.25rem; }
h3 { margin: 1.5rem 0 .3rem; font-size: 1rem; }
p, li { max-width: 60rem; }
.soft, li { color: var(--soft); font-size: .875rem; }
a { color: var(--link); }
nav a { margin-right: 1.2rem; }
code { font: .85em/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
td code { display: block; min-width: 16rem; }
.wide { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .875rem; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; white-space: nowrap; }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
th.text, td.text { text-align: left; }
td.text { max-width: 30rem; white-space: normal; overflow-wrap: break-word; }
td.prose { min-width: 14rem; max-width: 40rem; text-align: left; white-space: pre-wrap; overflow-wrap: break-word; }
tbody tr:hover { background: var(--tint); }
tr.first td { border-top: 2px solid var(--line); }
details { margin: .5rem 0; }
summary { cursor: pointer; color: var(--soft); font-size: .875rem; }
figure { margin: 1.5rem 0; padding: 1rem; border: 1px solid var(--line); border-radius: 6px; background: #ffffff; overflow-x: auto; }
figure svg { display: block; max-width: 100%; height: auto; }
figcaption { margin-bottom: .5rem; color: #59636e; font-size: .875rem; }
"""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, *children: object, **attributes: str) -> Markup:
    """An element; children that are no ``Markup`` are escaped, and so are attributes (``class_`` is ``class``; empty ones are left out)."""
    given = {
        key.rstrip("_"): escape(escape_invisible(value))
        for key, value in attributes.items()
        if value
    }
    told = "".join(f' {key}="{value}"' for key, value in given.items())
    return Markup(f"<{name}{told}>{joined(children)}</{name}>")


def joined(children: Iterable[object]) -> Markup:
    return Markup("".join(map(_as_html, children)))


def _as_html(child: object) -> str:
    return child if isinstance(child, Markup) else escape(escape_invisible(str(child)))


def grid(
    header: Sequence[object], rows: Iterable[Sequence[object]], *, texts: Sequence[int] = (0,)
) -> Markup:
    """A table that scrolls sideways when it has to; the columns in ``texts`` stand left, numbers right."""

    def line(kind: str, cells: Sequence[object]) -> Markup:
        return tag(
            "tr",
            *(
                tag(kind, cell, class_="text" if index in texts else "")
                for index, cell in enumerate(cells)
            ),
        )

    body = tag("tbody", *(line("td", row) for row in rows))
    return tag("div", tag("table", tag("thead", line("th", header)), body), class_="wide")


def inline_svg(text: str, *, prefix: str) -> Markup:
    """An SVG file as part of a page: without prolog and metadata, its ids its own."""
    picture = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    return Markup(re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", picture))
