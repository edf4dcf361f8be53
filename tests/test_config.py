"""Every experiment and every option composes under both profiles and fits the code."""

import shutil
from math import prod
from pathlib import Path

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser

from helpers.configured import CONF, compose, experiment_files, run_config
from mmie.config import node, shipped
from mmie.errors import InputError
from mmie.reporting.published import paper_row
from mmie.results import Settings
from mmie.sweeping import Sweep
from mmie.tasks.jmere.relations import relation_names

EXPERIMENTS = experiment_files()
NAMES = list(EXPERIMENTS)
UNCHOSEN = ("experiment", "profile", "hydra", "tasks", "prompts")
OPTIONS = [  # (task, group, choice); those of the engine are tried with the default task
    (
        path.parts[-3] if path.is_relative_to(CONF / "tasks") else "jmere",
        path.parent.name,
        path.stem,
    )
    for path in sorted([*CONF.glob("*/*.yaml"), *CONF.glob("tasks/*/*/*.yaml")])
    if path.parent.name not in UNCHOSEN
]
PROFILES = ["toy", "paper"]


@pytest.fixture
def own_conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of conf/ to add files to."""
    conf = Path(shutil.copytree(CONF, tmp_path / "conf"))
    monkeypatch.setattr("mmie.resolvers.CONF", conf)
    return conf


def test_there_are_experiments_and_options() -> None:
    expected = """
        jmere_r1 sft cot_sft only_rl zero_shot figure3_group_size
        ablation_no_partial_reward ablation_no_rule_score_filter
        ablation_no_reprediction_filter ablation_no_filter
        cot_sft_no_reprediction_filter cot_sft_no_filter
        more_r1 more_zero_shot more_sft more_stage1
        more_mixing_all more_mixing_hard_only more_mixing_constant
        sweep_grid sweep_optuna
        mner_r1 mner_sft mner_zero_shot mner15_r1 mner15_sft mner15_zero_shot
        mre_r1 mre_sft mre_zero_shot
    """
    assert set(expected.split()) <= set(NAMES)
    groups = "task data model teacher filter sft grpo reward schedule trainer logger memory rollout"
    assert {group for _, group, _ in OPTIONS} == set(groups.split())
    warmups = {"cot_warmup", "mner_warmup", "mre_warmup", "more_stage1"}
    assert {"none", "direct", "cot", *warmups} == {
        option for _, group, option in OPTIONS if group == "sft"
    }


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_fits_both_profiles(name: str, profile: str) -> None:
    run = run_config(f"+experiment={name}", f"profile={profile}")
    assert (run.experiment, run.profile) == (name.rsplit("/", 1)[-1], profile)


@pytest.mark.parametrize(("task", "group", "option"), OPTIONS)
def test_every_option_fits_the_code(task: str, group: str, option: str) -> None:
    choice = f"[{option}]" if group == "filter" else option
    share = {"sft_share": "null"} if (task, group) == ("more", "grpo") else {}
    chosen = {"profile": "paper", "task": task, "grpo": "none", **share, group: choice}
    run_config(*(f"{key}={value}" for key, value in chosen.items()))


def test_values_set_in_a_copy_are_what_hydra_composes() -> None:
    """What the helper of these tests does for speed."""
    values = ["sft.epochs=7", "evaluation.validation_samples=null", "data.sizes={train: 3}"]
    quoted = ["reward.threshold='9'", "cot.chains.related='{text}, {object_type}'"]
    overrides = ["task=more", *values, *quoted]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = hydra_compose("config", overrides)
    assert composed == compose(*overrides)


def test_no_override_is_the_toy_profile() -> None:
    run = run_config()
    assert (run.experiment, run.profile, run.seed) == ("default", "toy", 0)
    assert run == run_config("profile=toy")
    assert run.data["_target_"] == "mmie.tasks.jmere.toy_source.ToySource"
    assert run.data["images"] == "artifacts/toy_images"
    assert run.trainer.accelerator == "cpu"
    assert run.reasoning_instruction == "think then answer ."


def test_jmere_r1_is_the_default_configuration() -> None:
    default, named = run_config(), run_config("+experiment=jmere_r1", "profile=toy")
    named.experiment = default.experiment
    assert named == default


def test_paper_profile_is_appendix_a() -> None:
    run = run_config("+experiment=jmere_r1", "profile=paper")
    assert run.sft is not None
    assert run.grpo is not None
    assert (run.trainer.devices, run.trainer.strategy) == (4, "deepspeed_zero2")
    assert (run.lora.rank, run.lora.alpha) == (128, 64)
    assert (run.sft.epochs, run.sft.lr, run.sft.warmup_ratio) == (5, 2e-5, 0.06)
    assert (run.sft.batch_size, run.sft.micro_batch_size) == (8, 2)
    assert (run.grpo.epochs, run.grpo.lr) == (30, 2e-6)
    assert (run.grpo.kl_coef, run.grpo.group_size) == (0.01, 8)
    assert (run.reward["alpha"], run.reward["beta"]) == (0.2, 0.1)
    assert (run.evaluation.temperature, run.evaluation.max_new_tokens) == (0.8, 2048)
    assert (run.cot.candidates, run.filter["rule_score"]["threshold"]) == (5, 0.7)
    assert run.teacher["model"] == "gpt-4o-2024-11-20"
    assert run.model["path"] == "Qwen/Qwen2.5-VL-7B-Instruct"
    assert run.reasoning_instruction == (
        "First output the thinking process in <think> </think> tags and then output the final"
        " answer in <answer> </answer> tags."
    )


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("name", "response", "long", "reinforced"),
    [
        ("jmere_r1", "reasoned", False, True),
        ("cot_sft", "reasoned", True, False),
        ("sft", "direct", True, False),
        ("only_rl", None, None, True),
        ("zero_shot", None, None, False),
    ],
)
def test_paradigms(
    name: str, response: str | None, long: bool | None, reinforced: bool, profile: str
) -> None:
    run = run_config(f"+experiment={name}", f"profile={profile}")
    epochs = {"toy": {True: 8, False: 8}, "paper": {True: 20, False: 5}}[profile]
    assert (run.sft and run.sft.response) == response
    assert (run.sft and run.sft.epochs) == (None if long is None else epochs[long])
    assert (run.grpo is not None) == reinforced


@pytest.mark.parametrize(
    ("name", "filters"),
    [
        ("jmere_r1", ["reprediction", "rule_score"]),
        ("ablation_no_rule_score_filter", ["reprediction"]),
        ("ablation_no_reprediction_filter", ["rule_score"]),
        ("ablation_no_filter", []),
        ("cot_sft_no_reprediction_filter", ["rule_score"]),
        ("cot_sft_no_filter", []),
    ],
)
def test_filters_of_the_ablations(name: str, filters: list[str]) -> None:
    assert list(run_config(f"+experiment={name}", "profile=toy").filter) == filters


def test_filters_keep_the_order_of_the_command_line() -> None:
    both = run_config("filter=[rule_score,reprediction]").filter
    assert list(both) == ["rule_score", "reprediction"]
    assert run_config("filter=[]").filter == {}


def test_partial_reward_is_off_in_its_ablation() -> None:
    reward = run_config("+experiment=ablation_no_partial_reward", "profile=toy").reward
    assert (reward["alpha"], reward["beta"]) == (0, 0)
    assert run_config("profile=toy").reward["invalid_zeroes"] == "accuracy"


def test_figure3_is_a_sweep_over_group_size() -> None:
    hydra = compose("+experiment=figure3_group_size", whole=True).hydra
    assert hydra.mode.name == "MULTIRUN"
    assert hydra.sweeper.params == {"grpo.group_size": "2,4,8,16"}


def test_the_grid_is_as_large_as_its_header_says() -> None:
    hydra = compose("+experiment=sweep_grid", whole=True).hydra
    overrides = [f"{key}={value}" for key, value in hydra.sweeper.params.items()]
    choices = OverridesParser.create().parse_overrides(overrides)
    assert prod(len(list(choice.sweep_string_iterator())) for choice in choices) == 72
    assert "Cost: 72 jobs" in EXPERIMENTS["sweep_grid"].read_text(encoding="utf-8")


@pytest.mark.parametrize(("profile", "lr"), [("toy", 5e-4), ("paper", 2e-6)])
def test_the_search_goes_on_around_the_profile(profile: str, lr: float) -> None:
    cfg = compose("+experiment=sweep_optuna", f"profile={profile}", whole=True)
    override = f"grpo.lr={cfg.hydra.sweeper.params['grpo.lr']}"
    interval = OverridesParser.create().parse_override(override).value()
    assert (interval.start, interval.end) == pytest.approx((lr / 4, 5 * lr))
    assert interval.tags == {"log"}
    sweeper = cfg.hydra.sweeper
    assert cfg.hydra.mode.name == "MULTIRUN"
    assert (sweeper.direction, sweeper.n_trials) == ("maximize", 20)


def test_output_folders_carry_the_experiment() -> None:
    hydra = compose("+experiment=sft", whole=True).hydra
    assert hydra.run.dir.startswith("outputs/sft/2")
    assert hydra.sweep.dir.startswith("multirun/sft/2")
    assert hydra.job.chdir is False


def test_sweeps_are_watched() -> None:
    [callback] = compose(whole=True).hydra.callbacks.values()
    assert callback == {"_target_": f"{Sweep.__module__}.{Sweep.__name__}"}


@pytest.mark.parametrize("name", NAMES)
def test_experiment_files_open_with_what_they_reproduce(name: str) -> None:
    lines = EXPERIMENTS[name].read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# @package _global_"
    kinds = ("# Table ", "# Figure ", "# MORE-R1", "# Sweep: ", "# Beyond the paper: ")
    assert lines[1].startswith(kinds)
    assert lines[2] == f"#   python run.py +experiment={name} [profile=paper]"
    assert lines[3].startswith("#   Cost: ")
    paper = "#   Paper, from a second source" if name.startswith("more_") else "#   Paper: "
    assert any(line.startswith(paper) for line in lines[4:7])


@pytest.mark.parametrize("name", NAMES)
def test_the_header_prints_the_papers_row(name: str) -> None:
    header = EXPERIMENTS[name].read_text(encoding="utf-8")
    task = EXPERIMENTS[name].parts[-3]
    paper = paper_row(name, task, Settings(), profile="paper")
    if paper is None:
        own = ("only_rl_no_partial_reward", "mner", "mre_")
        unprinted = ("figure", "sweep_", "zero_shot_teacher", *own)
        assert name.startswith(unprinted)
        return
    scores = paper["quintuple" if task == "jmere" else "relation"]
    shown = "/".join(f"{100 * score:.2f}" for score in scores.values())
    title = "quintuple P/R/F1" if task == "jmere" else f"Acc/{'P/R/' * (len(scores) == 4)}F1"
    assert f"{title} {shown}" in header


EXPERIMENT = """# @package _global_
defaults:
  - override /model: llava_1_5_7b
  - override /trainer: gpu

