"""Which devices the jobs of a sweep share."""

from __future__ import annotations

from typing import Any

import pytest
from omegaconf import OmegaConf

from mmie.errors import InputError
from mmie.launching import devices
from mmie.launching.devices import all_devices


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_the_configuration_decides_then_the_variable_then_torch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "_count", lambda: 3)
    assert all_devices(None) == ["0", "1", "2"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, GPU-8f,6,-1,7")
    assert all_devices(None) == ["4", "GPU-8f", "6"]
    assert all_devices(OmegaConf.create([6, "GPU-8f"])) == ["6", "GPU-8f"]


def test_places_on_a_machine_without_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that hides all GPUs forbids none of the places that the user names."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert all_devices([0, 1]) == ["0", "1"]


@pytest.mark.parametrize(
    ("configured", "visible", "message"),
    [
        (None, "", "CUDA_VISIBLE_DEVICES: no GPU found; name devices, as in "),
        (None, "-1", "CUDA_VISIBLE_DEVICES: no GPU found; "),
        (None, None, "hydra.launcher.devices: no GPU found; name devices, as in "),
        ([], None, "hydra.launcher.devices: no GPU found; "),
        ([0, 1, 0], None, "hydra.launcher.devices: 0 is named twice; "),
        ([0, "0"], None, "hydra.launcher.devices: 0 is named twice; "),
        (None, "3,4,3", "CUDA_VISIBLE_DEVICES: 3 is named twice; "),
        ([0, 4], "3,4", "hydra.launcher.devices: 0 is not in CUDA_VISIBLE_DEVICES=3,4"),
        (2, None, "hydra.launcher.devices: it must be a list such as [0,1]"),
        ("0,1", None, "hydra.launcher.devices: it must be a list such as [0,1]"),
        ([[0, 1], 2], None, "hydra.launcher.devices: it must be a list such as [0,1]"),
    ],
)
def test_what_cannot_be_shared_is_refused(
    monkeypatch: pytest.MonkeyPatch, configured: Any, visible: str | None, message: str
) -> None:
    monkeypatch.setattr(devices, "_count", lambda: 0)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(InputError) as refused:
        all_devices(configured)
    assert str(refused.value).startswith(message)
