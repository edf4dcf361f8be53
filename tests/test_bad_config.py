"""Every mistake in the configuration, in YAML or on the command line, is an error with its key."""

import runpy
import shutil
import sys
from math import inf, nan
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from omegaconf import OmegaConf

import mmie
from helpers.configured import compose, run_config
from mmie.checks import misfits
from mmie.config import to_run_config
from mmie.errors import InputError

ROOT = Path(__file__).parents[1]
REWARD = "mmie.tasks.jmere.rewards.JMEREReward"


def message(*overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        run_config(*overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("grpo.group_size", 1),
        ("grpo.kl_coef", -0.01),
        ("grpo.kl_coef", nan),
        ("grpo.kl_estimator", "k4"),
        ("grpo.rollout_correction", "tis"),
        ("grpo.rollout_threshold", 1),
        ("grpo.rollout_threshold", nan),
        ("grpo.temperature", 0),
        ("grpo.micro_prompts", 0),
        ("grpo.prompts_per_step", 18),
        ("sft.lr", inf),
        ("sft.epochs", 0),
        ("sft.response", "both"),
        ("sft.response", "direct"),
        ("sft.warmup_ratio", 1),
        ("sft.batch_size", 20),
        ("evaluation.temperature", -0.1),
        ("evaluation.training_temperature", -0.1),
        ("evaluation.validation_samples", 0),
        ("evaluation.samples", 0),
        ("evaluation.vote_rows", 0),
        ("lora.dropout", 1),
        ("lora.targets", "(q_proj"),
        ("sft_share", 0),
        ("trainer.precision", "bf17"),
        ("trainer.accelerator", "gpuu"),
        ("trainer.strategy", "deepspeed_stage_3"),
        ("sft_share", 1),
        ("seed", -1),
        ("seed", "???"),
        ("artifacts", "${nowhere}"),
        ("artifacts", " "),
        ("stages", ["data", "destil"]),
        ("reward", "jmere"),
        ("reward.alpha", "much"),
        ("reward.alpha", True),
        ("reward.alpha", "???"),
        ("reward.alhpa", 0.2),
        ("filter.rule_score.treshold", 0.5),
        ("task.response", "direct"),
        ("reward._target_", "mmie.tasks.jmere.rewards.JMERERewrad"),
        ("reward._target_", "mmie.tasks.jmere.rewards_.JMEREReward"),
        ("reward._target_", "os.system"),
        ("reward._target_", "mmie.artifacts.os.system"),
        ("reward._target_", "mmie.tasks.jmere.rewards.linear_sum_assignment"),
        ("reward._target_", "mmie.tasks.jmere.rewards.editdistance"),
        ("reward._target_", 3),
    ],
)
def test_the_message_begins_with_the_key(key: str, value: Any) -> None:
    cfg = compose()
    OmegaConf.update(cfg, key, value, merge=False, force_add=True)
    with pytest.raises(InputError) as caught:
        to_run_config(cfg)
    assert str(caught.value).startswith((f"{key}: ", f"{key}._target_: "))
    assert "\n" not in str(caught.value)


def test_the_configuration_that_is_broken_above_is_good() -> None:
    assert run_config().profile == "toy"


def test_arguments_can_be_neither_added_nor_taken_away() -> None:
    assert message("~reward.alpha").startswith("reward.alpha: missing")
    assert message("~reward._target_").startswith("reward._target_: missing")
    assert message("+reward.alhpa=0.2") == (
        f"reward.alhpa: {REWARD} takes no such argument here; it takes alpha, beta, invalid_zeroes"
    )


def test_responses_that_are_all_the_same_do_not_vote() -> None:
    run_config("evaluation.temperature=0")
    assert message("evaluation.temperature=0", "evaluation.samples=100") == (
        "evaluation.samples: 100 responses at temperature 0 are all the same;"
        " raise evaluation.temperature or take 1"
    )


def test_batches_are_divided_by_all_devices() -> None:
    """16 samples are 4 micro-batches of 2 on each of two devices, but no whole number on three."""
    run_config("trainer.devices=2", "sft.micro_batch_size=2", "grpo.micro_prompts=2")
    assert message("trainer.devices=3", "sft.micro_batch_size=2") == (
        "sft.batch_size: 16 is no multiple of sft.micro_batch_size 2 × 3 devices;"
        " change one of them"
    )
    assert message("trainer.num_nodes=3").startswith("sft.batch_size: 16 is no multiple of")
    assert message("sft=none", "trainer.devices=5").startswith(
        "grpo.prompts_per_step: 12 is no multiple of"
    )


def test_a_share_needs_a_warm_up() -> None:
    with pytest.raises(InputError) as caught:
        run_config("+experiment=more_r1", "sft=none", "schedule=all_mixed")
    assert str(caught.value) == (
        "sft_share: nothing is warmed up on this share (0.25), as sft is none; set sft_share=null"
    )


def test_predict_takes_what_the_task_asks_for() -> None:
    run_config("task=more", "predict.entity=x", "predict.box=[1,2,3,4]")
    assert message("+predict.entity=x") == (
        "predict.entity: the task asks for no such thing; it takes image, text, file, adapter"
    )


@pytest.mark.parametrize("key", ["predict.file", "predict.adapter"])
@pytest.mark.parametrize("value", ["[1]", "{a: 1}", "5", "' '"])
def test_a_file_and_an_adapter_are_paths(key: str, value: str) -> None:
    assert message(f"{key}={value}").startswith(f"{key}: ")


