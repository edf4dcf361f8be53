"""What the papers print, row by row, and which run of ours stands beside it.

JMERE-R1: Tables 1 to 3, read in the paper, in % as printed, also where the numbers do not fit together (``remarks``).
The paper itself takes the rows of other people's systems from Yuan et al. (2023), which we have not read; MAF* is not
in the paper and comes from a second source. MORE-R1: its main results and its mixing ablation **come from a second
source; only the abstract of MORE-R1 was read by us.** ``conf/tasks`` holds the row of each experiment, too, and a
test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from mmie.reporting.backbones import LLAVA, QWEN

SECOND_HAND = "from a second source; only the abstract of MORE-R1 was read by us"


@dataclass(frozen=True)
class Column:
    """``score`` of ``measure`` as results.json has them."""

    title: str
    measure: str
    score: str


@dataclass(frozen=True)
class Row:
    """One row of a paper's table.

    Attributes:
        label: unique in its table.
        printed: %, one for each column, None where nothing is printed.
        experiments: that give this row, the best first; none for other people's systems.
        model: whose scores they are, as in ``models`` of results.json.
        backbone: that the run must have.
        against: label of the row that this one is held against.
        source: where the numbers stand, if not in the table itself.
        system: the label without the model, where that is in it.
    """

    label: str
    printed: tuple[float | None, ...]
    experiments: tuple[str, ...] = ()
    model: str = ""
    backbone: str = QWEN
    against: str = ""
    source: str = ""
    system: str = ""


@dataclass(frozen=True)
class Published:
    """A table.

    Attributes:
        name: of its files, without the profile.
        source: where the printed numbers stand.
        compared: the column on which rows are held against each other.
        whose: what the columns of printed numbers are called.
    """

    name: str
    title: str
    task: str
    source: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    compared: Column
    remarks: tuple[str, ...] = ()
    whose: str = "paper"


SCORES = {"P": "precision", "R": "recall", "F1": "f1"}
QUINTUPLE = tuple(Column(title, "quintuple", score) for title, score in SCORES.items())
ENTITY = tuple(Column(f"entity {title}", "entity", score) for title, score in SCORES.items())
RELATION = (
    Column("Acc", "relation", "accuracy"),
    *(Column(title, "relation", score) for title, score in SCORES.items()),
)

JMERE_ABLATIONS = (
    "ablation_no_partial_reward",
    "ablation_no_rule_score_filter",
    "ablation_no_reprediction_filter",
    "ablation_no_filter",
)
COT_ABLATIONS = ("cot_sft_no_reprediction_filter", "cot_sft_no_filter")
ANY_JMERE = ("zero_shot", "jmere_r1", "sft", "cot_sft", "only_rl", *JMERE_ABLATIONS, *COT_ABLATIONS)
MIXING = ("more_mixing_all", "more_mixing_hard_only", "more_mixing_constant")
ANY_MORE = ("more_zero_shot", "more_r1", "more_sft", "more_stage1", *MIXING)


def _paradigm(
    label: str, experiment: str, *, llava: tuple[float, ...], qwen: tuple[float, ...]
) -> tuple[Row, Row]:
    """A paradigm of Table 1 on both backbones, held against JMERE-R1 on the same one."""
    names = {backbone: f"{label} ({backbone})" for backbone in (LLAVA, QWEN)}
    full = {backbone: "" if label == "JMERE-R1" else f"JMERE-R1 ({backbone})" for backbone in names}
    return (
        Row(names[LLAVA], llava, (experiment,), label, LLAVA, full[LLAVA], system=label),
        Row(names[QWEN], qwen, (experiment,), label, QWEN, full[QWEN], system=label),
    )


def _ablation(label: str, experiment: str, model: str, *printed: float) -> Row:
    """A row of Table 2, held against the whole of what it takes something from."""
    return Row(
        f"{model} {label}".strip(), printed, (experiment,), model, against=model if label else ""
    )


def _mixing(label: str, experiment: str, accuracy: float, f1: float) -> Row:
    return Row(
        label,
        (accuracy, f1),
        (experiment,),
        "MORE-R1",
        against="" if experiment == "more_r1" else "progressive (α 0.5)",
    )


def _elsewhere(label: str, f1: float) -> Row:
    return Row(label, (None, None, None, f1))


MAF_SOURCE = "not in JMERE-R1; from a second source, not checked by us"
TABLE_1 = Published(
    "jmere-table-1",
    "JMERE: paradigms and backbones",
    "jmere",
    "JMERE-R1, Table 1",
    (*QUINTUPLE, *ENTITY),
    (
        Row("OCSGA+MEGA", (48.21, 47.99, 48.10, 75.27, 72.32, 73.77)),
        Row("AGBAN+MEGA", (47.87, 48.28, 48.57, 74.78, 73.69, 74.23)),
        Row("UMGF+MEGA", (49.28, 50.76, 50.01, 75.02, 76.77, 75.88)),
        Row("OCSGA*", (52.11, 47.41, 49.64, 77.13, 75.03, 76.07)),
        Row("AGBAN*", (51.07, 48.89, 49.95, 76.57, 75.82, 76.19)),
        Row("UMGF*", (52.76, 50.22, 51.45, 77.51, 76.67, 77.22)),
        Row("MAF*", (None, None, 53.62, None, None, None), source=MAF_SOURCE),
        Row("EEGA", (58.26, 52.61, 55.29, 78.27, 78.91, 78.59)),
        *_paradigm(
            "SFT",
            "sft",
            llava=(55.81, 46.56, 50.77, 79.75, 74.93, 77.27),
            qwen=(56.88, 47.81, 51.95, 81.12, 76.37, 78.67),
        ),
        *_paradigm(
            "CoT-SFT",
            "cot_sft",
            llava=(50.81, 39.22, 44.27, 77.70, 71.95, 74.71),
            qwen=(50.54, 43.59, 46.77, 76.48, 73.10, 74.75),
        ),
        *_paradigm(
            "Only-RL",
            "only_rl",
            llava=(39.05, 34.84, 36.83, 70.43, 68.40, 69.40),
            qwen=(40.11, 34.53, 37.11, 73.33, 70.51, 71.89),
        ),
        Row(
            f"Warm-up of JMERE-R1 ({QWEN})",
            (None,) * 6,
            ("jmere_r1",),
            "warm-up",
            against=f"JMERE-R1 ({QWEN})",
            source="not printed",
            system="Warm-up of JMERE-R1",
        ),
        *_paradigm(
            "JMERE-R1",
            "jmere_r1",
            llava=(57.07, 52.34, 54.60, 80.12, 77.81, 78.95),
            qwen=(58.99, 54.84, 56.84, 80.14, 78.29, 79.20),
        ),
    ),
    QUINTUPLE[2],
    (
        "AGBAN+MEGA: the printed P and R give F1 48.07, not 48.57.",
        "UMGF*: the printed entity P and R give F1 77.09, not 77.22.",
        f"CoT-SFT ({QWEN}): the printed P and R give F1 46.81, not 46.77.",
        "The paper takes the rows from OCSGA+MEGA to EEGA from Yuan et al. (2023), which we have not read.",
    ),
)
TABLE_2 = Published(
    "jmere-table-2",
    "JMERE: ablations",
    "jmere",
    "JMERE-R1, Table 2, Qwen2.5-VL-7B",
    QUINTUPLE,
    (
        _ablation("", "jmere_r1", "JMERE-R1", 58.99, 54.84, 56.84),
        _ablation("w/o partial reward", JMERE_ABLATIONS[0], "JMERE-R1", 56.86, 53.12, 54.93),
        _ablation(
            "w/o rule-based score filter", JMERE_ABLATIONS[1], "JMERE-R1", 56.58, 51.72, 54.04
        ),
        _ablation("w/o re-prediction filter", JMERE_ABLATIONS[2], "JMERE-R1", 55.86, 50.62, 53.11),
        _ablation("w/o all filters", JMERE_ABLATIONS[3], "JMERE-R1", 55.08, 48.28, 51.46),
        _ablation("", "cot_sft", "CoT-SFT", 50.54, 43.59, 46.77),
        _ablation("w/o re-prediction filter", COT_ABLATIONS[0], "CoT-SFT", 46.67, 40.47, 43.35),
        _ablation("w/o all filters", COT_ABLATIONS[1], "CoT-SFT", 44.44, 39.37, 41.76),
    ),
    QUINTUPLE[2],
    ("CoT-SFT: the printed P and R give F1 46.81, not 46.77.",),
)
TABLE_3 = Published(
    "jmere-table-3",
    "JMERE: zero-shot",
    "jmere",
    "JMERE-R1, Table 3",
    QUINTUPLE,
    (
        Row("GPT-4o", (9.95, 17.47, 12.68)),
        Row(QWEN, (7.27, 14.10, 9.60), ANY_JMERE, "zero-shot", system="zero-shot"),
        Row(LLAVA, (7.41, 13.30, 9.52), ANY_JMERE, "zero-shot", LLAVA, system="zero-shot"),
    ),
    QUINTUPLE[2],
)
MORE_MAIN = Published(
    "more-main",
    "MORE: systems",
    "more",
    f"MORE-R1, main results, {SECOND_HAND}",
    RELATION,
    (
        _elsewhere("BERT+SG", 34.48),
        _elsewhere("MEGA", 35.72),
        _elsewhere("IFAformer", 54.68),
        _elsewhere("MKGformer", 54.73),
        _elsewhere("VisualBERT", 59.66),
        _elsewhere("ViLBERT", 61.10),
        _elsewhere("MOREformer", 62.75),
        _elsewhere("REMOTE", 63.91),
        Row("zero-shot", (23.94, 25.81, 23.95, 24.84), ANY_MORE, "zero-shot", against="MORE-R1"),
        Row("SFT on labels", (82.64, 55.08, 64.84, 59.56), ("more_sft",), "SFT", against="MORE-R1"),
        Row(
            "stage 1",
            (83.33, 62.53, 62.84, 62.69),
            ("more_stage1", "more_r1"),
            "stage 1",
            against="MORE-R1",
        ),
        Row("MORE-R1", (84.91, 65.88, 69.83, 67.80), ("more_r1",), "MORE-R1"),
    ),
    RELATION[3],
    ("Which model MORE-R1 is trained from is not known to us; ours is Qwen2.5-VL-7B.",),
    "second source",
)
MORE_MIXING = Published(
    "more-mixing",
    "MORE: mixing of easy and hard samples",
    "more",
    f"MORE-R1, mixing ablation, {SECOND_HAND}",
    (RELATION[0], RELATION[3]),
    (
        _mixing("everything mixed", MIXING[0], 84.15, 65.20),
        _mixing("hard only", MIXING[1], 82.64, 63.10),
        _mixing("constant 1:1", MIXING[2], 84.52, 66.90),
        _mixing("progressive (α 0.5)", "more_r1", 84.91, 67.80),
    ),
    RELATION[3],
    whose="second source",
)
PUBLISHED = (TABLE_1, TABLE_2, TABLE_3, MORE_MAIN, MORE_MIXING)