experiment: own
lora: {rank: 7}
evaluation: {temperature: 0.5}
"""


@pytest.mark.parametrize("profile", PROFILES)
def test_experiment_wins_over_profile_and_command_line_over_both(
    own_conf: Path, profile: str
) -> None:
    (own_conf / "tasks/jmere/experiment/own.yaml").write_text(EXPERIMENT)
    given = ["+experiment=own", f"profile={profile}"]
    run = run_config(*given, conf=own_conf)
    assert run.model["_target_"] == "mmie.models.llava.Llava"
    assert (run.trainer.strategy, run.lora.rank) == ("auto", 7)
    typed = ["model=qwen2_5_vl_7b", "lora.rank=9", "evaluation.temperature=0"]
    over = run_config(*given, *typed, conf=own_conf)
    assert (over.model["dtype"], over.lora.rank, over.evaluation.temperature) == ("bfloat16", 9, 0)
    assert over.trainer.accelerator == "gpu"


def test_yaml_ends_at_the_door() -> None:
    run = run_config("profile=paper")
    assert type(run.task["types"]) is list
    assert type(run.data) is dict
    assert run.data["relations"] == run.task["relations"]
    assert len(relation_names(run.task["relations"])) == 21


def test_node_builds_the_target_with_the_extra_arguments() -> None:
    value = {"_target_": "mmie.tasks.jmere.rewards.JMEREReward", "alpha": 0.2}
    reward = node(value, beta=0.3)
    assert (reward.alpha, reward.beta) == (0.2, 0.3)


def test_node_passes_errors_of_the_target_on() -> None:
    target = "mmie.tasks.jmere.rewards.JMEREReward"
    value = {"_target_": target, "alpha": 0.2, "beta": 0.1, "invalid_zeroes": "all"}
    with pytest.raises(InputError, match=r"^reward\.invalid_zeroes"):
        node(value)


def test_the_shipped_configuration_can_be_had_inside_a_job_of_hydra() -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        inside = shipped("+experiment=sft", "profile=paper")
        assert hydra_compose("config").profile == "toy"  # the job's own Hydra is still there
    assert inside.sft is not None
    assert (inside.sft.response, inside.profile) == ("direct", "paper")
