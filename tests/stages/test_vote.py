"""The stage vote: which responses it draws, which it stores, and its scores."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from helpers.configured import run_config
from helpers.labels import LABELS, RELATIONS, TYPES
from helpers.training_runs import WordTask, end_early, make_examples
from mmie.artifacts import Artifact, Store
from mmie.pipeline import execute
from mmie.stages.context import Context
from mmie.stages.stage import Stage
from mmie.stages.system import System
from mmie.stages.vote import drawn, vote, voted
from mmie.tasks.jmere.task import JMERE
from mmie.tasks.more.task import MORE
from mmie.tasks.responses import Reasoned
from mmie.types import Example, Quintuple

pytestmark = pytest.mark.usefixtures("no_pictures")

A, B, C = (
    Quintuple(name, "per", "Browns", "org", relation)
    for name, relation in (("a", "peer"), ("b", "peer"), ("c", "race"))
)


def context_of(tmp_path: Path, *overrides: str) -> Context:
    config = run_config(*overrides, artifacts=tmp_path / "artifacts")
    return Context(config, Store(config.artifacts), tmp_path)


@pytest.fixture
def ask(make_policy: Any, pictures: list[Any], tmp_path: Path) -> Any:
    """``ask(file name, evaluation keys…)`` asks for five responses to each of seven samples.

    It returns the rows of the file.
    """
    policy, examples = end_early(make_policy("qwen")), make_examples(pictures)[:7]

    def run(name: str, **keys: int) -> list[dict[str, Any]]:
        values = {"samples": 5, "max_new_tokens": 5, "batch_size": 8, "vote_rows": 100, **keys}
        context = context_of(
            tmp_path, *(f"evaluation.{key}={value}" for key, value in values.items())
        )
        context.policy = policy
        responses = drawn(context, System("base", WordTask(), None), examples, tmp_path / name)
        rows = [
            json.loads(line) for line in (tmp_path / name).read_text(encoding="utf-8").splitlines()
        ]
        assert [row["responses"] for row in rows] == responses
        assert [row["id"] for row in rows] == [example.id for example in examples]
        return rows

    run.policy = policy  # type: ignore[attr-defined]
    return run


def prompts_of(
    policy: Any, monkeypatch: pytest.MonkeyPatch, *, die_at: int | None = None
) -> list[tuple[int, int]]:
    """Notes (prompts, responses) of each pass from now on; pass ``die_at`` does not return."""
    asked: list[tuple[int, int]] = []
    sample = type(policy).sample

    def spied(self: Any, prompts: Any, uniforms: Any, **options: Any) -> Any:
        if len(asked) == die_at:
            raise KeyboardInterrupt
        asked.append((len(prompts.ids), len(uniforms)))
        return sample(self, prompts, uniforms, **options)

    monkeypatch.setattr(type(policy), "sample", spied)
    return asked


def test_rows_side_by_side_change_nothing_but_the_passes(
    ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = prompts_of(ask.policy, monkeypatch)
    whole = ask("whole.jsonl")
    assert asked == [(7, 35)]
    assert [set(row) for row in whole] == [{"id", "responses", "parsed"}] * 7
    assert [row["parsed"] for row in whole] == [
        [response.split() or None for response in row["responses"]] for row in whole
    ]
    asked.clear()
    assert ask("ten.jsonl", vote_rows=10) == whole
    assert asked == [(2, 10), (2, 10), (2, 10), (1, 5)]
    asked.clear()
    assert ask("two.jsonl", vote_rows=2) == whole  # fewer than the responses to one sample
    assert asked == [(1, 5)] * 7
    asked.clear()
    assert ask("narrow.jsonl", batch_size=3) == whole
    assert [prompts for prompts, _ in asked] == [3, 3, 1]
    fewer = ask("fewer.jsonl", samples=2)
    assert [row["responses"] for row in fewer] == [row["responses"][:2] for row in whole]


TORN = [
    b"",
    b'{"id": "train-4", "resp',
    '{"id": "é'.encode()[:-1],
    b'{"id": "train-4", "responses": []}',
]


def test_a_killed_run_goes_on_where_it_was(
    ask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ask("whole.jsonl", vote_rows=10)
    with monkeypatch.context() as deadly:
        prompts_of(ask.policy, deadly, die_at=2)
        with pytest.raises(KeyboardInterrupt):
            ask("killed.jsonl", vote_rows=10)
    path = tmp_path / "killed.jsonl"
    killed = path.read_bytes()
    assert killed.count(b"\n") == 4
    asked = prompts_of(ask.policy, monkeypatch)
    for torn in TORN:
        path.write_bytes(killed + torn)
        assert ask("killed.jsonl", vote_rows=5) == whole, torn
        assert asked == [(1, 5)] * 3, torn  # the three that are left, each once
        assert path.read_bytes() == (tmp_path / "whole.jsonl").read_bytes(), torn
        asked.clear()
    assert ask("killed.jsonl") == whole
    assert asked == []


def jmere() -> JMERE:
    return JMERE(types=TYPES, relations=RELATIONS, response=Reasoned())


def test_the_curve_by_hand() -> None:
    examples = [Example("test-0", "x", (), (A, B)), Example("test-1", "y", (), (C,))]
    predictions = [[[A], [A, B], None, [A, B], [B, C]], [[B], [C], [C], [B], None]]
    # quintuples k=1: {A}, {B}; 2: {A}, {} (each half of two); 3: None out: {A}, {C};
    #            5: A, B in three of four, C in half of four
    # answers    k=1: {A}, {B}; 2: first of a tie: {A}, {B}; 3: {A}, {C}; 5: {A, B}, {B} (a tie)
    found = voted(jmere(), predictions, examples, bootstrap_samples=50, seed=0)
    assert found["k"] == [1, 2, 3, 5]
    assert found["curves"]["quintuple"]["quintuple"]["f1"] == pytest.approx(
        [2 / 5, 2 / 4, 4 / 5, 4 / 5]
    )
    assert found["curves"]["answer set"]["quintuple"]["f1"] == pytest.approx(
        [2 / 5, 2 / 5, 4 / 5, 4 / 6]
    )
    for way in ("quintuple", "answer set"):
        curve = found["curves"][way]["quintuple"]
        for f1, (low, high) in zip(curve["f1"], curve["ci95"], strict=True):
            assert low <= f1 <= high
        assert len(curve["ci95"]) == 4
    assert found["by_label"] == {
        "quintuple": {"peer": 1.0, "race": 0.0},
        "answer set": {"peer": 0.8, "race": 0.0},
    }


def test_the_counts_end_with_all_responses() -> None:
    examples = [Example("test-0", "x", (), (A,))]
    for samples, counts in (
        (1, [1]),
        (4, [1, 2, 3, 4]),
        (10, [1, 2, 3, 5, 10]),
        (100, [1, 2, 3, 5, 10, 20, 30, 50, 70, 100]),
    ):
        assert (
            voted(jmere(), [[[A]] * samples], examples, bootstrap_samples=0, seed=0)["k"] == counts
        )


def test_labels_vote_too() -> None:
    extra = {"entity_count": 1, "object_count": 1}
    examples = [
        Example("test-0", "x", (), LABELS[0], extra),
        Example("test-1", "y", (), "none", extra),
    ]
    predictions = [["none", LABELS[0], LABELS[0]], [LABELS[1], None, "none"]]
    found = voted(
        MORE(labels=LABELS, response=Reasoned()), predictions, examples, bootstrap_samples=0, seed=0
    )
    assert found["k"] == [1, 2, 3]
    assert found["curves"]["label"]["relation"]["f1"] == pytest.approx(
        [0.0, 0.0, 2 / 3]
    )  # 0 of 1; a tie, then 0 of 1; 1 of 2 and 1
    assert found["by_label"] == {"label": {LABELS[0]: 1.0, LABELS[1]: 0.0}}


def test_more_responses_are_another_vote_and_wider_passes_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = []

    @contextmanager
    def opened(self: Context, name: str, key: str, parts: Any, label: str) -> Iterator[Stage]:
        keys.append((key, label))
        yield Stage(Artifact(tmp_path, key), False, tmp_path)

    (tmp_path / "voting.json").write_text("{}")
    monkeypatch.setattr(Context, "_opened", opened)
    for overrides in ([], ["evaluation.vote_rows=7"], ["evaluation.samples=9"]):
        context = context_of(tmp_path, "evaluation.samples=5", *overrides)
        system = System("JMERE-R1", context.reasoned, Artifact(tmp_path, "mark"))
        vote(context, system, Artifact(tmp_path, "data"))
    assert keys[0] == keys[1]
    assert keys[0][1] == "vote JMERE-R1"
    assert keys[2][0] != keys[0][0]


def test_the_pipeline_votes_where_more_than_one_response_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = [
        "data.sizes={train: 8, val: 2, test: 4}",
        "filter=[]",
        "cot.candidates=1",
        "sft.epochs=1",
        "sft.batch_size=8",
        "sft.micro_batch_size=8",
        "sft.validations=1",
        "grpo=none",
        "evaluation.max_new_tokens=12",
        "evaluation.batch_size=3",
        "evaluation.bootstrap_samples=20",
        "logger.wandb=false",
        "trainer.threads=1",
    ]
    found = []
    voting = ["evaluation.samples=3"]
    for name, overrides in (
        ("one", []),
        ("three", voting),
        ("again", [*voting, "evaluation.vote_rows=1"]),
    ):
        (tmp_path / name).mkdir()
        path = execute(context_of(tmp_path, *small, *overrides).config, tmp_path / name)
        found.append(json.loads(path.read_text(encoding="utf-8")))
    one, three, again = found
    assert one["voting"] == {}
    assert list(one["systems"]) == ["zero-shot", "CoT-SFT"]
    assert list(three["voting"]) == ["CoT-SFT"]
    votes = three["voting"]["CoT-SFT"]
    assert votes["k"] == [1, 2, 3]
    assert list(votes["curves"]) == ["quintuple", "answer set"]
    assert list(votes["curves"]["quintuple"]) == ["quintuple", "entity"]
    assert [name for name, stage in three["stages"].items() if not stage["cached"]] == [
        "vote CoT-SFT"
    ]
    assert all(stage["cached"] for stage in again["stages"].values())
    assert again["voting"] == three["voting"]
    assert capsys.readouterr().out.count("Votes of k responses") == 2
    folder = tmp_path / "artifacts/vote" / three["stages"]["vote CoT-SFT"]["key"]
    rows = [
        json.loads(line)
        for line in (folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    answers = [
        json.loads(line)
        for line in (tmp_path / "three/predictions/cot-sft.jsonl")
        .read_text(encoding="utf-8")
        .splitlines()
    ]
    assert [len(row["responses"]) for row in rows] == [3] * 4
    assert [row["responses"][0] for row in rows] == [answer["response"] for answer in answers]
