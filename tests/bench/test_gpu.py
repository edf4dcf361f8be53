"""The measurement of a GPU, rehearsed on the CPU: what it computes, and how it bears failures."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mmie.bench.gpu import __main__ as command
from mmie.bench.gpu.decode import Decoding
from mmie.bench.gpu.model import FIRST_END, RandomWeights, write_folder
from mmie.bench.gpu.notes import Notes
from mmie.bench.gpu.paper import OVERRIDES, difference, metrics
from mmie.bench.gpu.process import Part
from mmie.bench.gpu.reward import TextReward
from mmie.bench.gpu.size import REAL, TINY, TOY
from mmie.bench.gpu.step import Step
from mmie.bench.gpu.table import table
from mmie.bench.gpu.work import make_examples, make_policy
from mmie.config import shipped
from mmie.display import terminal
from mmie.errors import InputError
from mmie.models.qwen2_5_vl import Qwen25VL

SCRIPTS = Path(__file__).parents[2] / "experiments" / "gpu"


@pytest.mark.parametrize("script", ["run.sh", "carry.sh"])
def test_the_scripts_are_valid_bash(script: str) -> None:
    subprocess.run(["bash", "-n", str(SCRIPTS / script)], check=True)


def test_the_script_lists_the_parts(tmp_path: Path) -> None:
    """Without a part nothing is measured and nothing is written."""
    listing = ["bash", str(SCRIPTS / "run.sh"), "--parts", "none", "--json", f"{tmp_path}/gpu.json"]
    own = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(listing, capture_output=True, text=True, check=True, env=own)
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        part.name for part in command.PARTS
    ]
    assert not (tmp_path / "gpu.json").exists()


def test_all_parts_are_documented() -> None:
    page = (SCRIPTS / "README.md").read_text(encoding="utf-8")
    for part in command.PARTS:
        assert f"| `{part.name}` |" in page
        assert f"| {part.seconds} s |" in page


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(InputError, match=r"^--parts: there is no part fast; choose from card, "):
        command.choose("card,fast")


@pytest.mark.parametrize("minutes", ["nan", "inf", "0", "-1"])
def test_no_time_is_refused_before_anything_is_written(tmp_path: Path, minutes: str) -> None:
    file = tmp_path / "gpu.json"
    with pytest.raises(InputError, match=r"^--minutes: .*; give more than 0"):
        command.main(["--parts", "card", f"--minutes={minutes}", "--json", str(file)])
    assert not file.exists()


@pytest.mark.parametrize("minutes", ["abc", ""])
def test_the_script_refuses_what_is_no_number(minutes: str) -> None:
    call = ["bash", str(SCRIPTS / "run.sh"), "--parts", "none", "--minutes", minutes]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "--minutes needs a number" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture(scope="module")
def policy() -> Any:
    torch.manual_seed(0)
    return make_policy(TINY.config())


@pytest.mark.slow
def test_a_step_is_measured_by_phase(policy: Any, tmp_path: Path) -> None:
    size = replace(TINY, new_tokens=12)
    examples = make_examples(policy, size, tmp_path)
    optimizer = torch.optim.AdamW(policy.trainable(), lr=1e-6)
    step = Step(policy, size.config("memory=lean"), optimizer, examples)
    logged: list[dict[str, float]] = []
    step.module.log_step_metrics = lambda batch, loss, metrics: logged.append(metrics)
    before = policy.adapter_state()
    step.run()
    assert any(not value.equal(before[name]) for name, value in policy.adapter_state().items())
    figures = step.figures()
    assert figures["prompt_tokens"] == size.prompt_tokens
    assert set(figures["seconds"]) == {*"sample reference update backward optimizer step".split()}
    assert set(figures["peak_gib"]) == {*figures["seconds"]} - {"step"}
    fast = Step(policy, size.config("memory=fast"), optimizer, examples)
    fast.module.last_rollouts = step.rollouts
    assert fast.update_flops() < figures["update_flops"]  # lean computes its layers twice
    # What the training itself logs as the gap is the same number.
    assert len(logged) == size.prompts
    largest = max(metrics["train/sampling_logp_gap"] for metrics in logged)
    assert step.gaps["largest_logp_gap"] == pytest.approx(largest, abs=1e-6)
    step.rollouts.responses.logps[0, 0] -= 9
    gaps, tokens = step.logp_gaps(), figures["response_tokens"]
    assert gaps["largest_logp_gap"] == pytest.approx(9, abs=0.5)
    assert gaps["mean_logp_gap"] == pytest.approx(9 / tokens, abs=0.1)
    assert gaps["largest_response_ratio"] == pytest.approx(math.e**9, rel=0.5)


def test_decoding_stands_beside_its_floor(policy: Any, tmp_path: Path) -> None:
    prompts = [
        policy.encode(example.text, example.pictures)
        for example in make_examples(policy, TINY, tmp_path)
    ]
    decoding = Decoding(policy, TINY.config(), policy.batch(prompts))
    figures = decoding.figures(bandwidth=2.0)
    layers = policy.model.get_base_model().get_decoder().layers
    adapters = sum(v.nbytes for n, v in layers.named_parameters() if ".policy." in n)
    base = sum(v.nbytes for n, v in layers.named_parameters() if ".lora_" not in n)
    head = policy.model.get_output_embeddings().weight.nbytes
    assert figures["weight_gb"] == (base + adapters + head) / 1e9
    assert figures["floor_tokens_per_second"] == pytest.approx(4 / (figures["weight_gb"] / 2.0))
    kept = 4 * 2 * 2 * 32  # layers, keys and values, heads, channels of each token
    assert decoding.cache_bytes(4) == kept * 2 * 4 * (TINY.prompt_tokens + 4)


def test_random_weights_have_the_architecture_and_the_tokens(tmp_path: Path) -> None:
    backbone = RandomWeights(TOY, dtype="float32", shape=TOY, layers=2)
    shipped_model = Qwen25VL(TOY).model
    assert len(backbone.model.get_decoder().layers) == 2
    assert backbone.model.config.image_token_id == shipped_model.config.image_token_id
    head = backbone.model.get_output_embeddings().weight
    assert not head.equal(shipped_model.get_output_embeddings().weight)
    write_folder(tmp_path, backbone)
    loaded = Qwen25VL(str(tmp_path))
    assert loaded.model.get_output_embeddings().weight.equal(head)
    assert loaded.model.generation_config.eos_token_id[0] == FIRST_END
    assert len(loaded.tokenizer) == loaded.model.config.text_config.vocab_size


def test_the_real_size_is_that_of_the_paper() -> None:
    config = REAL.config()
    assert config.grpo is not None
    assert (config.lora.rank, config.model["dtype"]) == (128, "bfloat16")
    assert (config.grpo.prompts_per_step, config.grpo.group_size) == (8, 8)
    assert config.trainer.precision == "bf16-mixed"


def test_the_runs_of_the_paper_profile_compose() -> None:
    config = shipped(*TINY.run, *OVERRIDES)
    assert config.profile == "paper"
    assert config.sft is not None
    assert config.grpo is not None
    updates = 4 * config.sft.epochs / config.sft.batch_size
    assert updates == 4 * config.grpo.epochs / config.grpo.prompts_per_step == 2


def test_rewards_differ_with_the_text_alone() -> None:
    reward = TextReward()
    first, other = reward("a", None, (), "", ""), reward("b", None, (), "", "")
    assert first == reward("a", 1, (), "x", "y")
    assert 0 <= first["reward"] < 1
    assert first != other


def test_two_runs_are_compared(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    values = {"sft": 0.0, "grpo": 1.0}
    for run, extra in (("one", 0.0), ("other", 0.25)):
        for stage, value in values.items():
            folder = tmp_path / run / stage / "key" / "adapter"
            folder.mkdir(parents=True)
            weight = torch.tensor([value, value + extra * (stage == "grpo")])
            save_file({"w": weight}, folder / "adapter_model.safetensors")
    one, other = tmp_path / "one", tmp_path / "other"
    assert difference(one, other) == {
        "same_adapter": False,
        "largest_difference": 0.25,
        "largest_change_by_grpo": 1.0,
    }
    assert difference(one, one)["same_adapter"]
    log = "step,name,value\n0,train/loss,0.5\n1,train/loss,0.25\n"
    (one / "grpo" / "key" / "metrics.csv").write_text(log, encoding="utf-8")
    assert metrics(one, "grpo") == {"0": {"train/loss": 0.5}, "1": {"train/loss": 0.25}}


def test_a_part_that_fails_or_hangs_leaves_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others still run, and what was measured before the failure is kept."""
    scripts = {
        "card": "echo '{{\"a\": 1}}' > {json}; echo broken >&2; exit 1",
        "step": "echo '{{\"b\": 2}}' > {json}; sleep 60",
        "decode": "echo '{{\"c\": 3}}' > {json}",
    }
    popen = subprocess.Popen

    def start(given: list[str], **options: Any) -> Any:
        name, json_file = given[given.index("--part") + 1], given[given.index("--json") + 1]
        return popen(["bash", "-c", scripts[name].format(json=json_file)], **options)

    monkeypatch.setattr("mmie.bench.gpu.process.subprocess.Popen", start)
    parts = [Part("card", 9), Part("step", 1, beside=True), Part("decode", 9)]
    notes = Notes(tmp_path / "gpu.json")
    notes.add(minutes=1, tiny=True, parts={})
    began = time.monotonic()
    command.measure(parts, notes, terminal(quiet=True))
    assert time.monotonic() - began < 8
    written = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))["parts"]
    assert {name: figures["error"] for name, figures in written.items()} == {
        "card": "broken",
        "decode": None,
        "step": "stopped after 1 s",
    }
    assert (written["card"]["a"], written["step"]["b"], written["decode"]["c"]) == (1, 2, 3)
    notes.add(minutes=0, parts={})
    command.measure(parts[2:], notes, terminal(quiet=True))
    assert notes.values["parts"]["decode"]["error"] == "no time was left"


def test_the_table_shows_what_there_is() -> None:
    assert table({}).row_count == 0
    seconds = {"sample": 1.0, "step": 1.0}
    decoding = {"tokens_per_second": 9.0, "share_of_floor": 0.5, "warnings": ["no graph"]}
    step = {"seconds": seconds, "peak_gib": {"sample": 3.0}, "update_tflops": 50.0}
    parts = {
        "step": {"matmul_tflops": 100.0, "lean": step, "fast": {"error": "out of memory"}},
        "simulated": {"lean": {"peak_gib": 2.5}},
        "decode": {"graphs_on": {"64 rows": decoding}},
        "paper": {"error": "stopped after 9 s"},
    }
    columns = [[*column.cells] for column in table(parts).columns]
    rows = [*zip(*columns, strict=True)]
    assert ("  peak memory", "3.0 GiB", "simulated 2.5 GiB") in rows
    assert ("  update", "50 TFLOP/s", "50% of a bare product") in rows
    assert ("step, fast", "out of memory", "") in rows
    assert rows[rows.index(("  warning", "no graph", "")) - 1][1] == "9 tokens/s"
    assert ("error in paper", "stopped after 9 s", "") in rows
