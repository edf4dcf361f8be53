"""What all tests share: the profile of hypothesis, tiny checkpoints and tiny policies.

Hypothesis draws the same examples in every run and measures no time.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from helpers import pinned

# As many workers run as there are cores, and the threads of one must not wait by spinning.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

settings.register_profile("mmie", derandomize=True, deadline=None, max_examples=150)
settings.load_profile("mmie")
DRIFT = pinned.drift()


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors where the versions are the pinned ones, and there alone.

    Elsewhere a new release may deprecate something without turning the tests of a user red.
    """
    if not DRIFT:
        config.getini("filterwarnings").insert(0, "error")  # the exceptions of setup.cfg come later


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collecting imports all modules, and they stay.

    Looking for garbage among them takes a fifth of the time here, and much time in every test.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_finish() -> None:
    """Here, as the controlling process of xdist needs no OmegaConf."""
    from helpers import parsed_once

    parsed_once.install()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)  # a run in the test before may have set another number
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")


def pytest_report_header() -> str:
    if not DRIFT:
        return "versions: those of constraints.txt; warnings are errors"
    return f"versions: not those of constraints.txt; {', '.join(DRIFT)}"


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs write their tables, but draw no figures, which would take seconds.

    tests/reporting looks at the figures.
    """
    monkeypatch.setattr("mmie.reporting.page.drawings", lambda runs: [])


@pytest.fixture(scope="session")
def checkpoint_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny random checkpoints in the folder layouts of the two backbones."""
    import torch

    from helpers import checkpoints

    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("checkpoints")
    return {
        "qwen": checkpoints.write_qwen(root / "qwen"),
        "llava": checkpoints.write_llava(root / "llava"),
    }


@pytest.fixture(scope="session")
def load_backbone(checkpoint_folders: dict[str, Path]) -> Callable[[str], Any]:
    """``load_backbone("qwen")``, or "llava": the tiny checkpoint, loaded as the large one is."""
    from mmie.models.llava import Llava
    from mmie.models.qwen2_5_vl import Qwen25VL

    kinds: dict[str, Any] = {"qwen": Qwen25VL, "llava": Llava}
    return lambda kind: kinds[kind](str(checkpoint_folders[kind]))


@pytest.fixture(scope="session")
def make_policy(load_backbone: Callable[[str], Any]) -> Callable[..., Any]:
    """``make_policy(kind)``: a policy of its own whose adapter is random and not zero."""
    import torch

    from mmie.models.policy import build_policy

    def make(kind: str = "qwen", *, rank: int = 4, alpha: int = 8, dropout: float = 0.0) -> Any:
        policy = build_policy(load_backbone(kind), rank=rank, alpha=alpha, dropout=dropout, seed=1)
        generator = torch.Generator().manual_seed(2)
        state = policy.adapter_state()
        noise = {
            name: torch.randn(value.shape, generator=generator) for name, value in state.items()
        }
        policy.load_adapter_state(
            {name: value + 0.1 * noise[name] for name, value in state.items()}
        )
        return policy.eval()

    return make


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Five pictures of unequal sizes and shapes, and a blank one."""
    import numpy as np
    from PIL import Image

    from mmie.types import Picture

    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for number, (width, height) in enumerate(
        [(112, 84), (56, 168), (140, 56), (84, 84), (200, 57)]
    ):
        Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(
            folder / f"{number}.png"
        )
    return [*(Picture(folder / f"{number}.png") for number in range(5)), Picture(None)]
