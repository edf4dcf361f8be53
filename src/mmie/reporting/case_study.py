"""Figure 4 of JMERE-R1: one test sample with what each system reasoned and answered, in Markdown.

    python -m mmie.reporting.case_study RUN [RUN …] --out PAGE.md [--sample ID] [--models SFT,…]

The runs need their predictions beside them. The page of all samples is ``python -m
mmie.reporting.casebook``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmie.errors import InputError
from mmie.files import disk_errors, write_text
from mmie.reporting import rendering
from mmie.reporting.casebook.answers import Answer, labels, read_models
from mmie.reporting.casebook.cases import RIGHT, Case, merged, told
from mmie.reporting.casebook.thumbnails import thumbnails
from mmie.reporting.command import one_line_errors
from mmie.reporting.runs import load_runs
from mmie.types import Judged

SYSTEMS = ("SFT", "CoT-SFT", "Only-RL", "JMERE-R1")  # as in the paper's figure, from left to right


def write_case_study(
    sources: Sequence[str], out: Path, *, names: Sequence[str] = SYSTEMS, sample: str | None = None
) -> str:
    """Writes the page, with the pictures beside it, and returns the id of the sample.

    Args:
        sources: results files, or folders to search through.
        out: the page.
        names: the systems, in the order of the page.
        sample: its id; None takes the first one that the last system has right and the fewest
            others have.

    Raises:
        InputError: a system or the sample has no predictions, or the page cannot be written.
    """
    models = read_models(load_runs(sources), names)
    models.sort(key=lambda model: names.index(model.name))
    cases = merged(models)
    if not cases:
        raise InputError(f"{models[0].path}: no predictions in it; run again")
    case = _chosen(cases, sample)
    systems = labels(models)
    page = rendering.markdown(
        "case_study.md",
        runs=list(zip(systems, (model.run for model in models), strict=True)),
        case=case,
        extra=case.fields,
        pictures=_pictures(case, out),
        gold="; ".join(map(_fields, case.gold)),
        answers=list(zip(systems, map(_told, case.answers), strict=True)),
    )
    write_text(out, page)
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
    return answer is not None and told(answer)["verdict"] == RIGHT


def _pictures(case: Case, out: Path) -> list[tuple[str, str]]:
    """Writes the sample's pictures as ``<page>_1.png``, … and returns (path, name of the file).

    The name is "" where the picture is missing.
    """
    files = []
    for number, (picture, small) in enumerate(thumbnails(case.pictures).items(), start=1):
        name = f"{out.stem}_{number}.{small.kind}" if small else ""
        if small:
            path = out.parent / name
            with disk_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(small.data)
        files.append((str(picture.path), name))
    return files


def _told(answer: Answer | None) -> dict[str, Any] | None:
    if answer is None:
        return None
    known = told(answer)
    return {**known, "marks": [mark for part in known["parts"] if (mark := _mark(part))]}


def _mark(part: Judged) -> str:
    """One part of the answer with its mark; "" for an answer that cannot be read."""
    if part.said is None:
        return f"∅ {_fields(part.meant)}" if part.meant else ""
    if not part.kind:
        return f"✓ {_fields(part.said)}"
    meant = f" → {_fields(part.meant)}" if part.meant else ""
    return f"✗ {_fields(part.said)}{meant} ({part.kind})"


def _fields(part: Sequence[str]) -> str:
    return " · ".join(part)


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
    with one_line_errors():
        sample = write_case_study(
            arguments.runs, arguments.out, names=names, sample=arguments.sample
        )
    print(f"{arguments.out}: sample {sample}, {', '.join(names)}")


if __name__ == "__main__":
    main()
