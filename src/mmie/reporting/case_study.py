"""Figure 4 of JMERE-R1: one test sample with what each system reasoned and answered, in Markdown.

    python -m mmie.reporting.case_study RUN [RUN …] --out PAGE.md [--sample ID] [--models SFT,…]

The runs need their predictions beside them. The page of all samples is ``python -m
mmie.reporting.casebook``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmie.errors import InputError
from mmie.files import disk_errors, write_text
from mmie.reporting.casebook.answers import Answer, Model, labels, read_models
from mmie.reporting.casebook.cases import RIGHT, Case, merged, told, verdict
from mmie.reporting.casebook.thumbnails import thumbnails
from mmie.reporting.escaping import in_markdown
from mmie.reporting.runs import load_runs
from mmie.types import Judged

SYSTEMS = ("SFT", "CoT-SFT", "Only-RL", "JMERE-R1")  # as in the paper's figure, from left to right
MARKS = (
    "✓ is right. ✗ is wrong; the gold one that it is a slip of stands behind the arrow."
    " ∅ is gold and missed."
)


def write_case_study(
    sources: Sequence[str], out: Path, *, names: Sequence[str] = SYSTEMS, sample: str | None = None
) -> str:
    """Writes the page, its pictures beside it, and gives the id of the sample.

    Args:
        sources: results files, or folders to search through.
        out: the page.
        names: the systems, in the order of the page.
        sample: its id; None takes the first one that the last system has right and the fewest
        others have.

    Raises:
        InputError: no predictions of one of the systems, or of the sample, or the page cannot be
        written.
    """
    found = read_models(load_runs(sources), names)
    models = sorted(found, key=lambda model: names.index(model.name))
    cases = merged(models)
    if not cases:
        raise InputError(f"{models[0].path}: no predictions in it; run again")
    case = _chosen(cases, sample)
    write_text(out, "\n\n".join(_page(case, models, _pictures(case, out))) + "\n")
    return case.id


def _chosen(cases: Sequence[Case], sample: str | None) -> Case:
    if sample is not None:
        for case in cases:
            if case.id == sample:
                return case
        raise InputError(
            f"--sample: there is no {sample!r} among the predictions; the first is {cases[0].id!r}"
        )
    right = [case for case in cases if _is_right(case.answers[-1])] or cases
    return min(right, key=lambda case: sum(map(_is_right, case.answers)))


def _is_right(answer: Answer | None) -> bool:
    return answer is not None and verdict(answer) == RIGHT


def _pictures(case: Case, out: Path) -> list[str]:
    """Writes the sample's pictures as ``<page>_1.png``, … and gives the lines that show them."""
    lines = []
    for number, (picture, small) in enumerate(thumbnails(case.pictures).items(), start=1):
        if small is None:
            lines.append(f"The picture `{picture.path}` is not here.")
            continue
        path = out.parent / f"{out.stem}_{number}.{small.kind}"
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(small.data)
        lines.append(f"![picture {number} of the sample]({path.name})")
    return lines


def _page(case: Case, models: Sequence[Model], pictures: Sequence[str]) -> Iterator[str]:
    yield "# Figure 4: one sample under several systems"
    yield "Written by `python -m mmie.reporting.case_study` from the predictions of these runs:"
    yield "\n".join(
        _run_line(model, label) for model, label in zip(models, labels(models), strict=True)
    )
    yield f"Test sample `{case.id}`. {MARKS}"
    yield from pictures
    fields = {"text": case.text, **case.fields}
    yield " ".join(f"**{key.capitalize()}:** {in_markdown(value)}" for key, value in fields.items())
    gold = "; ".join(map(_fields, case.gold))
    yield f"**Gold:** {in_markdown(gold) or 'nothing'}"
    for label, answer in zip(labels(models), case.answers, strict=True):
        yield from _system(label, answer)


def _run_line(model: Model, label: str) -> str:
    run = model.run
    where = f"{run.experiment}, {run.profile} profile, seed {run.seed}"
    return f"- {label}: {where}, commit `{run.commit[:10]}`"


def _system(label: str, answer: Answer | None) -> Iterator[str]:
    if answer is None:
        yield f"## {in_markdown(label)}: no answer to this sample"
        return
    shown = told(answer)
    yield f"## {in_markdown(label)}: {shown['verdict']}"
    if shown["steps"]:
        yield "\n".join(f"> {in_markdown(step)}  " for step in shown["steps"])
    if shown["raw"]:
        yield f"It says: {in_markdown(shown['raw'])}"
    marks = [mark for part in shown["parts"] if (mark := _mark(part))]
    yield "\n".join(f"- {in_markdown(mark)}" for mark in marks or ["✓ nothing to find"])


def _mark(part: Judged) -> str:
    """One part of the answer with its mark; "" for an answer that cannot be read."""
    if part.said is None:
        return "" if part.meant is None else f"∅ {_fields(part.meant)}"
    if not part.kind:
        return f"✓ {_fields(part.said)}"
    slip = f" → {_fields(part.meant)}" if part.meant else ""
    return f"✗ {_fields(part.said)}{slip} ({part.kind})"


def _fields(quintuple: Sequence[str]) -> str:
    return " · ".join(quintuple)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mmie.reporting.case_study",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    help_runs = "a results.json, or a folder that is searched through for them"
    parser.add_argument("runs", nargs="+", metavar="RUN", help=help_runs)
    parser.add_argument("--out", type=Path, required=True, help="the page to write")
    parser.add_argument(
        "--sample", help="the id of a test sample; without, one that tells the systems apart"
    )
    parser.add_argument(
        "--models", default=",".join(SYSTEMS), help="the systems, with commas between them"
    )
    return parser


def main() -> None:
    arguments = _parser().parse_args()
    names = [name.strip() for name in arguments.models.split(",") if name.strip()]
    try:
        sample = write_case_study(
            arguments.runs, arguments.out, names=names, sample=arguments.sample
        )
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"{arguments.out}: sample {sample}, {', '.join(names)}")


if __name__ == "__main__":
    main()
