"""Progressive sample mixing, counted by hand."""

from __future__ import annotations

import pytest

from mmie.errors import InputError
from mmie.training.plan import plan_steps
from mmie.training.schedules.progressive_mix import ProgressiveMix, easy_samples

HARD = {0, 3, 4, 9}
EASY = [index not in HARD for index in range(20)]  # 4 hard, 16 easy


def parts(
    alpha: float, epoch: int, easy: list[bool] = EASY, seed: int = 0
) -> tuple[list[int], list[int]]:
    indices = ProgressiveMix(alpha=alpha)(epoch, samples=len(easy), seed=seed, easy=easy)
    hard_part = sorted(index for index in indices if not easy[index])
    easy_part = sorted(index for index in indices if easy[index])
    return hard_part, easy_part


@pytest.mark.parametrize(
    ("alpha", "counts"),
    [
        (0.5, [4, 2, 1, 1]),  # 4, 2, 1, then a half, rounded up
        (1.0, [4, 4, 4, 4]),
        (0.0, [0, 0, 0, 0]),  # 0^0 is not 1 here
        (2.0, [4, 8, 16, 32]),
        (0.3, [4, 1, 0, 0]),  # 4, 1.2, 0.36
    ],
)
def test_easy_samples_of_each_epoch(alpha: float, counts: list[int]) -> None:
    assert [easy_samples(epoch, alpha=alpha, hard=4) for epoch in range(4)] == counts
    for epoch, count in enumerate(counts):
        hard, easy = parts(alpha, epoch)
        assert hard == sorted(HARD)
        assert len(easy) == count


def test_nothing_comes_twice_while_there_is_enough() -> None:
    for epoch in range(3):
        _, easy = parts(2.0, epoch)
        assert len(set(easy)) == len(easy)


def test_fewer_easy_samples_than_asked() -> None:
    """Eight hard, three easy, one to one: each easy one twice and two of them a third time."""
    easy = [False] * 8 + [True] * 3
    hard, drawn = parts(1.0, 0, easy)
    assert hard == list(range(8))
    assert sorted(drawn.count(index) for index in (8, 9, 10)) == [2, 3, 3]


def test_no_easy_samples() -> None:
    assert parts(1.0, 0, [False] * 3) == ([0, 1, 2], [])


def test_no_hard_samples_is_an_error() -> None:
    with pytest.raises(InputError, match=r"^schedule: .*none is hard; use schedule=all_mixed"):
        parts(0.5, 0, [True] * 3)


def test_negative_alpha_is_refused() -> None:
    with pytest.raises(InputError, match=r"^schedule\.alpha: -0\.1"):
        ProgressiveMix(alpha=-0.1)


def test_order_and_choice_belong_to_seed_and_epoch() -> None:
    def order(epoch: int, seed: int) -> tuple[int, ...]:
        return tuple(ProgressiveMix(alpha=0.5)(epoch, samples=20, seed=seed, easy=EASY))

    places = [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert len({order(*place) for place in places}) == 4
    assert [order(*place) for place in places] == [order(*place) for place in places]
    assert list(order(0, 0)) != sorted(order(0, 0))


def test_the_plan_takes_the_epochs_as_they_are() -> None:
    """8 + 6 + 5 samples in three epochs: four steps of four, three are left out."""
    plan = plan_steps(
        ProgressiveMix(alpha=0.5), samples=20, epochs=3, batch_size=4, seed=0, easy=EASY
    )
    assert [len(step) for step in plan] == [4] * 4
    assert {index for step in plan[:2] for index in step} >= HARD
