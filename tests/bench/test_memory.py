"""Simulated memory: what is counted, and that a real process takes as much."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from helpers.configured import run_config
from mmie.bench.__main__ import main
from mmie.bench.memory import GIB, load_of, optimizer_bytes, simulate
from mmie.bench.meters import LiveBytes
from mmie.bench.simulation import Load, Simulation
from mmie.errors import InputError
from mmie.models.architecture import SHIPPED, architecture, empty_model
from mmie.models.llava import Llava
from mmie.models.qwen2_5_vl import Qwen25VL

SMALL = ["grpo.prompts_per_step=2", "grpo.micro_prompts=1", "sft.micro_batch_size=4"]
PASSES = ("sft_gib", "rollout_gib", "reference_gib", "update_gib")


def test_bytes_are_counted_while_a_storage_lives() -> None:
    weight: Tensor = torch.ones(10, 10)
    with LiveBytes([weight]) as live:
        product = weight @ weight
        view = product[:5]  # shares the storage
        del product
        assert (live.now, live.peak) == (400, 400)
        doubled = view * 2
        assert (live.now, live.peak) == (600, 600)
        del view, doubled
        assert (live.now, live.peak) == (0, 600)


@pytest.mark.parametrize(("path", "billions"), [*zip(SHIPPED, (8.29, 7.06), strict=True)])
def test_shipped_architectures_have_the_checkpoints_size(path: str, billions: float) -> None:
    model = empty_model(architecture(path))
    numbers = [value.numel() for value in model.parameters()]
    assert sum(numbers) / 1e9 == pytest.approx(billions, abs=0.005)
    assert next(model.parameters()).device.type == "meta"


@pytest.mark.parametrize(
    ("overrides", "bytes_per_parameter"),
    [
        ([], 12),  # gradient and two moments
        (["profile=paper"], 4 + 16 / 4),  # ZeRO-2 on four GPUs
        (["profile=paper", "trainer.strategy=ddp"], 16),
    ],
)
def test_gradients_and_moments(overrides: list[str], bytes_per_parameter: float) -> None:
    trainer = run_config(*overrides).trainer
    assert optimizer_bytes(1000, trainer) == 1000 * bytes_per_parameter


@cache
def gib(*overrides: str) -> dict[str, Any]:
    return simulate(run_config(*SMALL, *overrides), prompt=64, response=96)


@pytest.mark.slow
def test_lean_passes_take_less() -> None:
    fast, lean = gib("memory=fast"), gib("memory=lean")
    assert set(fast) == {"weights_gib", "optimizer_gib", *PASSES, "peak_gib"}
    assert lean["update_gib"] < 0.2 * fast["update_gib"]
    assert lean["sft_gib"] < 0.5 * fast["sft_gib"]
    assert lean["rollout_gib"] == fast["rollout_gib"]
    for figures in (fast, lean):
        largest = max(figures[name] for name in PASSES)
        fixed = figures["weights_gib"] + figures["optimizer_gib"]
        assert figures["peak_gib"] == pytest.approx(fixed + largest)
    base = sum(
        value.numel() for value in empty_model(architecture("mmie:toy/qwen2_5_vl")).parameters()
    )
    assert fast["weights_gib"] * GIB > 4 * base


@pytest.mark.slow
def test_eager_attention_holds_its_weights() -> None:
    eager = gib("memory=fast", "model.attention=eager")
    assert eager["update_gib"] > 1.1 * gib("memory=fast")["update_gib"]


def test_nothing_is_simulated_where_nothing_is_trained() -> None:
    with pytest.raises(InputError, match="^sft, grpo: both are none"):
        simulate(run_config("sft=none", "grpo=none"), prompt=8, response=8)


WRONG = {
    "nonsense": "",
    "profile=small": "",
    "grpo.group_size=0,4": "grpo.group_size: 0 is out of range",
    "sedd=1": "",
    "--prompt=0": "--prompt 0: '0' is no number of tokens; give 1 or more",
    "--prompt=-1": "--prompt -1: '-1' is no number of tokens; give 1 or more",
    "--response=8,many": "--response 8,many: 'many' is no number of tokens; give 1 or more",
}


@pytest.mark.parametrize(("argument", "message"), WRONG.items())
def test_wrong_arguments_are_one_line(
    argument: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "memory", argument])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {message}")


def test_several_values_make_one_row_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    sizes = ["--prompt=4", "--response=4", f"--json={file}"]
    varied = ["grpo=none", "sft.batch_size=4", "sft.micro_batch_size=2,4"]
    monkeypatch.setattr(sys, "argv", ["bench", "memory", *sizes, *varied])
    main()
    heading, _, *lines = capsys.readouterr().out.splitlines()
    assert heading.startswith("| sft.micro_batch_size | weights |")
    assert [line.split()[1] for line in lines] == ["2", "4"]
    small, large = json.loads(file.read_text(encoding="utf-8"))
    assert (small["response"], small["sft.micro_batch_size"]) == (4, "2")
    assert small["sft_gib"] < large["sft_gib"]


@pytest.mark.slow
def test_the_rollout_of_the_paper_profile_fits() -> None:
    """LLaVA-1.5 caches nine times as much as Qwen2.5-VL, whose sixteen responses fit."""
    qwen, llava = (
        run_config("+experiment=jmere_r1", "profile=paper", f"model={model}")
        for model in ("qwen2_5_vl_7b", "llava_1_5_7b")
    )
    loads = [load_of(config, prompt=1024, response=2048) for config in (qwen, llava)]
    assert [load.side_by_side for load in loads] == [16, 8]
    targets, rank = Llava.lora_targets, llava.lora.rank
    simulation = Simulation(llava.model["path"], loads[1], rank=rank, targets=targets)
    fixed = simulation.weight_bytes + optimizer_bytes(simulation.trained, llava.trainer)
    assert fixed + simulation.rollout().peak < 40 * GIB


@pytest.mark.slow
def test_responses_of_a_rollout_stay_within_their_bound() -> None:
    """The prompts' keys and values stay for the later parts."""
    bounds = ("null", "1", "0.0027", "0.00001")
    configs = [run_config(*SMALL, f"memory.cache_gb={gb}") for gb in bounds]
    loads = [load_of(config, prompt=64, response=96) for config in configs]
    assert [load.side_by_side for load in loads] == [16, 16, 8, 1]
    whole, _, half, one = (rollout_bytes(load) for load in loads)
    assert 0.51 * whole < half < 0.6 * whole
    assert one < half


def rollout_bytes(load: Load) -> int:
    simulation = Simulation("mmie:toy/qwen2_5_vl", load, rank=4, targets=Qwen25VL.lora_targets)
    return simulation.rollout().peak


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how far a process grew")
def test_a_process_takes_what_is_simulated(tmp_path: Path) -> None:
    """In a process of its own, as earlier tests leave free memory behind."""
    file = tmp_path / "measured.json"
    sizes = ["--prompt", "256", "--response", "256"]
    command = [sys.executable, "-m", "mmie.bench", "memory", *sizes, "--measure"]
    command += ["--json", str(file), "memory=fast", *SMALL]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stderr == ""  # PEFT asks for what transformers is going to remove
    measured = json.loads(file.read_text(encoding="utf-8"))
    simulated = simulate(run_config("memory=fast", *SMALL), prompt=256, response=256)
    for name in ("sft_gib", "update_gib"):
        assert simulated[name] == pytest.approx(measured[name], rel=0.15)
