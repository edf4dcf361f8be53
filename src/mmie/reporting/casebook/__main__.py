"""A page to look through the predictions of runs over one test set.

    python -m mmie.reporting.casebook RUN [RUN …] --out casebook.html \\
        [--models warm-up,JMERE-R1] [--limit N]

Each sample shows its picture, text and gold, and what each system reasoned and answered. The page
needs neither a server nor the network; its pictures lie in a folder beside it.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmie.files import write_text
from mmie.reporting.casebook.answers import Model, labels, read_models
from mmie.reporting.casebook.cases import Case, mark, merged
from mmie.reporting.casebook.thumbnails import Thumbnail, save_thumbnails
from mmie.reporting.command import names, one_line_errors, parser
from mmie.reporting.rendering import TEMPLATES, Markup, html
from mmie.reporting.runs import load_runs
from mmie.types import Picture

GOLD = "gold label"  # name of a filter; the other filters are called by the systems
SIGNS = {"right": "✓", "partly": "◐", "wrong": "✗"}


def write_casebook(
    sources: Sequence[str], out: Path, *, models: Sequence[str] = (), limit: int | None = None
) -> None:
    """Writes the page of the systems called ``models`` (all without a name), for the first samples.

    Raises:
        InputError: the runs or their predictions do not go together, or cannot be read.
    """
    systems = read_models(load_runs(sources), models)
    cases = merged(systems, limit)
    pictures = save_thumbnails((picture for case in cases for picture in case.pictures), out)
    write_text(out, page(systems, cases, pictures))
    print(f"{out}: {len(cases)} samples, {len(systems)} systems, {len(pictures)} pictures")


def page(
    models: Sequence[Model], cases: Sequence[Case], pictures: Mapping[Picture, Thumbnail]
) -> str:
    """The whole page. Its policy forbids everything but its own script, style and pictures."""
    systems = labels(models)
    script = (TEMPLATES / "casebook.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    tags = [_tags(case, systems) for case in cases]
    counts = Counter(tag for of_case in tags for tag in of_case)
    numbers = {tag: str(number) for number, tag in enumerate(sorted(counts))}
    filters: dict[str, list[tuple[str, str, int]]] = {group: [] for group in (GOLD, *systems)}
    for (group, value), number in numbers.items():
        filters[group].append((number, value, counts[group, value]))
    rows = []
    for case, of_case in zip(cases, tags, strict=True):
        answers = list(zip(systems, case.answers, strict=True))
        rows.append((case, " ".join(numbers[tag] for tag in of_case), answers))
    return html(
        "casebook.html",
        runs={model.run.path: model.run for model in models}.values(),
        filters=filters,
        cases=rows,
        pictures=pictures,
        signs=SIGNS,
        mark=mark,
        script=Markup(script),
        digest=digest,
    )


def _tags(case: Case, systems: Sequence[str]) -> list[tuple[str, str]]:
    """What the filters look for: (filter, value), each once."""
    tags = [(GOLD, label) for label in case.labels]
    for system, answer in zip(systems, case.answers, strict=True):
        tags.append((system, answer.verdict if answer else "no answer"))
        tags += [(system, judged.kind) for judged in answer.judged if judged.kind] if answer else []
    return [*dict.fromkeys(tags)]


def _count(text: str) -> int:
    if int(text) < 1:
        raise ValueError
    return int(text)


def main() -> None:
    made = parser("casebook", __doc__)
    made.add_argument("--models", default="", help="systems, separated by commas; default: all")
    made.add_argument("--limit", type=_count, help="number of samples to show; default: all")
    given = made.parse_args()
    with one_line_errors():
        write_casebook(given.runs, given.out, models=names(given.models), limit=given.limit)


if __name__ == "__main__":
    main()
