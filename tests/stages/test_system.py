"""What the systems of a run are called: the warm-up of JMERE-R1 is not CoT-SFT of Table 1."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from helpers.configured import run_config
from mmie.artifacts import Artifact
from mmie.config import node
from mmie.stages.system import systems as systems_of
from mmie.tasks.responses import Direct, Reasoned

STAGE = Artifact(Path("folder"), "key")


@pytest.mark.parametrize(
    ("experiment", "systems"),
    [
        ("zero_shot", ["zero-shot"]),
        ("sft", ["zero-shot", "SFT"]),
        ("cot_sft", ["zero-shot", "CoT-SFT"]),
        ("cot_sft_no_filter", ["zero-shot", "CoT-SFT"]),
        ("only_rl", ["zero-shot", "Only-RL"]),
        ("jmere_r1", ["zero-shot", "warm-up", "JMERE-R1"]),
        ("ablation_no_filter", ["zero-shot", "warm-up", "JMERE-R1"]),
        ("more_stage1", ["zero-shot", "stage 1"]),
        ("more_r1", ["zero-shot", "stage 1", "MORE-R1"]),
    ],
)
@pytest.mark.parametrize("profile", ["toy", "paper"])
def test_systems_of_a_run(experiment: str, systems: list[str], profile: str) -> None:
    config = run_config(f"+experiment={experiment}", f"profile={profile}")
    direct, reasoned = (node(config.task, response=kind()) for kind in (Direct, Reasoned))
    context = SimpleNamespace(config=config, direct=direct, reasoned=reasoned)
    trained = [STAGE if part else None for part in (config.sft, config.grpo)]
    assert [system.name for system in systems_of(context, *trained)] == systems  # type: ignore[arg-type]
