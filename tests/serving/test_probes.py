"""Small parts of the engine that asks a server, by hand."""

from __future__ import annotations

import pytest
import torch

from mmie.serving.pictures import one_placeholder_each
from mmie.serving.probes import share_shown
from mmie.serving.vllm import seed_of


def test_the_share_of_a_change_that_a_server_shows() -> None:
    generator = torch.Generator().manual_seed(0)
    before = torch.randn(400, generator=generator, dtype=torch.float64)
    change = 0.01 * torch.randn(400, generator=generator, dtype=torch.float64)
    noise = 0.01 * torch.randn(400, generator=generator, dtype=torch.float64)
    now = before + change
    for share in (0.0, 0.4, 1.0):
        shown = share_shown(before + share * change + noise, before, now)
        assert shown == pytest.approx(share, abs=0.15)
    # The same rounding hides a change that is a hundred times as small.
    assert share_shown(before + noise, before, before + change / 100) is None
    assert share_shown(before, before, before) is None


@pytest.mark.parametrize(
    ("ids", "lengths", "expected"),
    [
        ([1, 5, 5, 5, 7], [3], [1, 5, 7]),
        ([1, 5, 5, 5, 5, 7], [1, 3], [1, 5, 5, 7]),  # two pictures side by side
        ([5, 5, 8, 5], [2, 1], [5, 8, 5]),
        ([1, 7], [], [1, 7]),
    ],
)
def test_each_picture_keeps_one_placeholder(
    ids: list[int], lengths: list[int], expected: list[int]
) -> None:
    assert one_placeholder_each(ids, 5, lengths) == expected


def test_seeds_leave_room_for_the_responses_of_a_group() -> None:
    seeds = {seed_of(f"rollout-0-{step}-train-1") for step in range(1000)}
    assert len(seeds) == 1000
    assert 0 <= min(seeds) <= max(seeds) < 2**56
