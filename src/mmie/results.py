"""``results.json``: its one type, one writer and one reader.

``read_results`` checks a file once and whole, so that tables, figures and pages can rely on the
types below. docs/metrics.md explains every key.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from mmie.files import write_json
from mmie.json_types import from_json, read_json, to_json
from mmie.spending import Spent

# Ends of the measures that are taken with the reader that is not chosen.
STRICT, LENIENT = OTHER_READER = ("_strict", "_lenient")
SPLIT = "test/"  # begins every measure of ``systems``


class Counts(NamedTuple):
    """Items of one test sample."""

    correct: int
    predicted: int
    gold: int


class Confused(NamedTuple):
    """How often one label was taken for another; "" stands for no label."""

    gold: str
    predicted: str
    times: int


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Scores over the test split, 0..1, and the counts behind them.

    Attributes:
        ci95: 95 % bootstrap interval of F1 (low, high); every score of a system has one.
        accuracy, accuracy_ci95, macro_f1, samples: of tasks with one label per sample.
    """

    precision: float
    recall: float
    f1: float
    correct: int
    predicted: int
    gold: int
    ci95: tuple[float, float] | None = None
    accuracy: float | None = None
    accuracy_ci95: tuple[float, float] | None = None
    macro_f1: float | None = None
    samples: int | None = None


@dataclass(frozen=True, kw_only=True)
class StageRecord:
    """What a stage took.

    Attributes:
        seconds: in this run.
        made_in: seconds when it was really computed.
        cached: whether this run took it from an earlier one.
        key: of its artefact.
    """

    seconds: float
    made_in: float
    cached: bool
    key: str


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What the teacher's answers cost; None where unknown. Answers from the record count, too.

    Attributes:
        requests: answers that the run needed.
        tokens: of their prompts and texts.
        dollars: what they cost when they were requested.
        paid: what this run paid of it.
        purposes: the same by purpose: chains, each kind of verdict, answers of the teacher's row.
    """

    requests: int | None
    tokens: int | None
    dollars: float | None
    paid: float | None = None
    purposes: dict[str, Spent] | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two systems of one run by the paired randomisation test.

    Attributes:
        first, second: the systems.
        measure: whose F1 is compared.
        difference: F1 of the first minus that of the second.
        p: two-sided p-value.
        exact: whether every swap was tried.
    """

    first: str
    second: str
    measure: str
    difference: float
    p: float
    exact: bool


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What one system got right and wrong.

    Attributes:
        ids: digest of the test samples and their gold; only runs with equal ones are compared.
        counts: measure → counts of each test sample, in order.
        right: whether the whole answer to each sample is right, in order.
        errors: kind of error → count.
        confusion: which label was taken for which, right ones included, most frequent first.
        breakdown: group of labels ("relation") → label → scores; the main group comes first.
    """

    ids: str
    counts: dict[str, tuple[Counts, ...]]
    right: tuple[bool, ...]
    errors: dict[str, int]
    confusion: tuple[Confused, ...]
    breakdown: dict[str, dict[str, Scores]]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Scores of a vote, 0..1, one for each k; precision and recall may be empty."""

    f1: tuple[float, ...]
    ci95: tuple[tuple[float, float], ...]
    precision: tuple[float, ...] = ()
    recall: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Diversity:
    """How much the responses to one sample differ, mean over the samples."""

    distinct_answers: float
    answer_entropy_bits: float
    chain_distance: float | None


@dataclass(frozen=True, kw_only=True)
class Voting:
    """How good the majority of k responses to each test sample is.

    Attributes:
        k: numbers of responses that vote.
        curves: way of voting → measure → curve over ``k``; the main measure comes first.
        by_label: way of voting → label of the breakdown's main group → F1 where all vote.
        diversity: None in results that lack it.
    """

    k: tuple[int, ...]
    curves: dict[str, dict[str, Curve]]
    by_label: dict[str, dict[str, float]]
    diversity: Diversity | None = None

    def __post_init__(self) -> None:
        if not all(self.k):
            raise ValueError("k has a 0")
        for way, measures in self.curves.items():
            for curve in measures.values():
                if not len(self.k) == len(curve.f1) == len(curve.ci95):
                    raise ValueError(f"curves.{way} is not as long as k")


