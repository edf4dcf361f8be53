"""The card itself: its name, and what it reaches in a product of matrices and in a copy."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import torch

from mmie.artifacts import versions
from mmie.bench.gpu.model import device
from mmie.bench.gpu.notes import Notes
from mmie.bench.gpu.size import Size
from mmie.bench.meters import seconds_of

QUERY = "name,driver_version,memory.total,power.limit,clocks.max.sm,clocks.max.memory"


def run(size: Size, notes: Notes) -> None:
    """Names and versions, then the two rates."""
    notes.add(machine=platform.platform(), processors=torch.get_num_threads(), versions=versions())
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        notes.add(
            card=properties.name,
            memory_gib=properties.total_memory / 2**30,
            cuda=torch.version.cuda,
            nvidia_smi=nvidia_smi(),
        )
    notes.add(matmul_tflops=matmul_tflops(size.product))
    notes.add(bandwidth_gb=bandwidth_gb(size.copied))


def nvidia_smi() -> dict[str, str]:
    """What the driver says of the first card; empty where its program is not installed."""
    if shutil.which("nvidia-smi") is None:
        return {}
    command = ["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader", "--id=0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    values = done.stdout.strip().split(", ")
    return dict(zip(QUERY.split(","), values, strict=False))


def matmul_tflops(side: int) -> float:
    """TFLOP/s of a square bfloat16 product; the best of 20."""
    left = torch.randn(side, side, dtype=torch.bfloat16, device=device())
    right = torch.randn(side, side, dtype=torch.bfloat16, device=device())
    return 2 * side**3 / best_seconds(lambda: left @ right) / 1e12


def bandwidth_gb(count: int) -> float:
    """GB/s of the device's memory, bytes read and written, in a copy; the best of 20."""
    source = torch.zeros(count, dtype=torch.uint8, device=device())
    target = torch.empty_like(source)
    return 2 * count / best_seconds(lambda: target.copy_(source)) / 1e9


def best_seconds(work: Callable[[], Any], *, times: int = 20) -> float:
    """The least seconds of several calls."""
    return min(seconds_of(work) for _ in range(times))
