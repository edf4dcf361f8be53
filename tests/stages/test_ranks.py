"""What the processes of a run say when one of them has made a collective operation fail."""

from __future__ import annotations

import pytest

from mmie import stopping
from mmie.errors import InputError
from mmie.stages import ranks


def test_an_error_that_a_dead_process_has_caused_is_put_down_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = iter([None, "process 1 of this run has ended with status -9"])
    monkeypatch.setattr(stopping, "failed_child", lambda: next(seen))
    monkeypatch.setattr(ranks, "POLL", 0.01)
    message = r"^process 1 .* status -9; start the run again"
    with pytest.raises(InputError, match=message), ranks._blaming_the_dead():
        raise RuntimeError("Connection closed by peer")


def test_an_error_of_ones_own_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "PATIENCE", 0.02)
    monkeypatch.setattr(ranks, "POLL", 0.01)
    with pytest.raises(RuntimeError, match="out of memory"), ranks._blaming_the_dead():
        raise RuntimeError("out of memory")