@dataclass(frozen=True, kw_only=True)
class DifficultyPart:
    """The easy or the hard test samples: their number, and system → measure → scores on them."""

    samples: int
    systems: dict[str, dict[str, Scores]]


@dataclass(frozen=True, kw_only=True)
class Vision:
    """Pictures that this run encoded, and encoded ones that it read from disk."""

    computed: int
    from_disk: int


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node of the configuration: its class, and the path that it may have."""

    _target_: str = ""
    path: str | None = None


@dataclass(frozen=True, kw_only=True)
class GRPOSettings:
    """``config.grpo``, as far as figures need it."""

    group_size: int | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """``config.evaluation``, as far as it decides which scores can be compared."""

    temperature: float | None = None
    max_new_tokens: int | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What tables and figures read of ``config``; ``filter`` is name → its parameters."""

    model: Node = Node()
    data: Node = Node()
    grpo: GRPOSettings | None = None
    evaluation: EvaluationSettings = EvaluationSettings()
    filter: dict[str, dict[str, Any]] | None = None


@dataclass(frozen=True, kw_only=True)
class Results:
    """Everything that one run leaves in ``results.json``.

    Attributes:
        experiment, task, profile, seed: what was run.
        main_measure: the measure whose F1 chooses and compares ("quintuple"), without ``test/``.
        unit: what the task counts ("quintuples").
        method, warmed_up: the systems that are the whole method and its first stage, whether or
            not this run has them.
        commit, key, versions, command, date: what made it; ``key`` is the hash of ``config``.
        hardware: where the run ended. A stage found finished may come from elsewhere, see its
            ``meta.json``. "" in results from before it was recorded.
        stages: stage → what it took.
        systems: row of the run's table → ``test/<measure>`` → scores, weakest paradigm first.
        cost: of the teacher's chains.
        notes: what a reader must know, by kind.
        paper: the paper's row for this experiment and model: ``source``, and measure → score →
            value; None where there is none.
        config: the resolved configuration.
        chains: filter → candidates left after it, in order; then ``samples`` with a chain left.
        comparisons: each system against the one before it, in the main measure.
        analysis, voting: system → what it says.
        by_difficulty: ``easy`` and ``hard`` → the systems on these samples; may be empty.
    """

    experiment: str
    task: str
    profile: str
    seed: int
    commit: str
    key: str
    command: str
    date: str
    versions: dict[str, str]
    hardware: str = ""
    main_measure: str
    unit: str
    method: str
    warmed_up: str
    stages: dict[str, StageRecord]
    systems: dict[str, dict[str, Scores]]
    comparisons: tuple[Comparison, ...]
    cost: Cost
    chains: dict[str, int]
    vision: Vision
    notes: dict[str, Any]
    voting: dict[str, Voting]
    paper: dict[str, Any] | None
    config: dict[str, Any]
    analysis: dict[str, Analysis]
    by_difficulty: dict[str, DifficultyPart]

    def __post_init__(self) -> None:
        from_json(Settings, self.config, "config")

    @cached_property
    def settings(self) -> Settings:
        """The part of ``config`` that tables and figures read."""
        settings: Settings = from_json(Settings, self.config, "config")
        return settings

    def scores(self, system: str) -> dict[str, Scores]:
        """Measure, without ``test/`` → scores by the chosen reader; empty for an unknown system."""
        measures = self.systems.get(system, {}).items()
        own = ((name, scores) for name, scores in measures if not name.endswith(OTHER_READER))
        return {name.removeprefix(SPLIT): scores for name, scores in own}

    @property
    def text_only(self) -> str:
        """What every page must say if no sample had a picture; "" otherwise."""
        return str(self.notes.get("text_only", ""))

    @property
    def last(self) -> dict[str, Scores]:
        """The scores of the last system; empty without any."""
        return self.scores([*self.systems][-1]) if self.systems else {}


def write_results(path: Path, results: Results) -> None:
    """Writes the file, whole or not at all.

    Raises:
        InputError: the place cannot be written.
    """
    write_json(path, to_json(results))


def read_results(path: Path) -> Results:
    """The results of a run.

    Raises:
        InputError: the file cannot be read, is of an earlier version, or holds something else;
            the line names the file and the key.
    """
    what, advice = "the results of a run", "leave the file out or run again"
    return read_json(Results, path, what=what, advice=advice, earlier="models")
