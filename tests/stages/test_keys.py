"""The key of a stage holds what its result depends on, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import Field, fields, is_dataclass
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch

from helpers.configured import run_config
from mmie.artifacts import Artifact, Store
from mmie.config import RunConfig
from mmie.stages import checkpoint, learn, prepare
from mmie.stages.context import Context
from mmie.stages.difficulty import difficulty
from mmie.stages.evaluate import evaluate
from mmie.stages.keys import key_of
from mmie.stages.samples import Samples
from mmie.stages.stage import VERSIONS
from mmie.stages.system import systems
from mmie.stages.teacher_row import evaluate_teacher
from mmie.stages.vote import vote
from mmie.tasks.jmere.jmere_json import JMEREJson

# One run that has every stage: a division, chains, a difficulty, votes and the teacher's own row.
WHOLE = ["sft_share=0.5", "schedule=progressive_mix", "evaluation.samples=3"]
SIZES = "data.sizes={train: 4, val: 2, test: 2}"
FILES = "data=jmere_json"
TEACHERS = ["data", "divide", "distil", "filter"]
TRAINED = ["sft", "difficulty", "grpo"]
ROWS = ["base", "warm-up", "policy"]


class StageKeyError(Exception):
    """What a stage would store its result under."""


class KeysOnly(Context):
    """A run whose stages say their key and do nothing."""

    def _opened(self, name: str, key: str, *_: Any) -> NoReturn:
        raise StageKeyError(key)


@pytest.fixture(autouse=True)
def _checkpoint_known_by_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy checkpoint is not read again for each of a hundred configurations."""
    monkeypatch.setattr(checkpoint, "_digest", lambda file: file.name)


@cache
def composed(*overrides: str) -> RunConfig:
    sizes = [] if FILES in overrides else [SIZES]
    return run_config(*WHOLE, *sizes, *overrides)


def said(stage: Callable[..., Any], *arguments: Any, **options: Any) -> Artifact:
    """What the stage would give."""
    with pytest.raises(StageKeyError) as key:
        stage(*arguments, **options)
    return Artifact(Path("unused"), str(key.value))


def keys_of(config: RunConfig) -> dict[str, str]:
    """The keys of all stages of a run, none of which takes place."""
    context = KeysOnly(config, Store("unused"), Path("unused"))
    assert config.sft is not None
    assert config.grpo is not None
    data = said(prepare.data, context)
    division = said(prepare.divided, context, data)
    samples = Samples(data, division)
    distil = said(prepare.distil, context, samples)
    chains = said(prepare.filtered, context, data, distil)
    sft = said(learn.sft, context, config.sft, samples, chains)
    split = said(difficulty, context, samples, sft)
    grpo = said(learn.grpo, context, config.grpo, samples, reference=sft, difficulty=split)
    stages = [data, division, distil, chains, sft, split, grpo]
    keys = dict(zip([*TEACHERS, *TRAINED], [stage.key for stage in stages], strict=True))
    for row, system in zip(ROWS, systems(context, sft, grpo), strict=True):
        keys[f"evaluate {row}"] = said(evaluate, context, system, data).key
        keys[f"vote {row}"] = said(vote, context, system, data).key
    keys["evaluate teacher"] = said(evaluate_teacher, context, data).key
    return keys


@cache
def keys_before(*overrides: str) -> dict[str, str]:
    return keys_of(composed(*overrides))


def changed(config: RunConfig, *overrides: str) -> set[str]:
    """The stages that have another key than in the run with the overrides alone."""
    after = keys_of(config)
    return {stage for stage, key in keys_before(*overrides).items() if after[stage] != key}


def leaves(section: Any, path: str = "", *, keyed: bool = True) -> Iterator[tuple[str, bool]]:
    """The path of every field that is not a section, and whether it belongs to any key."""
    for entry in fields(section):
        inside = keyed and _says(entry) is not False
        value = getattr(section, entry.name)
        if is_dataclass(value):
            yield from leaves(value, f"{path}{entry.name}.", keyed=inside)
        else:
            yield f"{path}{entry.name}", inside


def _says(entry: Field[Any]) -> Any:
    return entry.metadata.get("key", True)


LEAVES = dict(leaves(composed()))
FREE = [path for path, keyed in LEAVES.items() if not keyed]
# Nodes, whose arguments the table of overrides below changes one by one.
NODES = {
    "task",
    "data",
    "model",
    "teacher",
    "reward",
    "schedule",
    "rollout",
    "filter",
    "cot.chains",
}
KEYED = [path for path, keyed in LEAVES.items() if keyed and path not in NODES]
OTHER = {"sft_share": 0.25, "zero_shot.systems": ["base", "teacher"], "trainer.accelerator": "gpu"}


