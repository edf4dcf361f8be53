"""What of the libraries' messages reaches the terminal."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from mmie.stages.quiet import quiet_libraries


@pytest.fixture(autouse=True)
def root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_library_that_sets_its_own_level_stays_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    quiet_libraries()
    lightning = logging.getLogger("pytorch_lightning")
    before = lightning.level
    try:
        lightning.setLevel(logging.INFO)  # as it does when it is imported
        logging.getLogger("pytorch_lightning.utilities.rank_zero").info("a tip")
        logging.getLogger("pytorch_lightning.trainer").error("a fault")
    finally:
        lightning.setLevel(before)
    logging.getLogger("mmie.stages").info("our own")
    shown = capsys.readouterr().out
    assert "a tip" not in shown
    assert "a fault" in shown
    assert "our own" in shown
