"""Which keys of a configuration decide a result."""

from __future__ import annotations

from mmie.reporting.effects import effective


def test_the_fields_of_the_configuration_say_what_decides() -> None:
    config = {
        "experiment": "a",
        "artifacts": "x",
        "logger": {"wandb": True},
        "seed": 1,
        "grpo": {"group_size": 8, "micro_prompts": 2},
        "sft": None,
    }
    assert effective(config) == {"seed": "1", "grpo.group_size": "8", "sft": "null"}


def test_open_nodes_and_unknown_keys_count_whole() -> None:
    config = {"reward": {"_target_": "x", "alpha": 0.2}, "filter": {}, "older": {"key": [1]}}
    assert effective(config) == {
        "reward._target_": "x",
        "reward.alpha": "0.2",
        "filter": "{}",
        "older.key": "[1]",
    }


def test_an_option_that_is_off_is_like_one_that_older_runs_do_not_know() -> None:
    older = {"sft": {"epochs": 2}}
    assert effective({"sft": {"epochs": 2, "group_by_length": False}}) == effective(older)
    on = effective({"sft": {"epochs": 2, "group_by_length": True}})
    assert on == {"sft.epochs": "2", "sft.group_by_length": "true"}
