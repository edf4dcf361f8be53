"""What the stage sft gives to the training: the samples of each step."""

from __future__ import annotations

import pytest

from helpers.configured import run_config
from mmie.artifacts import Store
from mmie.stages import prepare, trainings
from mmie.stages.context import Context
from mmie.stages.keys import key_of
from mmie.stages.samples import Samples
from mmie.training.fit import Fit
from mmie.training.plan import StepLoader

SMALL = ["sft=direct", "grpo=none", "data.sizes={train: 24, val: 2, test: 2}", "sft.epochs=2"]
BATCHES = ["sft.batch_size=4", "sft.micro_batch_size=2"]


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Fit]:
    """Whether samples are grouped by length → what would be trained."""
    folder = tmp_path_factory.mktemp("run")
    fits: list[Fit] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainings, "_train", lambda context, config, fit: fits.append(fit))
        for grouped in ("false", "true"):
            values = [f"sft.group_by_length={grouped}", f"artifacts={folder}"]
            config = run_config(*SMALL, *BATCHES, *values)
            context = Context(config, Store(config.artifacts), folder)
            samples = Samples(prepare.data(context))
            trainings.train_sft(context, config.sft, samples, None, folder)
    return dict(zip((False, True), fits, strict=True))


def steps(loader: StepLoader) -> list[list[str]]:
    """Sample ids of each step of the loader's process."""
    return [[item.example.id for item in batch.step_items] for batch in loader if batch.opens_group]


def padding(fit: Fit) -> int:
    """Tokens that fill rows up to the longest of their step."""
    total = 0
    for batch in fit.loader(0, 1):
        lengths = [item.text_tokens(fit.module.policy) for item in batch.step_items]
        total += max(lengths) * len(lengths) - sum(lengths)
    return total


def test_samples_are_grouped_by_length_where_it_is_asked_for(planned: dict[bool, Fit]) -> None:
    assert padding(planned[True]) < padding(planned[False]) / 2
    together = [sorted(sum(steps(fit.loader(0, 1)), [])) for fit in planned.values()]
    assert together[0] == together[1]


def test_grouped_steps_are_the_same_for_two_devices_and_after_a_resume(
    planned: dict[bool, Fit],
) -> None:
    loader = planned[True].loader
    whole = steps(loader(0, 1))
    halves = [steps(loader(rank, 2)) for rank in (0, 1)]
    assert [[*one, *other] for one, other in zip(*halves, strict=True)] == whole
    resumed = loader(0, 1)
    resumed.first_step = 5
    assert steps(resumed) == whole[5:]


def test_without_grouping_the_key_is_that_of_before() -> None:
    config = run_config(*SMALL).sft
    assert "group_by_length" not in key_of(config, "sft")
    config.group_by_length = True
    assert key_of(config, "sft")["group_by_length"] is True
