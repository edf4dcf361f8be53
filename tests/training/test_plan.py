"""Which samples form which step, and how a step is divided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmie.training.plan import WINDOW, MicroBatch, StepLoader, group_by_length, plan_steps
from mmie.training.schedules.uniform import Uniform


def count_up(epoch: int, *, samples: int, seed: int, easy: object = None) -> list[int]:
    return [100 * epoch + 10 * seed + index for index in range(samples)]


@pytest.mark.parametrize(
    ("epochs", "batch_size", "plan"),
    [
        (1.0, 2, [[0, 1], [2, 3]]),  # a rest smaller than a batch is left out
        # A step may hold the end of one epoch and the beginning of the next.
        (2.0, 2, [[0, 1], [2, 3], [4, 100], [101, 102], [103, 104]]),
        (1.4, 2, [[0, 1], [2, 3], [4, 100]]),
        (0.4, 2, [[0, 1]]),
        (1.0, 5, [[0, 1, 2, 3, 4]]),
        (1.0, 6, []),
        (1.2, 6, [[0, 1, 2, 3, 4, 100]]),
    ],
)
def test_plan_by_hand(epochs: float, batch_size: int, plan: list[list[int]]) -> None:
    assert plan_steps(count_up, samples=5, epochs=epochs, batch_size=batch_size, seed=0) == plan


def test_the_schedule_gets_the_seed() -> None:
    assert plan_steps(count_up, samples=2, epochs=1, batch_size=2, seed=3) == [[30, 31]]


@given(
    samples=st.integers(1, 40),
    epochs=st.integers(1, 4),
    batch_size=st.integers(1, 9),
    seed=st.integers(0, 3),
)
def test_every_sample_once_per_epoch(samples: int, epochs: int, batch_size: int, seed: int) -> None:
    options = {"samples": samples, "epochs": epochs, "batch_size": batch_size, "seed": seed}
    plan = plan_steps(Uniform(), **options)
    stream = [index for step in plan for index in step]
    assert all(len(step) == batch_size for step in plan)
    assert samples * epochs - len(stream) in range(batch_size)
    for epoch in range(epochs):
        part = stream[epoch * samples : (epoch + 1) * samples]
        assert max(Counter(part).values(), default=1) == 1
    assert plan == plan_steps(Uniform(), **options)


def test_longer_training_begins_like_a_shorter_one() -> None:
    short = plan_steps(Uniform(), samples=10, epochs=1, batch_size=3, seed=1)
    long = plan_steps(Uniform(), samples=10, epochs=3, batch_size=3, seed=1)
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
    """The mean over micro-batches and processes is the mean over the step, weighted by size."""
    step_size = micro * accumulate * world
    plan = plan_steps(Uniform(), samples=60, epochs=1, batch_size=step_size, seed=seed)[:3]
    options = {"sizes": sizes, "micro_batch_size": micro, "world_size": world}
    batches: list[MicroBatch] = []
    for rank in range(world):
        of_rank = list(StepLoader(range(60), plan, rank=rank, **options))
        assert len(of_rank) == len(plan) * accumulate
        batches += of_rank

    def weighted_mean(indices: Sequence[int]) -> float:
        total = sum(sizes[index] for index in indices)
        return sum(sizes[index] * index for index in indices) / total

    for step, indices in enumerate(plan):
        of_step = [batch for batch in batches if batch.step == step]
        assert all(len(batch.items) == micro for batch in of_step)
        assert sorted(index for batch in of_step for index in batch.items) == sorted(indices)
        means = [batch.weight * weighted_mean(batch.items) for batch in of_step]
        assert sum(means) / len(means) == pytest.approx(weighted_mean(indices))


def test_several_updates_with_the_same_samples_by_hand() -> None:
    plan = [[0, 1, 2, 3], [3, 2, 1, 0]]
    loader = StepLoader("abcd", plan, sizes=[1] * 4, micro_batch_size=2, updates=2)
    batches = []
    for batch in loader:
        flags = (batch.opens_group, batch.closes_step)
        batches.append(("".join(batch.items), batch.step, batch.update, batch.start, *flags))
    assert batches == [
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
    options = {"sizes": [1] * 4, "micro_batch_size": 1, "world_size": 2}
    for rank, expected in ((0, "ac"), (1, "bd")):
        loader = StepLoader("abcd", [[0, 1, 2, 3]], rank=rank, **options)
        assert ["".join(batch.step_items) for batch in loader] == [expected, expected]


def test_grouping_by_length_by_hand() -> None:
    plan = [[0, 1], [2, 3], [4, 5]]
    lengths = [9, 1, 5, 9, 1, 4]
    grouped = group_by_length(plan, lengths=lengths, seed=0)
    assert sorted(grouped) == [[0, 3], [1, 4], [5, 2]]
    assert grouped == group_by_length(plan, lengths=lengths, seed=0)


def test_grouping_keeps_samples_within_their_window() -> None:
    plan = plan_steps(Uniform(), samples=180, epochs=3, batch_size=4, seed=0)
    grouped = group_by_length(plan, lengths=range(180), seed=0)
    assert [len(step) for step in grouped] == [len(step) for step in plan]
    for start in range(0, len(plan), WINDOW):
        window = slice(start, start + WINDOW)
        assert sorted(sum(grouped[window], [])) == sorted(sum(plan[window], []))
    spread = [max(step) - min(step) for step in grouped]
    assert sum(spread) / len(spread) < 5  # 110 for steps of random samples
    starts = [min(step) for step in grouped[:WINDOW]]
    assert starts != sorted(starts)  # no curriculum from short to long


def test_a_step_holds_no_sample_twice_though_a_window_holds_several_epochs() -> None:
    plan = plan_steps(Uniform(), samples=24, epochs=4, batch_size=8, seed=0)
    grouped = group_by_length(plan, lengths=[5] * 12 + [9] * 12, seed=0)
    assert Counter(sum(grouped, [])) == Counter(sum(plan, []))
    assert all(len(set(step)) == 8 for step in grouped)


def test_no_steps_are_grouped_to_none() -> None:
    assert group_by_length([], lengths=[], seed=0) == []
