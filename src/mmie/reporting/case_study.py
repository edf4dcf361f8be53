"""Figure 4 of JMERE-R1: one test sample with what each system reasoned and answered, in Markdown.

    python -m mmie.reporting.case_study RUN [RUN …] --out PAGE.md [--sample ID] [--models SFT,…]

The runs need their predictions beside them. The page of all samples is ``python -m
mmie.reporting.casebook``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmie.errors import InputError
from mmie.files import write_text
from mmie.reporting import rendering
from mmie.reporting.casebook.answers import labels, read_models
from mmie.reporting.casebook.cases import mark, merged, most_telling
from mmie.reporting.casebook.thumbnails import save_thumbnails
from mmie.reporting.command import names, one_line_errors, parser
from mmie.reporting.runs import load_runs

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
    models = sorted(
        read_models(load_runs(sources), names), key=lambda model: names.index(model.name)
    )
    cases = [case for case in merged(models) if sample in (None, case.id)]
    if not cases:
        asked = "" if sample is None else f" of --sample {sample!r}"
        raise InputError(f"{models[0].path}: no predictions{asked} in it; run again")
    case, systems = most_telling(cases), labels(models)
    page = rendering.markdown(
        "case_study.md",
        runs=list(zip(systems, (model.run for model in models), strict=True)),
        case=case,
        pictures=save_thumbnails(case.pictures, out),
        answers=list(zip(systems, case.answers, strict=True)),
        mark=mark,
    )
    write_text(out, page)
    return case.id


def main() -> None:
    made = parser("case_study", __doc__)
    made.add_argument("--sample", help="id of a test sample; default: one that tells them apart")
    made.add_argument("--models", default=",".join(SYSTEMS), help="systems, separated by commas")
    given = made.parse_args()
    systems = names(given.models)
    with one_line_errors():
        sample = write_case_study(given.runs, given.out, names=systems, sample=given.sample)
    print(f"{given.out}: sample {sample}, {', '.join(systems)}")


if __name__ == "__main__":
    main()
