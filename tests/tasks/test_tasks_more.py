"""The task's prompt, answers and metric, with hand-counted scores."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from helpers.configured import instruction, reasoning_instruction
from helpers.labels import LABELS
from mmie.errors import InputError
from mmie.tasks.more.task import MORE
from mmie.tasks.responses import Direct, Reasoned
from mmie.tasks.task import Task
from mmie.types import Example, Picture

AWARDED, MEMBER = "/per/misc/awarded", "/per/org/member_of"


def task(**changes: Any) -> MORE:
    asked = {"response": Reasoned(reasoning_instruction()), "instruction": instruction("more")}
    return MORE(**{"labels": LABELS, **asked, **changes})


def example(
    gold: str = AWARDED,
    *,
    text: str = "Obama gets the prize",
    entity: str = "prize",
    entities: int = 1,
    objects: int = 1,
) -> Example:
    extra = {
        "img_id": "1.jpg",
        "entity": entity,
        "object": "person_0",
        "entity_count": entities,
        "object_count": objects,
    }
    return Example(
        "test-0",
        text,
        (Picture(Path("1.jpg")), Picture(Path("1.jpg"), (417, 5, 931, 15))),
        gold,
        extra,
    )


def response(answer: str) -> str:
    return f"<think> Step 1: a man </think> <answer> {answer} </answer>"


def test_the_labels_are_those_of_the_data() -> None:
    assert len(set(LABELS)) == 20
    kinds = {kind for label in LABELS for kind in label.split("/")[1:3]}
    assert kinds == {"per", "org", "loc", "misc"}


def test_the_prompt_gives_entity_labels_and_text_then_the_form() -> None:
    prompt = task().prompt(example())
    assert 'with the entity "prize" of the text?' in prompt
    assert "The candidate labels are: /per/per/opponent, /per/per/partner, " in prompt
    assert ", /loc/loc/contain, none.\n" in prompt
    assert "The text data is: {Obama gets the prize}\n" in prompt
    assert (
        "The first image is the picture of a news article, the second image shows one object of it."
        in prompt
    )
    assert not any(secret in prompt for secret in ("417", "931", "person_0", "1.jpg"))
    assert prompt.endswith(f" {reasoning_instruction()}")


def test_the_prompt_does_not_show_the_answer() -> None:
    assert task().prompt(example(AWARDED)) == task().prompt(example("none"))


def test_the_zero_shot_prompt_is_the_same_without_the_form() -> None:
    direct = task(response=Direct()).prompt(example())
    assert f"{direct} {reasoning_instruction()}" == task().prompt(example())


@pytest.mark.parametrize(
    "name", ["{text}", "{labels} {entity}", "{0} {} {x!r} {{", "\\1 \\g<0>", '"']
)
def test_texts_and_entities_with_braces_stay_as_they_are(name: str) -> None:
    made = task(instruction="[{entity}|{text}|{labels}]", labels=[AWARDED], response=Direct())
    assert (
        made.prompt(example(entity=name, text=f"a {name} b"))
        == f"[{name}|a {name} b|{AWARDED}, none]"
    )


def test_without_an_instruction_the_prompt_is_entity_and_text() -> None:
    bare = MORE(labels=LABELS, response=Direct())
    assert bare.prompt(example(entity="Obama")) == "Obama: Obama gets the prize"


@pytest.mark.parametrize("gold", [*LABELS, "none"])
@pytest.mark.parametrize("responder", [Reasoned(), Direct()])
def test_a_target_parses_to_its_gold(gold: str, responder: Reasoned | Direct) -> None:
    made = task(response=responder)
    target = made.target(example(gold), "the chain")
    assert made.parse(target) == gold
    assert made.answer_of(target) == made.gold_answer(example(gold)) == gold
    assert ("the chain" in target) == isinstance(responder, Reasoned)


@pytest.mark.parametrize(("slash", "expected"), [("lenient", AWARDED), ("strict", None)])
def test_the_leading_slash_may_be_needed(slash: str, expected: str | None) -> None:
    assert task(slash=slash).parse(response("per/misc/awarded")) == expected
    assert task(slash=slash).parse(response(AWARDED)) == AWARDED
    assert task(slash=slash).parse(response("none")) == "none"


@pytest.mark.parametrize(
    "text",
    [
        "",
        AWARDED,
        response(""),
        response("awarded"),
        response("/per/misc/enemy"),
        response(AWARDED) + ".",
    ],
)
def test_an_invalid_response_is_none(text: str) -> None:
    assert task().parse(text) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slash": "never"}, r"^task\.slash: 'never' is unknown; use strict or lenient"),
        ({"labels": [AWARDED, "none"]}, r"^task\.labels: 'none' is given twice or not of the form"),
        ({"labels": ["per/misc/awarded"]}, r"^task\.labels: 'per/misc/awarded'"),
        ({"labels": ["/per/awarded"]}, r"^task\.labels: '/per/awarded'"),
        (
            {"labels": [AWARDED, MEMBER, AWARDED]},
            r"^task\.labels: '/per/misc/awarded' is given twice",
        ),
    ],
)
def test_wrong_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        task(**changes)


def test_scores_by_hand() -> None:
    examples = [
        example(AWARDED, entities=1, objects=2),
        example(MEMBER, entities=1, objects=2),
        example("none", entities=2, objects=2),
        example("none", entities=2, objects=10),
        example(AWARDED, entities=2, objects=10),
    ]
    predictions = [AWARDED, AWARDED, "none", MEMBER, None]
    found = task().score(predictions, examples, bootstrap_samples=200, seed=0)
    assert list(found) == ["relation"]
    scores = found["relation"]
    # Right: the first and the third. Relations: correct 1, predicted 3, gold 3.
    # AWARDED: F1 2/4, MEMBER: F1 0.
    counts = [scores[name] for name in ("correct", "predicted", "gold", "samples")]
    assert counts == [1, 3, 3, 5]
    values = [scores[name] for name in ("precision", "recall", "f1")]
    assert values == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert (scores["accuracy"], scores["macro_f1"]) == pytest.approx((2 / 5, 1 / 4))
    assert 0 <= scores["ci95"][0] < 1 / 3 < scores["ci95"][1] <= 1
    assert 0 <= scores["accuracy_ci95"][0] < 2 / 5 < scores["accuracy_ci95"][1] <= 1
    assert json.loads(json.dumps(found)) == found
    assert found == task().score(predictions, examples, bootstrap_samples=200, seed=0)


def test_the_breakdown_by_numbers_of_entities_and_objects() -> None:
    counts = [(1, 2), (1, 2), (2, 2), (2, 10), (2, 10)]
    golds = [AWARDED, MEMBER, "none", "none", AWARDED]
    examples = [
        example(gold, entities=entities, objects=objects)
        for gold, (entities, objects) in zip(golds, counts, strict=True)
    ]
    found = task().breakdown([AWARDED, AWARDED, "none", MEMBER, None], examples)
    by_entities, by_objects = found["entities in the text"], found["objects in the picture"]
    assert {name: part["accuracy"] for name, part in by_entities.items()} == pytest.approx(
        {"1": 1 / 2, "2": 1 / 3}
    )
    assert list(by_objects) == ["2", "10"]
    assert [part["accuracy"] for part in by_objects.values()] == pytest.approx([2 / 3, 0])
    assert [part["f1"] for part in by_objects.values()] == pytest.approx([1 / 2, 0])
    assert [part["samples"] for part in by_objects.values()] == [3, 2]


def test_counts_add_up_to_accuracy() -> None:
    examples, predictions = (
        [example(), example("none"), example("none"), example()],
        [AWARDED, "none", None, "none"],
    )
    counts = [task().counts(*pair) for pair in zip(predictions, examples, strict=True)]
    assert [row["accuracy"] for row in counts] == [(1, 1, 1), (1, 1, 1), (0, 1, 1), (0, 1, 1)]
    scores = task().score(predictions, examples, bootstrap_samples=0, seed=0)[
        task().selection_metric
    ]
    assert scores["accuracy"] == 2 / 4
    assert (scores["ci95"], scores["accuracy_ci95"]) == ([0.0, 1.0], [0.0, 1.0])


def test_gold_survives_json() -> None:
    assert task().revive_gold(json.loads(json.dumps(AWARDED))) == AWARDED
    with pytest.raises(TypeError):
        task().revive_gold([["a", "per", "b", "org", "member of"]])  # type: ignore[arg-type]


def test_the_task_is_frozen_and_picklable() -> None:
    made: Task = task()
    assert pickle.loads(pickle.dumps(made)) == made
    assert (made.name, made.selection_metric) == ("more", "relation")
    with pytest.raises(AttributeError):
        made.instruction = "x"  # type: ignore[attr-defined]


def test_what_a_sample_is_counted_and_explained_by() -> None:
    labels = ("/per/org/member_of", "/per/org/leader_of", "/org/org/subsidiary")
    more = MORE(labels=labels, response=Reasoned())
    counted = {"entity_count": 1, "object_count": 1}
    example, none = (
        Example(name, "", (), gold, counted) for name, gold in (("x", labels[0]), ("y", "none"))
    )
    assert more.counts(labels[0], example) == {"relation": (1, 1, 1), "accuracy": (1, 1, 1)}
    assert more.counts("none", none) == {"relation": (0, 0, 0), "accuracy": (1, 1, 1)}
    assert more.counts(None, none) == {"relation": (0, 0, 0), "accuracy": (0, 1, 1)}
    part = more.judge(labels[1], example, truncated=False)
    assert part == [((labels[1],), (labels[0],), "wrong relation")]
    assert more.judge(None, example, truncated=False) == [(None, (labels[0],), "invalid answer")]
    assert (more.size(none), more.stratum(none)) == (1, "none")
    found = more.breakdown([labels[1], labels[2], "none"], [example, none, none])
    assert {
        name: (scores["correct"], scores["predicted"], scores["gold"])
        for name, scores in found["relation"].items()
    } == {labels[0]: (0, 0, 1), labels[1]: (0, 1, 0), labels[2]: (0, 1, 0)}
    assert {name: scores["predicted"] for name, scores in found["entity type"].items()} == {
        "/per/org": 1,
        "/org/org": 1,
    }


def test_votes_over_labels() -> None:
    assert task().votes([MEMBER, AWARDED, None, "none", AWARDED]) == {"label": AWARDED}
    assert task().votes(["none", AWARDED]) == {"label": "none"}
    assert task().votes([None, None]) == {"label": None}
