"""Predictions of runs, put together by sample, become a page that no text of theirs can break."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from helpers.casebook_runs import GOLD, judged, line, write_run
from mmie.errors import InputError
from mmie.reporting.casebook.__main__ import main
from mmie.reporting.casebook.answers import Answer, labels, read_models
from mmie.reporting.casebook.cases import Case, mark, merged
from mmie.reporting.casebook.thumbnails import save_thumbnails
from mmie.reporting.runs import load_runs
from mmie.types import Picture, Quintuple

OSLO, ROME = Quintuple(*GOLD), Quintuple("Rome", "loc", "Italy", "loc", "contain")
WRONG = OSLO._replace(relation="place of residence")


def cases_of(*folders: Path, limit: int | None = None) -> list[Case]:
    return merged(read_models(load_runs(folders)), limit)


def answer(
    parsed: Any, gold: Any = (OSLO, ROME), *, truncated: bool = False, response: str = "response"
) -> Answer:
    row = {"parsed": parsed, "gold": gold, "truncated": truncated, "invalid": 0}
    return Answer("test-0", "text", gold, response, parsed, tuple(judged(row)))


def test_samples_of_all_runs_come_in_order(tmp_path: Path) -> None:
    one = write_run(
        tmp_path / "1",
        {"zero-shot": [line(0), line(1)], "JMERE-R1": [line(1, response="other"), line(2)]},
    )
    two = write_run(tmp_path / "2", {"SFT": [line(3), line(0)]}, experiment="sft")
    found = cases_of(one, two)
    assert [case.id for case in found] == ["test-0", "test-1", "test-2", "test-3"]
    assert [[answer is not None for answer in case.answers] for case in found] == [
        [1, 0, 1],
        [1, 1, 0],
        [0, 1, 0],
        [0, 0, 1],
    ]
    assert found[1].answers[1] is not None
    assert (found[1].answers[1].response, found[0].labels) == ("other", ["place of birth"])
    assert [case.id for case in cases_of(one, two, limit=2)] == ["test-0", "test-1"]


@pytest.mark.parametrize(("field", "value"), [("text", "another"), ("gold", [])])
def test_another_test_set_is_refused_with_both_files(
    tmp_path: Path, field: str, value: Any
) -> None:
    one = write_run(tmp_path / "1", {"SFT": [line(0), line(1)]})
    two = write_run(tmp_path / "2", {"JMERE-R1": [line(0), line(1, **{field: value})]}, seed=1)
    other = r"than in .*1/predictions/sft\.jsonl;"
    with pytest.raises(
        InputError, match=rf"r1\.jsonl: sample test-1 has another text or gold {other}"
    ):
        cases_of(one, two)


def test_two_tasks_are_refused(tmp_path: Path) -> None:
    one = write_run(tmp_path / "1", {"SFT": [line(0)]})
    two = write_run(
        tmp_path / "2",
        {"MORE-R1": [line(9, gold="none", parsed="none")]},
        experiment="more_r1",
        task="more",
    )
    with pytest.raises(InputError, match=r"its task is more.*is jmere; give runs of one task"):
        cases_of(one, two)


def test_equal_answers_come_once_and_labels_tell_the_rest_apart(tmp_path: Path) -> None:
    rows, others = [line(0)], [line(0, response="other")]
    write_run(
        tmp_path / "1", {"zero-shot": rows, "CoT-SFT": rows, "JMERE-R1": rows}, experiment="a"
    )
    write_run(
        tmp_path / "2",
        {"zero-shot": rows, "CoT-SFT": others, "JMERE-R1": others},
        experiment="b",
        seed=1,
    )
    write_run(tmp_path / "3", {"JMERE-R1": [line(0, response="third")]}, experiment="b", seed=1)
    assert labels(read_models(load_runs([tmp_path]), ["zero-shot", "CoT-SFT"])) == [
        "zero-shot",
        "CoT-SFT · a seed 0 (2)",
        "CoT-SFT · b seed 1 (3)",
    ]


def test_a_run_without_predictions_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "1", {"zero-shot": [], "JMERE-R1": [line(0)]})
    (run / "predictions" / "zero-shot.jsonl").unlink()
    assert [model.name for model in read_models(load_runs([run]))] == ["JMERE-R1"]
    (run / "predictions" / "jmere-r1.jsonl").unlink()
    with pytest.raises(InputError, match=r"results\.json: no predictions lie beside it"):
        read_models(load_runs([run]))


def test_an_unknown_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"--models: there are no predictions of 'sft'; there are those of SFT, GPT",
    ):
        read_models(load_runs([write_run(tmp_path / "1", {"SFT": [line(0)], "GPT": []})]), ["sft"])


BROKEN = [
    "{",
    "[]",
    "{}",
    json.dumps(line(1, judged=[["a"]])),
    json.dumps(line(1, judged=[["a", None, ""]])),
    json.dumps(line(1, judged=[[[1], None, ""]])),
    json.dumps(line(1, judged=None)),
    json.dumps(line(1, image=[{}])),
    json.dumps({**line(1), "invalid": None}),
    json.dumps(line(1, text=None)),
    json.dumps(line(1, entity=7)),
    json.dumps(line(0)),
]


def test_what_else_a_line_tells_of_the_question_comes_along(tmp_path: Path) -> None:
    rows = [line(0, gold="none", parsed="none", entity="Ann Lee")]
    (case,) = cases_of(write_run(tmp_path / "1", {"SFT": rows}))
    assert (case.fields, case.gold, case.labels) == ({"entity": "Ann Lee"}, (("none",),), ["none"])


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_line_is_named(tmp_path: Path, broken: str) -> None:
    fault = "(:2: not a line of predictions|: a sample stands there twice)"
    with pytest.raises(InputError, match=rf"sft\.jsonl{fault}; .*run again"):
        cases_of(write_run(tmp_path / "1", {"SFT": [line(0), broken]}))


@pytest.mark.parametrize(
    ("parsed", "truncated", "parts", "whole"),
    [
        ((ROME, OSLO), False, [(OSLO, OSLO, ""), (ROME, ROME, "")], "right"),
        ((), False, [(None, OSLO, "missed"), (None, ROME, "missed")], "wrong"),
        ((WRONG,), False, [(WRONG, OSLO, "wrong relation"), (None, ROME, "missed")], "wrong"),
        ((ROME, WRONG), False, [(ROME, ROME, ""), (WRONG, OSLO, "wrong relation")], "partly"),
        (
            (OSLO, ROME, Quintuple("a", "org", "b", "misc", "peer")),
            False,
            [
                (OSLO, OSLO, ""),
                (ROME, ROME, ""),
                (("a", "org", "b", "misc", "peer"), None, "invented"),
            ],
            "partly",
        ),
        (
            None,
            False,
            [(None, None, "invalid answer"), (None, OSLO, "missed"), (None, ROME, "missed")],
            "invalid answer",
        ),
        (
            None,
            True,
            [(None, None, "truncated"), (None, OSLO, "missed"), (None, ROME, "missed")],
            "truncated",
        ),
    ],
)
def test_quintuples_are_judged_one_by_one(
    parsed: Any, truncated: bool, parts: list[Any], whole: str
) -> None:
    found = answer(parsed, truncated=truncated)
    assert ([*found.judged], found.verdict) == (parts, whole)
    assert answer((), ()).verdict == "right"


@pytest.mark.parametrize(
    ("parsed", "gold", "part", "whole"),
    [
        (
            "/per/org/member_of",
            "/per/org/member_of",
            (("/per/org/member_of",), ("/per/org/member_of",), ""),
            "right",
        ),
        ("none", "none", (("none",), ("none",), ""), "right"),
        ("none", "/org/loc/locate_at", (("none",), ("/org/loc/locate_at",), "missed"), "wrong"),
        ("/org/loc/locate_at", "none", (("/org/loc/locate_at",), ("none",), "invented"), "wrong"),
        (None, "none", (None, ("none",), "invalid answer"), "invalid answer"),
    ],
)
def test_a_label_is_judged(parsed: str | None, gold: str, part: Any, whole: str) -> None:
    found = answer(parsed, gold)
    assert ([*found.judged], found.verdict) == ([part], whole)


@pytest.mark.parametrize(
    ("chain", "steps"),
    [
        (
            "Step 1: look at https://a.b/c Step 2 : say. no step",
            ["Step 1: look at https://a.b/c", "Step 2 : say. no step"],
        ),
        ("picture : a cake . link : it : goes .", ["picture : a cake .", "link : it : goes ."]),
        ("one\n\n  two\n", ["one", "two"]),
        ("", []),
    ],
)
def test_chains_are_cut_into_steps(chain: str, steps: list[str]) -> None:
    response = f"<think> {chain} </think> <answer> [] </answer>"
    assert answer((), response=response).steps == steps


def test_what_cannot_be_read_is_shown_as_it_came() -> None:
    formed = "<think> why </think> <answer> [x] </answer>"
    found = answer(None, response=formed)
    assert (found.verdict, found.steps, found.raw) == ("invalid answer", ["why"], "[x]")
    assert answer(None, response="<think> why").raw == "<think> why"
    assert answer((OSLO,), response=formed).raw == ""


def test_parts_are_marked() -> None:
    marks = [mark(part) for part in answer((WRONG,)).judged]
    right, wrong, missed = (" · ".join(part) for part in (OSLO, WRONG, ROME))
    assert marks == [f"✗ {wrong} → {right} (wrong relation)", f"∅ {missed} (missed)"]
    assert mark(answer((OSLO, ROME)).judged[0]) == f"✓ {right}"
    assert mark(answer(None).judged[0]) == "✗ invalid answer"


def test_thumbnails_are_small_and_know_the_size_of_the_original(tmp_path: Path) -> None:
    Image.effect_noise((1000, 600), 90).save(tmp_path / "photo.png")
    (tmp_path / "broken.png").write_bytes(b"x")
    photo, broken = Picture(tmp_path / "photo.png"), Picture(tmp_path / "broken.png")
    part = Picture(photo.path, (10, 20, 40, 200))
    outside = Picture(photo.path, (5000, 0, 6000, 50))
    given = [Picture(None), broken, outside, photo, part, photo]
    saved = save_thumbnails(given, tmp_path / "my book.html")
    assert saved == {
        photo: ("my%20book_pictures/4.jpeg", 1000, 600),
        part: ("my%20book_pictures/5.jpeg", 30, 180),
    }
    with Image.open(tmp_path / "my book_pictures" / "4.jpeg") as image:
        assert image.size == (512, 307)


def test_the_command_writes_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "there.png")  # the run was started in tmp_path
    run = write_run(
        tmp_path / "outputs" / "1",
        {"SFT": [line(0, image=["there.png"]), line(1, image=["gone.png"]), line(2)]},
    )
    out = tmp_path / "new" / "book.html"
    monkeypatch.setattr(
        sys, "argv", ["casebook", str(run), "--out", str(out), "--models", " SFT ,", "--limit", "2"]
    )
    main()
    told = capsys.readouterr()
    assert told.out == f"{out}: 2 samples, 1 systems, 1 pictures\n"
    text = out.read_text(encoding="utf-8")
    assert (text.count("<img"), text.count("gone.png is not here")) == (1, 1)


def test_bad_input_is_one_line_and_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        sys, "argv", ["casebook", str(tmp_path), "--out", str(tmp_path / "book.html")]
    )
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert (
        capsys.readouterr().err
        == f"error: {tmp_path}: no results.json there; give the folder of a run or of several\n"
    )