def with_value(path: str, value: Any, *overrides: str) -> RunConfig:
    """The run with one other value; composing each of them anew would take seconds."""
    config = copy.deepcopy(composed(*overrides))
    *outer, name = path.split(".")
    place: Any = config
    for part in outer:
        place = place[part] if isinstance(place, dict) else getattr(place, part)
    if isinstance(place, dict):
        assert name in place
        place[name] = value
    else:
        setattr(place, name, value)
    return config


def with_another(path: str) -> RunConfig:
    """The run with another value of one field."""
    value = attrgetter(path)(composed())
    return with_value(path, OTHER[path] if path in OTHER else another(value))


def another(value: Any) -> Any:
    """Another value of the same type; no stage takes place, so it need not make sense."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value} other"
        case list():
            return [*value, "other"]
        case dict():
            return {**value, "file": "other"}
        case None:
            return 1
    raise AssertionError(f"no other value for {value!r}")


def test_which_fields_of_the_computing_sections_are_in_no_key() -> None:
    """Memory and speed knobs, and no other field."""
    sections = ("lora.", "sft.", "grpo.", "evaluation.", "zero_shot.", "trainer.")
    expected = """
        sft.checkpoint_every sft.micro_batch_size
        grpo.checkpoint_every grpo.micro_prompts
        evaluation.batch_size evaluation.vote_rows
        zero_shot.systems
        trainer.devices trainer.num_nodes trainer.strategy
    """
    assert {path for path in FREE if path.startswith(sections)} == set(expected.split())
    assert set(LEAVES) >= NODES


def test_speed_memory_and_output_change_no_key() -> None:
    assert {path: keys for path in FREE if (keys := changed(with_another(path)))} == {}


def test_every_other_field_changes_a_key() -> None:
    assert [path for path in KEYED if not changed(with_another(path))] == []


def after(stage: str, *, base: bool = False) -> set[str]:
    """The stage and all those that build on it; the untrained base builds on the data alone."""
    order = [*TEACHERS, *TRAINED]
    rows = {f"{kind} {row}" for kind in ("evaluate", "vote") for row in ROWS[not base :]}
    return {*order[order.index(stage) :], *rows}


EVERY = {*after("data", base=True), "evaluate teacher"}
STUDENTS = EVERY - set(TEACHERS)
VOTES = {f"vote {row}" for row in ROWS}
SCORES = {*VOTES, *(f"evaluate {row}" for row in ROWS)}
POLICY = {"grpo", "evaluate policy", "vote policy"}
FILTERS = composed().filter
CHANGES = [
    ("task.instruction", "Name all in {text}.", STUDENTS),
    ("data.seed", 7, EVERY),
    ("data.sizes", {"train": 4, "val": 2, "test": 3}, EVERY),
    ("reasoning_instruction", "Think.", after("sft")),
    ("cot.candidates", 7, after("distil")),
    ("cot.chains.distil", "{text} {answer}", after("distil")),
    ("cot.chains.score", "From 0 to 1, how good is {chain} for {text}?", after("distil")),
    ("teacher.wrong_score", 0.5, {*after("distil"), "evaluate teacher"}),
    ("zero_shot.teacher_instruction", "Be brief.", {"evaluate teacher"}),
    ("filter", {"reprediction": FILTERS["reprediction"]}, after("filter")),
    ("filter", dict(reversed(FILTERS.items())), after("filter")),
    ("filter.rule_score.threshold", 0.9, after("filter")),
    ("model.attention", "eager", {*after("sft"), *SCORES}),
    ("trainer.threads", 1, {*after("sft"), *SCORES}),
    ("trainer.precision", "bf16-mixed", after("sft")),
    ("lora.rank", 3, after("sft")),
    ("sft.lr", 1.0, after("sft")),
    ("reward.alpha", 0.7, POLICY),
    ("schedule.alpha", 0.9, POLICY),
    ("grpo.group_size", 3, POLICY),
    ("grpo.rollout_correction", "mask", POLICY),
    ("evaluation.reader", "strict", {*after("sft"), *SCORES, "evaluate teacher"}),
    ("evaluation.validation_samples", 1, after("sft")),
    ("evaluation.temperature", 0.0, {*after("sft"), *SCORES, "evaluate teacher"}),
    ("evaluation.training_temperature", 0.0, after("sft")),
    ("evaluation.bootstrap_samples", 7, {*SCORES, "evaluate teacher"}),
    ("evaluation.samples", 9, VOTES),
]


@pytest.mark.parametrize(("path", "value", "stages"), CHANGES, ids=[row[0] for row in CHANGES])
def test_a_change_concerns_the_stages_that_depend_on_it(
    path: str, value: Any, stages: set[str]
) -> None:
    assert changed(with_value(path, value)) == stages


def test_another_temperature_for_the_test_split_alone_trains_nothing_anew() -> None:
    as_before = composed().evaluation.temperature
    config = with_value("evaluation.training_temperature", as_before)
    assert changed(config) == set()
    config.evaluation.temperature = 0.0
    assert changed(config) == {*SCORES, "evaluate teacher"}


@pytest.mark.parametrize(
    ("overrides", "first"),
    [([], "distil"), ([FILES], "data")],
    ids=["a source that reads no labels", "a source that reads them"],
)
def test_a_label_set_concerns_all_that_read_it(
    overrides: list[str], first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The teacher's prompts list the labels, and files are read by them."""
    monkeypatch.setattr(JMEREJson, "content", lambda self: "the same files")
    config = composed(*overrides, "task.types=[per,org,loc,misc,other]")
    assert changed(config, *overrides) == {*after(first), *STUDENTS}