@pytest.mark.parametrize(
    ("experiment", "task"),
    [("jmere_r1", "more"), ("figure3_group_size", "more"), ("more_r1", "jmere")],
)
def test_an_experiment_stays_with_its_task(experiment: str, task: str) -> None:
    """Its name and the paper's numbers would stand beside results of the other task."""
    home = "more" if task == "jmere" else "jmere"
    run_config(f"+experiment={experiment}", f"task={home}")
    assert message(f"+experiment={experiment}", f"task={task}") == (
        f"experiment: {experiment} is a row of {home}, and this is {task};"
        f" leave task={task} out, or the experiment"
    )


def test_misfits_looks_into_nested_nodes() -> None:
    nested = {"_target_": REWARD, "alpha": 0.0, "betta": 0.0}
    problems = list(misfits("x", {"_target_": "mmie.config.node", "value": nested}))
    assert [problem.split(":")[0] for problem in problems[:2]] == ["x.value.betta", "x.value.beta"]


def test_misfits_names_every_problem() -> None:
    problems = list(
        misfits("x", {"_target_": REWARD, "beta": "0.1", "gamma": 1}, added=["invalid_zeroes"])
    )
    assert [problem.split(":")[0] for problem in problems] == ["x.beta", "x.gamma", "x.alpha"]
    assert list(misfits("x", {"_target_": REWARD, "alpha": 1, "beta": 0.1})) == []


@pytest.mark.parametrize(
    ("arguments", "problems"),
    [
        ({"root": None}, ["data.root: None is no str or path"]),
        (
            {"root": 5, "images": True},
            ["data.images: True is no str or path or null", "data.root: 5 is no"],
        ),
        ({"root": "x", "images": "x"}, []),
        ({"root": "x", "images": None}, []),  # every picture is blank
    ],
)
@pytest.mark.parametrize(
    ("target", "label"),
    [
        ("mmie.tasks.mner.reader.TaggedTweets", "types"),
        ("mmie.tasks.mre.reader.MNREFacts", "labels"),
    ],
)
def test_places_of_data_are_paths(
    target: str, label: str, arguments: dict[str, Any], problems: list[str]
) -> None:
    node = {"_target_": target, "images": None, label: [], **arguments}
    found = [*misfits("data", node)]
    assert len(found) == len(problems)
    assert all(line.startswith(start) for line, start in zip(found, problems, strict=True))


def test_what_lies_outside_is_not_even_imported() -> None:
    sys.modules.pop("this", None)
    with pytest.raises(InputError, match=r"^x\._target_: this\.s is outside mmie"):
        next(misfits("x", {"_target_": "this.s"}))
    assert "this" not in sys.modules


@pytest.mark.parametrize("value", [None, "text", {}, {"_target_": 3}])
def test_what_is_no_node_is_said_so(value: Any) -> None:
    assert next(misfits("x", value)).startswith("x._target_: missing")


@pytest.fixture
def own_conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of conf/ to add files to."""
    conf = Path(shutil.copytree(ROOT / "conf", tmp_path / "conf"))
    monkeypatch.setattr("mmie.resolvers.CONF", conf)
    return conf


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("# @package _global_\nreward: {alhpa: 0}\n", "reward.alhpa"),
        ("# @package _global_\nsft: {epochz: 3}\n", "epochz"),
        ("# @package _global_\nsedd: 3\n", "sedd"),
        ("# @package _global_\nsft: {epochs: many}\n", "sft.epochs"),
        ("# @package _global_\ndefaults: [override /sfd: none]\n", "sfd"),
        ("# @package _global_\ndefaults: [override /sft: nine]\n", "sft/nine"),
        ("reward: {alpha: 0}\n", "experiment"),
        ("experiment: own\n", "experiment"),
    ],
)
def test_a_mistake_in_a_file_names_the_key(own_conf: Path, text: str, key: str) -> None:
    (own_conf / "tasks/jmere/experiment/own.yaml").write_text(text)
    with pytest.raises(Exception, match=key):  # noqa: PT011  (Hydra's, OmegaConf's or ours)
        run_config("+experiment=own", conf=own_conf)


def command_line(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> int:
    """The exit status of ``python run.py`` with a pipeline that only checks the configuration."""
    pipeline = ModuleType("mmie.pipeline")
    pipeline.run = lambda cfg: to_run_config(cfg) and None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mmie.pipeline", pipeline)
    monkeypatch.setattr(mmie, "pipeline", pipeline, raising=False)
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
    monkeypatch.chdir(folder)
    try:
        runpy.run_path(str(ROOT / "run.py"), run_name="__main__")
    except SystemExit as end:
        return int(str(end.code))
    return 0


def test_a_good_command_line_ends_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert command_line(monkeypatch, tmp_path, "seed=1") == 0
    assert list(tmp_path.glob("outputs/default/*/.hydra/config.yaml"))


@pytest.mark.parametrize(
    ("argument", "key"),
    [
        ("reward.alhpa=0", "reward.alhpa"),
        ("sft.epochz=3", "sft.epochz"),
        ("sft=nine", "sft/nine"),
        ("+experiment=nine", "experiment/nine"),
        ("profil=paper", "profil"),
        ("sft.epochs=many", "sft.epochs"),
    ],
)
def test_a_typo_on_the_command_line_fails(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    argument: str,
    key: str,
) -> None:
    assert command_line(monkeypatch, tmp_path, argument) == 1
    assert key in capsys.readouterr().err


def test_bad_input_is_one_line_and_status_2(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line(monkeypatch, tmp_path, "grpo.group_size=1") == 2
    message = "error: grpo.group_size: 1 is out of range; it must be at least 2\n"
    assert capsys.readouterr().err == message


def test_filters_can_be_swept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    choices = "filter=[],[reprediction],[rule_score],[reprediction,rule_score]"
    assert command_line(monkeypatch, tmp_path, "-m", choices, "reward.alpha=0") == 0
    names = sorted(path.name for path in tmp_path.glob("multirun/default/*/*/"))
    assert names == ["0", "1", "2", "3", "jobs"]
