"""MRE's prompts, judgements, scores, votes and rewards, by hand."""

from __future__ import annotations

import math

import pytest
from PIL import Image

from helpers.configured import instruction
from mmie.errors import InputError
from mmie.tasks.mre.errors import judge_label
from mmie.tasks.mre.rewards import MREReward, accuracy_reward, format_reward, partial_reward
from mmie.tasks.mre.task import MRE
from mmie.tasks.responses import Direct, Reasoned
from mmie.types import Example, Judged, Reading

PATHS = ["/per/org/member_of", "/per/per/peer", "/per/per/couple"]
TASK = MRE(labels=PATHS, response=Reasoned())
MEMBER, PEER, COUPLE = TASK.labels
EXTRA = {"head": "Ann", "tail": "Apex", "marked": "<head>Ann</head> of <tail>Apex</tail>"}
FORM = "<think>why</think><answer>none</answer>"


def example(gold: str) -> Example:
    return Example("x", "Ann of Apex", (), gold, EXTRA)


def test_the_prompt_shows_the_pair_and_the_labels() -> None:
    task = MRE(labels=PATHS, response=Direct(), instruction=instruction("mre"))
    prompt = task.prompt(example(MEMBER))
    assert 'the head entity "Ann" have with the tail entity "Apex"' in prompt
    assert "per, org, member of; per, per, peer; per, per, couple; none." in prompt
    assert "{<head>Ann</head> of <tail>Apex</tail>}" in prompt
    template = task.prompt_template()  # of the model card
    assert all(place in template for place in ("{text}", '"{head}"', '"{tail}"'))
    plain = MRE(labels=PATHS, response=Direct(), marks=False).prompt(example(MEMBER))
    assert plain == "Ann, Apex: Ann of Apex"


def test_the_target_is_read_back() -> None:
    for gold in (MEMBER, "none"):
        target = TASK.target(example(gold), "why")
        assert TASK.parse(target) == gold
        assert TASK.read(target, lenient=True) == Reading(gold)
    assert TASK.read("<think>x</think><answer>per, per, foe</answer>", lenient=True) == Reading(
        None, 1
    )


@pytest.mark.parametrize(
    ("said", "gold", "kind"),
    [
        (MEMBER, MEMBER, ""),
        ("none", "none", ""),
        (COUPLE, PEER, "wrong relation"),
        (MEMBER, PEER, "wrong type"),
        ("none", PEER, "missed"),
        (PEER, "none", "invented"),
    ],
)
def test_errors(said: str, gold: str, kind: str) -> None:
    assert judge_label(said, gold) == Judged((said,), (gold,), kind)


def test_a_label_that_cannot_be_read() -> None:
    [part] = TASK.judge(None, example("none"), truncated=False, invalid=1)
    assert part == Judged(None, ("none",), "invalid answer")
    assert judge_label(None, PEER, truncated=True).kind == "truncated"


@pytest.mark.parametrize(
    ("said", "gold", "invalid", "relation", "accuracy"),
    [
        (PEER, PEER, 0, (1, 1, 1), (1, 1, 1)),
        (COUPLE, PEER, 0, (0, 1, 1), (0, 1, 1)),
        ("none", PEER, 0, (0, 0, 1), (0, 1, 1)),
        (PEER, "none", 0, (0, 1, 0), (0, 1, 1)),
        ("none", "none", 0, (0, 0, 0), (1, 1, 1)),
        (None, PEER, 1, (0, 1, 1), (0, 1, 1)),  # a label that is not offered was predicted
        (None, "none", 0, (0, 0, 0), (0, 1, 1)),
    ],
)
def test_counts_leave_none_out(
    said: str | None, gold: str, invalid: int, relation: tuple, accuracy: tuple
) -> None:
    counts = TASK.counts(said, example(gold), invalid=invalid)
    assert counts == {"relation": relation, "accuracy": accuracy}


def test_scores_of_relations_and_accuracy_of_all() -> None:
    gold = [PEER, PEER, MEMBER, "none", "none", "none"]
    said = [PEER, COUPLE, "none", "none", PEER, None]
    samples = [example(label) for label in gold]
    [(measure, score)] = TASK.score(said, samples, bootstrap_samples=50, seed=0).items()
    assert measure == "relation"
    assert (score["correct"], score["predicted"], score["gold"]) == (1, 3, 3)
    assert (score["f1"], score["accuracy"], score["samples"]) == (1 / 3, 1 / 3, 6)
    low, high = score["accuracy_ci95"]
    assert 0 <= low <= 1 / 3 <= high <= 1
    groups = TASK.breakdown(said, samples)
    assert set(groups["relation"]) == {PEER, COUPLE, MEMBER}
    types = groups["entity types"]["per, per"]
    assert (types["correct"], types["predicted"], types["gold"]) == (1, 3, 2)


def test_votes_and_statistics() -> None:
    assert TASK.votes(["none", PEER, None, PEER]) == {"answer": PEER}
    sample = example(PEER)
    assert TASK.labels_of(sample) == {"relation": [PEER]}
    assert TASK.fields(sample) == {"head": "Ann", "tail": "Apex"}
    assert (TASK.size(sample), TASK.stratum(sample)) == (1, PEER)


def test_a_question_marks_its_pair(tmp_path) -> None:
    picture = tmp_path / "1.png"
    Image.new("RGB", (8, 8)).save(picture)
    row = {"id": "1", "text": "Ann of  Apex", "image": str(picture), "head": "Ann", "tail": "Apex"}
    question = TASK.question(row, "predict.")
    assert question.extra == EXTRA
    with pytest.raises(InputError, match=r"^predict\.tail: 'Bob' is not in the text"):
        TASK.question({**row, "tail": "Bob"}, "predict.")


@pytest.mark.parametrize(
    ("said", "gold", "r_a", "r_p"),
    [
        (MEMBER, MEMBER, 1, 1),
        (COUPLE, PEER, 0, 2 / 3),
        (MEMBER, PEER, 0, 1 / 3),
        ("none", PEER, 0, 0),
        (PEER, "none", 0, 0),
        ("none", "none", 1, 1),
        (None, "none", 0, 0),
    ],
)
def test_rewards(said: str | None, gold: str, r_a: float, r_p: float) -> None:
    assert accuracy_reward(said, gold) == r_a
    assert partial_reward(said, gold) == pytest.approx(r_p)
    parts = MREReward(alpha=0.2, beta=0.1)(FORM, said, gold, "", "")
    reward = r_a + 0.2 * r_p + 0.1
    assert parts == pytest.approx({"reward": reward, "r_a": r_a, "r_p": r_p, "r_f": 1})


def test_a_broken_form_loses_even_a_right_label() -> None:
    parts = MREReward(alpha=0.2, beta=0.1)("none", "none", "none", "none", "none")
    assert parts == {"reward": 0.0, "r_a": 0.0, "r_p": 0.0, "r_f": 0.0}
    assert (format_reward(FORM), format_reward("none")) == (1.0, 0.0)


@pytest.mark.parametrize("weight", [-0.2, math.nan])
def test_a_negative_weight_names_its_key(weight: float) -> None:
    with pytest.raises(InputError, match=r"^reward\.alpha: .* is out of range"):
        MREReward(alpha=weight, beta=0.1)
    with pytest.raises(InputError, match=r"^reward\.beta: .* is out of range"):
        MREReward(alpha=0.2, beta=weight)
