"""Relations in each form of the configuration; relations of one's own replace the shipped ones."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.configured import run_config
from mmie.config import node
from mmie.errors import InputError
from mmie.tasks.jmere.relations import relation_names, relation_pairs
from mmie.tasks.responses import Reasoned

BOTH = {"works for": ("per-org",), "alternate names": ("per-per", "org-org")}


@pytest.mark.parametrize(
    "relations",
    [
        {"works_for": ["per-org"], "alternate_names": ["per-per", "org-org"]},
        {"works for": "per-org", "alternate_names": "per-per,org-org"},
        "works_for: per-org\n\n  alternate_names : per-per, org-org \n",
        ["works_for: per-org", "alternate_names: per-per, org-org"],
        [{"works_for": ["per-org"]}, {"alternate_names": ["per-per", "org-org"]}],
    ],
)
def test_every_form_gives_the_same_pairs(relations: Any) -> None:
    assert relation_pairs(relations) == BOTH
    assert relation_names(relations) == list(BOTH)


def test_names_alone_are_enough_where_only_names_are_needed() -> None:
    assert relation_names(["works_for", "peer"]) == ["works for", "peer"]


@pytest.mark.parametrize(
    ("relations", "reason"),
    [
        ({}, "there is none"),
        (" \n", "there is none"),
        (None, "None names no relations"),
        ([3], "3 names no relations"),
        ("works_for", "is no pair of types"),
        ({"works_for": ["per"]}, "'per' of works_for is no pair of types"),
        ({"works_for": ["per-"]}, "'per-' of works_for is no pair of types"),
        ({"works_for": [7]}, "'7' of works_for is no pair of types"),
        ({"works_for": None}, "works_for has no list of type pairs"),
        ({"works_for": []}, "works_for has no list of type pairs"),
        ({"works_for": ["per-org"], "works for": ["per-org"]}, "stands twice"),
        ({"": ["per-org"]}, "is blank"),
    ],
)
def test_what_is_no_relation_is_refused_in_one_line(relations: Any, reason: str) -> None:
    with pytest.raises(InputError, match=r"^task\.relations: ") as caught:
        relation_pairs(relations)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "override",
    [
        "task.relations={works_for:[per-org]}",
        "task.relations=[{works_for:[per-org]}]",
        "task.relations='works_for: per-org'",
    ],
)
def test_own_relations_replace_all_others(override: str) -> None:
    config = run_config("data=jmere_json", override, "data.root=.", "data.missing_images=blank")
    assert list(node(config.task, response=Reasoned()).relations) == ["works for"]
    assert node(config.cot.chains).relations == ["works for"]
    assert node(config.data).labels.pairs == {"works for": ("per-org",)}


def test_the_shipped_relations_are_21() -> None:
    assert len(node(run_config().task, response=Reasoned()).relations) == 21
