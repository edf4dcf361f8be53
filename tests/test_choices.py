"""What is asked for on the command line is what is built, or the refusal names the key in one line.

Composing takes a tenth of a second. So every experiment is composed in each profile with one model,
one reward and one choice of filters, which change from case to case until all have met.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import cycle, islice, product
from typing import Any, NamedTuple

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from helpers.configured import CONF, experiment_files
from mmie.config import RunConfig, to_run_config
from mmie.errors import InputError

PROFILES = ("toy", "paper", "small")
TASKS = sorted(path.name for path in (CONF / "tasks").iterdir())
FILES = [*CONF.glob("*/*.yaml"), *CONF.glob("tasks/*/*/*.yaml")]
CHOICES = {
    group: {path.stem: path for path in sorted(FILES) if path.parent.name == group}
    for group in ("model", "reward", "filter")
}
FILTERS = (
    [],
    ["reprediction"],
    ["six_steps"],
    ["rule_score", "reprediction"],
    ["mner_reprediction"],
    ["mre_reprediction"],
)
READ_AT_MOST = 11


class Case(NamedTuple):
    experiment: str
    profile: str
    model: str
    reward: str
    filters: list[str]

    @property
    def task(self) -> str:
        return experiment_files()[self.experiment].parts[-3]

    @property
    def overrides(self) -> list[str]:
        given = [f"profile={self.profile}", f"model={self.model}", f"reward={self.reward}"]
        return [f"+experiment={self.experiment}", *given, f"filter=[{','.join(self.filters)}]"]

    @property
    def foreign(self) -> set[str]:
        """The keys of what belongs to another task."""
        keys = {f"filter.{name}": CHOICES["filter"][name] for name in self.filters}
        keys["reward"] = CHOICES["reward"][self.reward]
        return {key for key, path in keys.items() if path.parts[-3] != self.task}


def cases() -> Iterator[Case]:
    """Every experiment in each profile; those of a task meet the pairs of model and reward."""
    for task, profile in product(TASKS, PROFILES):
        names = [name for name, path in experiment_files().items() if path.parts[-3] == task]
        pairs = pairs_of(task)
        count = max(len(names), len(pairs))
        rows = zip(cycle(names), cycle(pairs), cycle(FILTERS[::-1] + FILTERS[:1]), strict=False)
        for name, (model, reward), filters in islice(rows, count):
            yield Case(name, profile, model, reward, filters)


def pairs_of(task: str) -> list[tuple[str, str]]:
    """The task's own reward with every model, and the rewards of other tasks with one."""
    models, rewards = list(CHOICES["model"]), CHOICES["reward"]
    own = [name for name, path in rewards.items() if path.parts[-3] == task]
    others = [name for name in rewards if name not in own]
    return [*product(models, own), *zip(cycle(models), others, strict=False)]


CASES = list(cases())


@pytest.fixture(scope="module", autouse=True)
def _hydra() -> Iterator[None]:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def built(*overrides: str) -> RunConfig:
    return to_run_config(compose("config", list(overrides)))


def test_the_cases_meet_everything() -> None:
    parts = {(case.task, case.profile, case.model, case.reward) for case in CASES}
    for task, profile in product(TASKS, PROFILES):
        assert {(task, profile, *pair) for pair in pairs_of(task)} <= parts
    assert {(case.experiment, case.profile) for case in CASES} == {
        *product(experiment_files(), PROFILES)
    }
    kinds = {(case.task, tuple(case.filters)) for case in CASES}
    assert len(kinds) == len(TASKS) * len(FILTERS)
    assert len(TASKS) == 4
    assert {bool(case.foreign) for case in CASES} == {True, False}


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case.overrides))
def test_what_is_asked_for_is_built_or_refused(case: Case) -> None:
    if case.foreign:
        with pytest.raises(InputError) as refusal:
            built(*case.overrides)
        line = str(refusal.value)
        assert line.partition(": ")[0] in case.foreign
        assert "\n" not in line
        return
    run = built(*case.overrides)
    assert (run.experiment, run.profile) == (case.experiment, case.profile)
    assert run.model["path"] == OmegaConf.load(CHOICES["model"][case.model]).path
    reward = OmegaConf.load(CHOICES["reward"][case.reward])
    assert run.reward.keys() == reward.keys()
    assert run.reward["_target_"] == reward["_target_"]
    assert list(run.filter) == case.filters


