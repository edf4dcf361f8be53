"""Pages from the files in ``templates``. No text of a run can become markup in them.

Every value that a template prints is escaped, unless it is ``Markup`` already. A name that a
template prints and nobody gave is an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mmie.display import escape_invisible
from mmie.reporting.escaping import in_code, in_markdown

__all__ = ["Markup", "html", "markdown"]

TEMPLATES = Path(__file__).parent / "templates"


def html(template: str, **values: Any) -> str:
    """A page in HTML; characters that reorder the text around them are shown as code points."""
    environment = _environment(autoescape=True, finalize=_text_in_html)
    return environment.get_template(template).render(values)


def markdown(template: str, **values: Any) -> str:
    """A page in Markdown; the filter ``code`` makes a code span of a text.

    Its templates have no macros, whose results would be escaped twice.
    """
    environment = _environment(autoescape=False, finalize=_text_in_markdown)
    environment.filters["code"] = lambda text: Markup(in_code(text))
    return environment.get_template(template).render(values)


def _environment(**options: Any) -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )


def _text_in_html(value: object) -> str:
    return value if isinstance(value, Markup) else escape_invisible(str(value))


def _text_in_markdown(value: object) -> str:
    return value if isinstance(value, Markup) else in_markdown(str(value))
