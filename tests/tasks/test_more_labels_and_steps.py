"""MORE-R1's answers and chains as text."""

import time

import pytest

from mmie.tasks.more.labels import parse_label, read_label
from mmie.tasks.more.steps import parse_steps

LABELS = ["/per/misc/awarded", "/per/org/member_of", "/per/per/peer", "none"]
AWARDED, MEMBER = LABELS[:2]


@pytest.mark.parametrize(
    ("answer", "lenient", "strict"),
    [
        ("/per/misc/awarded", "/per/misc/awarded", "/per/misc/awarded"),
        (" \n/per/org/member_of\t", "/per/org/member_of", "/per/org/member_of"),
        ("per/misc/awarded", "/per/misc/awarded", None),
        (" per/misc/awarded ", "/per/misc/awarded", None),
        ("none", "none", "none"),
        (" none ", "none", "none"),
        ("/none", None, None),
        ("None", None, None),
        ("//per/misc/awarded", None, None),
        ("/per/misc/awarded/", None, None),
        ("/per/misc/Awarded", None, None),
        ("/per/misc/ awarded", None, None),
        ("/per/misc", None, None),
        ("awarded", None, None),
        ("/per/misc/awarded none", None, None),
        ("/per/misc/awarded.", None, None),
        ("[/per/misc/awarded]", None, None),
        ("/per/per/awarded", None, None),
        ("", None, None),
        ("/", None, None),
    ],
)
def test_a_label_is_read_strictly(answer: str, lenient: str | None, strict: str | None) -> None:
    assert parse_label(answer, labels=LABELS, slash="lenient") == lenient
    assert parse_label(answer, labels=LABELS, slash="strict") == strict


def test_another_slash_is_a_defect() -> None:
    with pytest.raises(KeyError):
        parse_label("none", labels=LABELS, slash="never")


@pytest.mark.parametrize(
    ("chain", "texts"),
    [
        ("Step 1: a Step 2: b", ["a", "b"]),
        ("step 1 : a step 2 : b", ["a", "b"]),
        ("STEP 1\na\nStep 2\nb", ["a", "b"]),
        ("**Step 1:** a\n\n**Step 2**: b", ["a", "b"]),
        ("### Step 1. a\n  # Step 2 - b", [". a", "- b"]),
        ("Let us see.\nStep 1: a\nStep 2: b", ["a", "b"]),
        ("1. Step 1: a\n2. Step 2: b", ["a", "b"]),
        ("1) **Step 1**: a\n2) **Step 2**: b", ["a", "b"]),
        ("- Step 1: a\n- Step 2: b", ["a", "b"]),
        ("> Step 1: a\n> Step 2: b", ["a", "b"]),
        ("__Step 1__: a\n__Step 2__: b", ["a", "b"]),
        ("[Step 1] a\n(Step 2) b (c)", ["a", "b (c)"]),
        ("Step #1: a\nStep #2: b", ["a", "b"]),
        ("Step 1: a, as in step 2 below\nStep 2: b", ["a, as in step 2 below", "b"]),
        ("Step 1: a footstep 2: c Step 2: b", ["a footstep 2: c", "b"]),
        ("Step 1: Step 2:", ["", ""]),
        ("Step1: a Step2: b", ["a", "b"]),
        ("Step 1: a", None),
        ("Step 2: b Step 1: a", None),
        ("Step 1: a Step 1: a Step 2: b", None),
        ("Step 1: a Step 2: b Step 2: b", None),
        ("Step 1: a Step 2: b Step 3: c", None),
        ("Step 0: z Step 1: a Step 2: b", None),
        ("Step 1: a Step 12: b", None),
        ("Step 1: a\nStep 2b: b", None),
        ("Step one: a Step two: b", None),
        ("a, step 1, b, step 2", None),
        (f"Step 1: a Step 2: b Step {'1' * 9000}: c", None),
        ("", None),
    ],
)
def test_steps(chain: str, texts: list[str] | None) -> None:
    assert parse_steps(chain, steps=2) == texts


@pytest.mark.parametrize(
    "garbage", ["step ", "step 1 ", "step 1*", "#\n", " *#", "step 1" + " " * 5000, "\n"]
)
def test_garbage_takes_no_time(garbage: str) -> None:
    start = time.perf_counter()
    assert parse_steps(garbage * (200_000 // len(garbage)), steps=2) is None
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("answer", "label", "invalid"),
    [
        (AWARDED, AWARDED, 0),
        ("none", "none", 0),
        (" None. ", "none", 0),
        ("per/misc/awarded", AWARDED, 0),
        ('"/Per/Misc/Awarded".', AWARDED, 0),
        (f"The relation is {AWARDED}, as he holds the prize.", AWARDED, 0),
        (f"```\n{MEMBER}\n```", MEMBER, 0),
        ("**/per/org/member\\_of**", MEMBER, 0),
        ("/per/org/member of", MEMBER, 0),
        (f"<think> Not {MEMBER}. </think><answer>The answer is `{AWARDED}`</answer>", AWARDED, 0),
        (f"<think> Not {MEMBER}. </think> {AWARDED}", AWARDED, 0),
        (f"<think> it is {MEMBER}", None, 0),
        (f"<answer>{AWARDED}", AWARDED, 0),
        (f"It could be {MEMBER}, but the picture shows {AWARDED}.", AWARDED, 0),
        (f"Not {MEMBER}; the answer is none.", "none", 0),
        (f"{AWARDED}. None of the other labels fits.", AWARDED, 0),
        ("/per/misc/enemy", None, 1),
        (f"not {AWARDED} but /per/org/member", None, 1),
        ("/per/org/member_of_parliament", None, 1),
        ("awarded", None, 0),
        ("see https://t.co/abc/def", None, 0),
        ("nonetheless", None, 0),
        ("", None, 0),
    ],
)
def test_labels_of_instruct_models(answer: str, label: str | None, invalid: int) -> None:
    assert read_label(answer, labels=LABELS, slash="lenient") == (label, invalid)


def test_a_slash_that_is_needed() -> None:
    assert read_label("per/misc/awarded", labels=LABELS, slash="strict") == (None, 1)
    assert read_label("It is /per/misc/awarded.", labels=LABELS, slash="strict") == (AWARDED, 0)
    assert read_label("none.", labels=LABELS, slash="strict") == ("none", 0)


@pytest.mark.parametrize(
    "piece", ["/per", "/per/org/", "none ", "per/", "< ", "a\u0301\u0323", "*"]
)
def test_the_lenient_reader_reads_garbage_in_no_time(piece: str) -> None:
    start = time.perf_counter()
    read_label(piece * (300_000 // len(piece)), labels=LABELS, slash="lenient")
    assert time.perf_counter() - start < 5
