from __future__ import annotations

from typing import Any

import pytest

from helpers.training_runs import make_examples


@pytest.fixture(scope="session")
def examples(pictures: list[Any]) -> list[Any]:
    """Eight samples with unequal texts, pictures and answers."""
    return make_examples(pictures)
