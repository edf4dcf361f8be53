"""Which samples form which step, and how a step is divided."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmie.training.plan import StepLoader, plan_steps
from mmie.training.schedules.uniform import Uniform


def count_up(epoch: int, *, samples: int, seed: int, easy: object = None) -> list[int]:
    return [100 * epoch + 10 * seed + index for index in range(samples)]


@pytest.mark.parametrize(
    ("epochs", "batch_size", "plan"),
    [
        (1.0, 2, [[0, 1], [2, 3]]),  # a rest smaller than a batch is left out
        (
            2.0,
            2,
            [[0, 1], [2, 3], [4, 100], [101, 102], [103, 104]],
        ),  # epochs follow without a seam
        (1.4, 2, [[0, 1], [2, 3], [4, 100]]),
        (0.4, 2, [[0, 1]]),
        (1.0, 5, [[0, 1, 2, 3, 4]]),
        (1.0, 6, []),
        (1.2, 6, [[0, 1, 2, 3, 4, 100]]),
    ],
)
def test_plan_by_hand(epochs: float, batch_size: int, plan: list[list[int]]) -> None:
    assert plan_steps(count_up, samples=5, epochs=epochs, batch_size=batch_size, seed=0) == plan


def test_plan_hands_the_seed_on() -> None:
    assert plan_steps(count_up, samples=2, epochs=1, batch_size=2, seed=3) == [[30, 31]]


@given(
    samples=st.integers(1, 40),
    epochs=st.integers(1, 4),
    batch_size=st.integers(1, 9),
    seed=st.integers(0, 3),
)
def test_every_sample_once_an_epoch(samples: int, epochs: int, batch_size: int, seed: int) -> None:
    plan = plan_steps(Uniform(), samples=samples, epochs=epochs, batch_size=batch_size, seed=seed)
    stream = [index for step in plan for index in step]
    assert all(len(step) == batch_size for step in plan)
    assert samples * epochs - len(stream) in range(batch_size)
    for epoch in range(epochs):
        part = stream[epoch * samples : (epoch + 1) * samples]
        assert max(Counter(part).values(), default=1) == 1
    assert plan == plan_steps(
        Uniform(), samples=samples, epochs=epochs, batch_size=batch_size, seed=seed
    )


def test_longer_training_begins_like_a_shorter_one() -> None:
    short, long = (
        plan_steps(Uniform(), samples=10, epochs=epochs, batch_size=3, seed=1) for epochs in (1, 3)
    )
    assert long[: len(short)] == short


def test_micro_batches_of_one_process_by_hand() -> None:
    """Tokens 1, 2, 3, 4 in halves: shares 3/10 and 7/10 of the step, times two micro-batches."""
    loader = StepLoader(
        "abcd", [[0, 1, 2, 3], [3, 2, 1, 0]], sizes=[1, 2, 3, 4], micro_batch_size=2
    )
    batches = list(loader)
    assert (len(loader), loader.accumulate) == (4, 2)
    assert [(batch.items, batch.step) for batch in batches] == [
        (["a", "b"], 0),
        (["c", "d"], 0),
        (["d", "c"], 1),
        (["b", "a"], 1),
    ]
    assert [batch.weight for batch in batches] == pytest.approx([0.6, 1.4, 1.4, 0.6])


def test_a_resumed_loader_goes_on_at_its_step() -> None:
    loader = StepLoader("abcd", [[0, 1], [2, 3], [1, 2]], sizes=[1] * 4, micro_batch_size=1)
    whole = [(batch.step, batch.items) for batch in loader]
    loader.first_step = 1
    assert [(batch.step, batch.items) for batch in loader] == whole[2:]
    assert len(loader) == 6


@given(
    micro=st.integers(1, 3),
    accumulate=st.integers(1, 3),
    world=st.integers(1, 3),
    sizes=st.lists(st.integers(1, 50), min_size=60, max_size=60),
    seed=st.integers(0, 5),
)
def test_all_ranks_together_do_each_step_once(
    micro: int, accumulate: int, world: int, sizes: list[int], seed: int
) -> None:
    """And the weights make the mean over micro-batches and processes the size-weighted mean over the step."""
    plan = plan_steps(
        Uniform(), samples=60, epochs=1, batch_size=micro * accumulate * world, seed=seed
    )[:3]
    ranks = [
        list(
            StepLoader(
                range(60), plan, sizes=sizes, micro_batch_size=micro, rank=rank, world_size=world
            )
        )
        for rank in range(world)
    ]
    assert {len(batches) for batches in ranks} == {len(plan) * accumulate}
    for step, indices in enumerate(plan):
        mine = [[batch for batch in batches if batch.step == step] for batches in ranks]
        assert sorted(
            index for batches in mine for batch in batches for index in batch.items
        ) == sorted(indices)
        assert all(len(batch.items) == micro for batches in mine for batch in batches)
        mean = sum(
            batch.weight
            * sum(sizes[index] * index for index in batch.items)
            / sum(sizes[index] for index in batch.items)
            for batches in mine
            for batch in batches
        ) / (accumulate * world)
        assert mean == pytest.approx(
            sum(sizes[index] * index for index in indices) / sum(sizes[index] for index in indices)
        )


def test_several_updates_with_the_same_samples_by_hand() -> None:
    loader = StepLoader(
        "abcd", [[0, 1, 2, 3], [3, 2, 1, 0]], sizes=[1] * 4, micro_batch_size=2, updates=2
    )
    found = [
        (
            "".join(batch.items),
            batch.step,
            batch.update,
            batch.start,
            batch.opens_group,
            batch.closes_step,
        )
        for batch in loader
    ]
    assert found == [
        ("ab", 0, 0, 0, True, False),
        ("cd", 0, 0, 2, False, True),
        ("ab", 0, 1, 0, False, False),
        ("cd", 0, 1, 2, False, True),
        ("dc", 2, 0, 0, True, False),
        ("ba", 2, 0, 2, False, True),
        ("dc", 2, 1, 0, False, False),
        ("ba", 2, 1, 2, False, True),
    ]
    assert {"".join(batch.step_items) for batch in loader} == {"abcd", "dcba"}


def test_each_rank_knows_its_own_part_of_the_step() -> None:
    loaders = [
        StepLoader(
            "abcd", [[0, 1, 2, 3]], sizes=[1] * 4, micro_batch_size=1, rank=rank, world_size=2
        )
        for rank in (0, 1)
    ]
    assert [["".join(batch.step_items) for batch in loader] for loader in loaders] == [
        ["ac", "ac"],
        ["bd", "bd"],
    ]