def test_the_labels_of_more_are_part_of_the_key() -> None:
    other = composed("task=more", "task.labels=[/per/per/peer]")
    assert changed(other, "task=more") >= STUDENTS


def test_how_fast_and_where_a_teacher_is_asked_changes_no_key() -> None:
    paid = "teacher=openai"
    how = {"concurrency": 1, "max_retries": 1, "timeout": 9, "max_refused": 0.5}
    names = {"api_key_env": "OTHER", "base_url_env": "OTHER"}
    for name, value in {**how, **names}.items():
        assert changed(with_value(f"teacher.{name}", value, paid), paid) == set(), name
    for name, value in {"model": "other", "temperature": 0.5, "max_tokens": 9}.items():
        teachers = {*after("distil"), "evaluate teacher"}
        assert changed(with_value(f"teacher.{name}", value, paid), paid) == teachers, name


def test_who_samples_is_part_of_the_key_but_not_where_and_how_it_is_asked() -> None:
    """Without a server nothing is said of it, so that old results keep their keys."""
    answered = {*after("sft"), *SCORES}
    served = "rollout=vllm"
    assert changed(composed(served)) == answered
    assert changed(composed("rollout=local")) == set()
    how = {"concurrency": 1, "retries": 1, "timeout": 9.0, "address": "http://other", "folder": "x"}
    for name, value in {**how, "model": "other", "command": ["other"]}.items():
        assert changed(with_value(f"rollout.{name}", value, served), served) == set(), name
    for name, value in {"dtype": "bfloat16", "arguments": ["--quantization=fp8"]}.items():
        assert changed(with_value(f"rollout.{name}", value, served), served) == answered, name


def test_every_stage_has_a_version_that_its_key_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    """What predict depends on is tested in test_predict.py."""
    assert {stage.split()[0] for stage in EVERY} == set(VERSIONS) - {"predict"}
    keys_before()
    monkeypatch.setitem(VERSIONS, "filter", VERSIONS["filter"] + 1)
    assert changed(composed()) == after("filter")


def test_a_field_belongs_only_to_stages_that_there_are() -> None:
    sections = [type(value) for value in vars(composed()).values() if is_dataclass(value)]
    says = [_says(entry) for section in sections for entry in fields(section)]
    assert {stage for key in says if isinstance(key, tuple) for stage in key} <= set(VERSIONS)


def test_auto_is_the_processor_that_it_stands_for(monkeypatch: pytest.MonkeyPatch) -> None:
    auto = with_value("trainer.accelerator", "auto")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert changed(auto) == set()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert changed(auto) == {*after("sft"), *SCORES}
    on_gpu = "trainer.accelerator=gpu"
    assert changed(with_value("trainer.threads", 7, on_gpu), on_gpu) == set()


def test_the_keyed_part_of_a_section_is_plain() -> None:
    evaluation = composed().evaluation
    assert set(key_of(evaluation, "difficulty")) == {"temperature", "max_new_tokens", "reader"}
    assert key_of(composed(), "vote")["lora"] == key_of(composed().lora, "vote")
