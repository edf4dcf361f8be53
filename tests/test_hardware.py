"""The names of the processor and of the cards."""

from __future__ import annotations

import platform
from pathlib import Path

from mmie.hardware import hardware

CORE = "processor\t: 0\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n"


def card(proc: Path, place: str, model: str) -> None:
    folder = proc / "driver/nvidia/gpus" / place
    folder.mkdir(parents=True)
    (folder / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 120\n")


def test_the_processor_comes_before_the_cards(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(2 * CORE)
    card(tmp_path, "0000:02:00.0", "NVIDIA H200")
    card(tmp_path, "0000:01:00.0", "NVIDIA H100")
    assert hardware(tmp_path) == "AMD EPYC, NVIDIA H100, NVIDIA H200"


def test_a_processor_without_a_name_is_its_architecture(tmp_path: Path) -> None:
    assert hardware(tmp_path) == platform.machine()
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nBogoMIPS\t: 2000.00\n")
    assert hardware(tmp_path) == platform.machine()


def test_this_machine_has_a_name() -> None:
    assert hardware().strip()
