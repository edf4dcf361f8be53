"""Labels mean the same in any case and tagging scheme, and are written as the task spells them."""

from typing import Any

import pytest

from mmie.data.labels import Spellings
from mmie.errors import InputError
from mmie.tasks.jmere.annotations import KnownLabels
from mmie.types import Quintuple

LABELS = KnownLabels(["per", "org"], {"member_of": ["per-org"], "peer": ["per-per"]})
UPPER = KnownLabels(["PER", "ORG"], {"Member_Of": ["per-org"]})


@pytest.mark.parametrize(
    "tags",
    [
        *("per", "PER", " Per ", "B-per", "I-PER", "S-PER", "E-PER", "L-PER", "U-PER", "M-PER"),
        *(["B-per", "I-per"], ["S-PER"], ["b-per", "i-per"], ["s-per"], ["per"]),
    ],
)
def test_a_type_is_read_in_every_tagging_scheme(tags: Any) -> None:
    assert LABELS.type_of(tags) == "per"
    assert UPPER.type_of(tags) == "PER"


@pytest.mark.parametrize(
    "tags", [[], 7, {}, "", [None], "b-per", ["i-per"], "X-per", "perB-", "B-"]
)
def test_what_is_no_tag_stays_as_it_is(tags: Any) -> None:
    assert LABELS.type_of(tags) not in ("per", "org")


@pytest.mark.parametrize(
    ("types", "tag", "expected"),
    [
        (["i-product"], "i-product", "i-product"),
        (["i-product"], "B-i-product", "i-product"),
        (["i-product"], "I-Product", "i-product"),
        (["i-product", "product"], "i-product", "i-product"),
        (["i-product", "product"], "B-product", "product"),
        (["product"], "i-product", "i-product"),  # which is then refused
        (["product"], "I-product", "product"),
        (["e-mail", "s-bahn"], "S-Bahn", "s-bahn"),
    ],
)
def test_a_tag_that_is_a_type_keeps_its_beginning(
    types: list[str], tag: str, expected: str
) -> None:
    assert KnownLabels(types, {"peer": ["per-per"]}).type_of(tag) == expected


@pytest.mark.parametrize(
    "relation",
    [
        *("member_of", "member of", "Member Of", "MEMBER_OF", " member  of "),
        *("/per/org/member_of", "/PER/ORG/Member of"),
    ],
)
def test_a_relation_is_read_in_every_spelling(relation: str) -> None:
    found = Quintuple("A", "Per", "B", "ORG", relation)
    lower = Quintuple("A", "per", "B", "org", "member of")
    assert LABELS.checked(found, "f:1") == lower
    assert UPPER.checked(found, "f:1") == Quintuple("A", "PER", "B", "ORG", "Member Of")


@pytest.mark.parametrize(
    ("relation", "message"),
    [
        ("/org/per/member_of", "relation '/org/per/member_of' does not fit the tags per and org"),
        ("/per/animal/member_of", "relation '/per/animal/member_of' does not fit the tags"),
        ("/per/org/enemy", "relation '/per/org/enemy' is unknown"),
        ("per/org/member_of", "relation 'per/org/member_of' is unknown"),
        ("/x/per/org/member_of", "relation '/x/per/org/member_of' is unknown"),
        ("/per/org/peer", "'/per/org/peer' joins per-per, not per-org"),
    ],
)
def test_a_relation_with_other_types_is_refused(relation: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        LABELS.checked(Quintuple("A", "per", "B", "org", relation), "f:1")
    assert str(caught.value).startswith(f"f:1: {message}")


def test_of_two_spellings_that_differ_in_case_the_exact_one_is_meant() -> None:
    spellings = Spellings(["Per", "per"])
    assert [spellings.of(label) for label in ("per", "Per", "PER")] == ["per", "Per", "Per"]


def test_names_are_in_unicodes_composed_form() -> None:
    decomposed = Quintuple("Jose\u0301", "per", "Ame\u0301rica", "org", "member_of")
    found = LABELS.checked(decomposed, "f:1")
    assert (found.head, found.tail) == ("José", "América")
    spelled = KnownLabels(["socie\u0301te\u0301"], {"peer": ["per-per"]})
    assert spelled.type_of("B-société") == "socie\u0301te\u0301"
