"""Cutting a response into steps takes time in proportion to its length, whatever it is."""

from __future__ import annotations

import time

import pytest

from mmie.files import slug
from mmie.reporting.casebook.cases import steps

SIZES = (50_000, 100_000, 200_000)  # the largest took minutes when the time grew with the square
SECONDS = 3.0
UNITS = [
    " ",
    "\n",
    "\t\n",
    ".  ",
    ". a ",
    ".\n",
    "step ",
    "step 1",
    "Step 1 : ",
    "step 1    ",
    "a. b: ",
    "x",
    "1",
    "é: ",
    "! - ",
    "\u2028",
]
OPENINGS = ["", "step", "step 1", ". ", ". a", "Step 1: look"]


@pytest.mark.parametrize("opening", OPENINGS)
def test_steps_are_cut_in_linear_time(opening: str) -> None:
    start = time.perf_counter()
    for unit in UNITS:
        for size in SIZES:
            steps(opening + unit * (size // len(unit)) + "z")
        assert time.perf_counter() - start < SECONDS * len(UNITS), (
            f"{opening!r} and {unit!r} of {size}"
        )


def test_names_of_files_are_made_in_linear_time() -> None:
    start = time.perf_counter()
    for unit in ("-", "a-", "é", " "):
        slug(unit * SIZES[-1])
    assert time.perf_counter() - start < SECONDS
