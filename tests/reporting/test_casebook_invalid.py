"""An answer that is right but for an invalid item is not shown as right."""

from mmie.reporting.casebook.answers import Answer
from mmie.reporting.casebook.cases import told
from mmie.types import Quintuple

OSLO = Quintuple("Ann", "per", "Oslo", "loc", "place of birth")
RESPONSE = (
    "<think> why </think> <answer> [Ann, per, Oslo, loc, place of birth], [Ann, per] </answer>"
)


def test_a_right_quintuple_beside_an_invalid_item_is_partly_right() -> None:
    shown = told(Answer("", "", "", (), (OSLO,), RESPONSE, (OSLO,), False, 1))
    assert shown["verdict"] == "partly"
    assert [part.kind for part in shown["parts"]] == ["invalid answer", ""]
    assert "[Ann, per]" in shown["raw"]


def test_an_answer_without_any_readable_item_is_invalid() -> None:
    shown = told(Answer("", "", "", (), (OSLO,), RESPONSE, None, False, 2))
    assert shown["verdict"] == "invalid answer"
    assert [part.kind for part in shown["parts"]] == ["invalid answer", "invalid answer", "missed"]