@pytest.mark.parametrize("profile", PROFILES)
def test_the_task_alone_is_its_method(profile: str) -> None:
    alone, named = (
        built("task=more", f"profile={profile}"),
        built("+experiment=more_r1", f"profile={profile}"),
    )
    named.experiment = alone.experiment
    assert alone == named


def test_more_alone_is_its_toy() -> None:
    run = built("task=more")
    parts: dict[str, Any] = {**run.filter, "data": run.data, "teacher": run.teacher}
    parts |= {"reward": run.reward, "chains": run.cot.chains}
    assert {name: node["_target_"] for name, node in parts.items()} == {
        "data": "mmie.tasks.more.toy_source.ToyMORESource",
        "teacher": "mmie.tasks.more.toy_teacher.MORETemplateTeacher",
        "chains": "mmie.tasks.more.chains.MOREChains",
        "six_steps": "mmie.tasks.more.six_steps.SixStepsFilter",
        "reward": "mmie.tasks.more.rewards.MOREReward",
    }
    assert run.model["path"] == "mmie:toy/qwen2_5_vl_more"
    assert run.sft is not None
    assert run.grpo is not None
    assert (run.sft.epochs, run.grpo.kl_coef, run.grpo.clip_high) == (10, 0.001, 0.2)
    assert run.schedule["_target_"].endswith("ProgressiveMix")
    assert (run.sft_share, run.reward["threshold"], len(run.task["labels"])) == (0.25, 200, 12)


def test_a_part_of_another_task_is_named_with_the_remedy() -> None:
    with pytest.raises(InputError) as refusal:
        built("+experiment=more_r1", "reward=jmere")
    assert str(refusal.value) == (
        "reward: mmie.tasks.jmere.rewards.JMEREReward is a part of the task jmere, and this is the"
        " task more; choose another reward, or task=jmere"
    )


@pytest.mark.parametrize("key", ["data=mnre", "data=jmere_toy", "teacher=jmere_toy"])
def test_data_and_teacher_of_another_task_are_refused(key: str) -> None:
    with pytest.raises(InputError, match=rf"^{key.partition('=')[0]}: \S+ is a part of"):
        built("task=more", key)


def test_what_an_experiment_changes_may_not_fit_another_choice() -> None:
    with pytest.raises(InputError, match=r"^schedule\.alpha: .* takes no such argument here"):
        built("+experiment=more_mixing_constant", "schedule=all_mixed")


def test_few_files_make_a_run_of_the_paper() -> None:
    """A reader who asks where a value comes from has to open these and no others."""
    loader = GlobalHydra.instance().config_loader()
    overrides = ["+experiment=ablation_no_filter", "profile=paper"]
    entries = loader.compute_defaults_list("config", overrides, RunMode.RUN).defaults
    paths = {entry.config_path for entry in entries}
    read = {path for path in paths if not path.startswith("hydra/")} - {"run_config"}
    assert len(read) <= READ_AT_MOST, read
    assert {"config", "task/jmere", "experiment/ablation_no_filter"} <= read


def test_the_page_of_options_lists_every_choice() -> None:
    page = (CONF.parent / "docs" / "options.md").read_text(encoding="utf-8")
    choices_part = page.partition("\n## All sections")[0]  # rows of keys come after it
    rows = dict(re.findall(r"^\| `(\w+)` \| (`.*) \|$", choices_part, re.MULTILINE))
    choices: dict[str, set[str]] = {}
    for path in FILES:
        choices.setdefault(path.parent.name, set()).add(path.stem)
    others = ("experiment", "prompts")  # docs/commands.md; chosen by the task alone
    assert {group: set(re.findall(r"`(\w+)`", row)) for group, row in rows.items()} == {
        group: names for group, names in choices.items() if group not in others
    }
