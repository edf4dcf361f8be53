"""What is measured and how: seconds, and memory by the tensors that live and by the process."""

from __future__ import annotations

import ctypes
import resource
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)


def synchronize() -> None:
    """Waits for the GPU, if one is used: its kernels run asynchronously."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def seconds_of(run: Callable[[], Any]) -> float:
    """Seconds of one call, from an idle GPU to an idle GPU."""
    synchronize()
    start = time.perf_counter()
    run()
    synchronize()
    return time.perf_counter() - start


def peak_mib() -> float:
    """Peak memory of this process, MiB: of its tensors on the GPU, or on the CPU without one."""
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Peak(Protocol):
    """The result of a measurement: the most bytes at once, on top of the weights."""

    peak: int


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of the storages that are alive.

    Args:
        known: tensors that were there before and are not counted.

    Attributes:
        now: bytes that are alive.
        peak: the most bytes that were alive at once.
    """

    def __init__(self, known: list[Tensor]) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._seen = weakref.WeakKeyDictionary({tensor.untyped_storage(): True for tensor in known})

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return out

    def _count(self, storage: Any) -> None:
        if storage in self._seen:
            return
        self._seen[storage] = True
        size = storage.nbytes()
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._drop, size)

    def _drop(self, size: int) -> None:
        self.now -= size


class ProcessPeak:
    """Measures how far the process grows inside the ``with`` block. It works on Linux only.

    Attributes:
        peak: the most bytes that the process took, on top of those before the block.
    """

    def __init__(self) -> None:
        # Tensors of 64 KiB and more get pages of their own, which go back to the system when they
        # are freed. Otherwise the C library keeps them, and the process never shrinks.
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 1 << 16)
        libc.mallopt(M_TRIM_THRESHOLD, 1 << 16)

    def __enter__(self) -> ProcessPeak:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets VmHWM
        self._before = self._status("VmRSS")
        return self

    def __exit__(self, *error: object) -> None:
        self.peak = self._status("VmHWM") - self._before

    @staticmethod
    def _status(name: str) -> int:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1]) * 1024
