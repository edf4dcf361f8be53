"""Text from anywhere, written so that its place shows it as it is: Markdown, code spans, LaTeX."""

from __future__ import annotations

import re

from mmie.display import escape_invisible

LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    "±": r"$\pm$",
    "–": "--",
    "−": "$-$",
    "×": r"$\times$",
    "…": r"\ldots{}",
    "Δ": r"$\Delta$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
}
_MARKDOWN = re.compile(r"[\\|*`<]|(?<=\])\(")  # the last one would make a link


def in_markdown(text: str) -> str:
    """A paragraph or a cell of a table, on one line."""
    return _MARKDOWN.sub(r"\\\g<0>", _one_line(text))


def in_code(text: str) -> str:
    """A code span, whatever backticks the text has; not for a table, where a bar ends the cell."""
    line = _one_line(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    margin = " " if len(fence) > 1 else ""
    return f"{fence}{margin}{line}{margin}{fence}" if line.strip() else ""


def in_latex(text: str) -> str:
    """Running text of LaTeX, on one line."""
    return "".join(LATEX.get(sign, sign) for sign in _one_line(text))


def _one_line(text: str) -> str:
    return escape_invisible(text.replace("\n", " "))
