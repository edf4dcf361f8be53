"""The benchmark measures what it says, on work small enough for a test."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from helpers import forked
from mmie.bench.__main__ import main, sweep_points
from mmie.bench.compare import compare, shipped_grpo, shipped_work
from mmie.bench.engines import grpo_config
from mmie.bench.plots import plot
from mmie.bench.work import Work, write_checkpoint
from mmie.config import shipped
from mmie.models.qwen2_5_vl import Qwen25VL

KEYS = {
    "step_ratio_vs_repeated",
    "max_abs_logp_difference",
    "vision_forwards_per_image",
    "sample_seconds",
    "reference_seconds",
    "update_seconds",
    "work",
    "prompt_tokens",
    "share_of_matmul_peak",
    "flops_per_step",
    "decode_step_ratio_vs_bare_forward",
}
HAS_TRL = importlib.util.find_spec("trl") is not None
SMALL = "--group-size 3 --prompts 2 --prompt-tokens 40 --new-tokens 5 --image-size 56 --steps 1"


def test_prompts_have_the_length_that_is_asked_for(tmp_path: Path) -> None:
    from PIL import Image

    write_checkpoint(tmp_path, width=64, layers=1)
    work = replace(shipped_work(str(tmp_path)), prompt_tokens=90, image_size=56)
    backbone = Qwen25VL(str(tmp_path))
    picture = Image.new("RGB", (56, 56))
    features = [backbone.vision_features(picture)]
    assert len(backbone.encode(work.text, [picture], features).ids) == 90
    paths = work.draw_pictures(tmp_path)
    assert len({path.read_bytes() for path in paths}) == len(paths) == 16


@pytest.mark.parametrize("engines", ["shared,fast", "trl", ""])
def test_an_engine_that_is_none_is_refused(
    engines: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--engines", engines])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "--engines: shared and any of balanced, lean" in capsys.readouterr().err


@pytest.mark.slow
def test_all_engines_do_the_same_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """TRL takes part where it is installed; one run of the command shows all of it."""
    monkeypatch.setattr(subprocess, "run", forked.run)  # three times the imports take 15 s
    engines = ["shared", "repeated"] + ["trl"] * HAS_TRL
    own = ["--engines", ",".join(engines), "--json", str(tmp_path / "bench.json")]
    monkeypatch.setattr(sys, "argv", ["bench", *SMALL.split(), "--threads", "1", *own])
    main()
    assert ("pip install -c constraints.txt -e '.[bench]'" in capsys.readouterr().out) != HAS_TRL
    figures = json.loads((tmp_path / "bench.json").read_text())
    assert set(figures) >= KEYS
    assert figures["vision_forwards_per_image"] == 1
    assert 0 <= figures["max_abs_logp_difference"] < 1e-5  # 0: few responses may agree exactly
    assert figures["prompt_tokens"] == 40
    beside_trl = {"step_ratio_vs_trl", "peak_memory_ratio_vs_trl"}
    assert beside_trl & set(figures) == (beside_trl if HAS_TRL else set())


def test_an_engine_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, stdout="", stderr="Traceback\nOSError: nowhere\n")
    monkeypatch.setattr("mmie.bench.compare.subprocess.run", lambda *_, **__: failed)
    with pytest.raises(SystemExit, match=r"^error: the engine shared failed: OSError: nowhere$"):
        compare(shipped_work("nowhere"), ["shared"])


def test_what_the_work_leaves_open_is_what_the_configuration_ships() -> None:
    work = Work("nowhere", group_size=5, new_tokens=7, temperature=0.5, kl_coef=0.2, lr=0.1)
    config, values = grpo_config(work, shipped_grpo()), asdict(shipped().grpo)
    own = {"group_size": 5, "max_new_tokens": 7, "temperature": 0.5, "kl_coef": 0.2, "lr": 0.1}
    assert asdict(config) == {**values, **own}


def test_the_work_has_the_shipped_values() -> None:
    work, grpo = shipped_work("nowhere"), shipped().grpo
    assert (work.group_size, work.temperature) == (grpo.group_size, grpo.temperature)
    assert work.kl_coef == grpo.kl_coef


def test_a_sweep_varies_one_thing_at_a_time() -> None:
    points = sweep_points(shipped_work("nowhere"))
    assert [(point.group_size, point.prompt_tokens) for point in points] == [
        *((size, 560) for size in (1, 2, 4, 8, 16)),
        (8, 256),
        (8, 1024),
    ]


def test_the_plot_shows_every_point(tmp_path: Path) -> None:
    def point(group_size: int, prompt_tokens: int) -> dict:
        seconds = {"shared": 1.0 * group_size, "repeated": 3.0 * group_size}
        return {
            "work": {"group_size": group_size, "prompt_tokens": prompt_tokens},
            "step_seconds": seconds,
            "peak_mib": seconds,
        }

    plot([point(1, 560), point(8, 560), point(8, 1024)], tmp_path)
    assert (tmp_path / "bench_cost.png").stat().st_size > 10_000
    assert "<svg" in (tmp_path / "bench_cost.svg").read_text()
