"""What predict is asked and how it answers: one question, or a file of them."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from helpers.configured import run_config
from mmie.artifacts import Store
from mmie.errors import InputError
from mmie.stages import deliver, predict
from mmie.stages.context import Context
from mmie.stages.delivered import Delivered
from mmie.stages.questions import questions
from mmie.tasks.jmere import task as jmere
from mmie.tasks.more import task as more
from mmie.tasks.responses import Direct
from mmie.types import Picture, Responded

JMERE = jmere.JMERE(types=["per"], relations={"peer": ["per-per"]}, response=Direct())
MORE = more.MORE(labels=["/per/per/peer"], response=Direct())
THOUGHT = f"<think> {'very ' * 60}:100: [bold]sure[/bold] </think>"
LONG = f"{THOUGHT} <answer> [A, per, B, per, peer] </answer>"


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "my pic=1.png"
    Image.new("RGB", (40, 20), "red").save(path)
    return str(path)


def asked(**values: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("file", "image", "text", "entity", "box", "adapter"))
    return {**nothing, **values}


def lines(folder: Path, *rows: Any) -> str:
    path = folder / "tweets.jsonl"
    texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(texts), encoding="utf-8")
    return str(path)


def test_one_question_is_checked_as_the_data_are(picture: str) -> None:
    (found,) = questions(asked(text=" two\n\tlines ", image=picture), JMERE).examples
    assert (found.id, found.text, found.pictures) == (
        "predict",
        "two lines",
        (Picture(Path(picture)),),
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": None}, "predict.text: the stage predict needs it"),
        ({"text": "  "}, "predict.text is blank"),
        ({"text": "caf\udce9"}, "predict.text holds a byte that is not UTF-8"),
        ({"image": "nowhere.png"}, "predict.image=nowhere.png: no readable picture"),
        ({"image": __file__}, f"predict.image={__file__}: no readable picture"),
        ({"entity": None}, "predict.entity: the stage predict needs it"),
        ({"box": None}, "predict.box: the stage predict needs it"),
        ({"box": [40, 0, 90, 20]}, "predict.box: [40, 0, 90, 20] holds no pixel of the picture"),
        ({"box": [0, 0, 9]}, "predict.box: [0, 0, 9] is no left, upper, right, lower"),
        ({"file": "-"}, "predict.image: predict.file brings its own"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(
    picture: str, change: dict[str, Any], message: str
) -> None:
    good = {"text": "x", "image": picture, "entity": "x", "box": [0, 0, 9, 9]}
    assert questions(asked(**good), MORE).examples
    with pytest.raises(InputError) as caught:
        questions(asked(**{**good, **change}), MORE)
    assert str(caught.value).startswith(message)


TWEETS = [
    "I can't \"quote\" 'this', ok",
    "RT @user: see https://t.co/abc = #1, {x} ${y} [1,2] null",
    "caf\u00e9\u2028\U0001f602",
]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_holds_any_text(tmp_path: Path, picture: str, end: str) -> None:
    rows = [{"text": tweet, "image": picture, "label": "unused"} for tweet in TWEETS]
    texts = [json.dumps({"id": "a7", **rows[0]}), "", *map(json.dumps, rows[1:])]
    (tmp_path / "tweets.jsonl").write_bytes(end.join(texts).encode())
    found = questions(asked(file=str(tmp_path / "tweets.jsonl")), JMERE)
    assert [example.id for example in found.examples] == ["a7", "3", "4"]
    expected = [*TWEETS[:2], "caf\u00e9 \U0001f602"]
    assert [example.text for example in found.examples] == expected
    assert found.unused == {"label": 3}


def test_a_picture_lies_beside_the_file_or_where_the_command_runs(
    tmp_path: Path, picture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data/pictures").mkdir(parents=True)
    beside = tmp_path / "data/pictures/a.png"
    shutil.copy(picture, beside)
    rows = [{"text": "x", "image": "pictures/a.png"}, {"text": "x", "image": Path(picture).name}]
    file = lines(tmp_path / "data", *rows)
    monkeypatch.chdir(tmp_path)
    found = questions(asked(file=file), JMERE).examples
    assert [example.pictures[0].path for example in found] == [beside, Path(Path(picture).name)]


def test_all_bad_lines_are_counted_and_the_first_is_named(tmp_path: Path, picture: str) -> None:
    good, bad = {"text": "x", "image": picture}, {"text": "x", "image": "nowhere.png"}
    file = lines(tmp_path, good, bad, "{", good, bad)
    with pytest.raises(InputError, match=r"tweets\.jsonl:2: image.*\(bad lines in all: 3\)$"):
        questions(asked(file=file), JMERE)


def test_more_asks_for_entity_and_box(tmp_path: Path, picture: str) -> None:
    row = {"id": 1, "text": "x", "image": picture, "entity": "Ann  Lee", "box": [1, 2, 3, 4]}
    (found,) = questions(asked(file=lines(tmp_path, row)), MORE).examples
    assert found.extra == {"entity": "Ann Lee", "id": 1}
    assert found.pictures[1].box == (1, 2, 3, 4)


def test_standard_input_is_a_file(picture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    line = json.dumps({"text": "x", "image": picture}).encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(line)))
    assert [example.text for example in questions(asked(file="-"), JMERE).examples] == ["x"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "2: no JSON in UTF-8"),
        ("[" * 100_000, "2: no JSON in UTF-8"),
        ("[1]", "2: no JSON object"),
        ({"image": "p"}, "2: text: the stage predict needs it"),
        ({"txt": 1, "image": "p"}, "2: text: the stage predict needs it; give it there (not asked"),
        ({"text": 7, "image": "p"}, "2: text: 7 is no text"),
        ({"text": " ", "image": "p"}, "2: text is blank"),
        ('{"text": "\\ud83d", "image": "p"}', "2: text holds half a character"),
        ({"text": "x"}, "2: image: the stage predict needs it"),
        ({"text": "x", "image": ["p"]}, "2: image=['p']: no readable picture"),
        ({"text": "x", "image": "nowhere.png"}, "2: image=nowhere.png: no readable picture"),
        ({"id": "1", "text": "x", "image": "p"}, "2: id: '1' stands twice"),
        ({"id": [1], "text": "x", "image": "p"}, "2: id: [1] is neither text nor a whole number"),
        ({"id": True, "text": "x", "image": "p"}, "2: id: True is neither text nor"),
        ('{"id": NaN, "text": "x", "image": "p"}', "2: id: nan is neither text nor"),
        ('{"id": "\\ud83d", "text": "x", "image": "p"}', "2: id holds half a character"),
    ],
)
def test_a_bad_line_is_refused_with_its_place(
    tmp_path: Path, picture: str, row: Any, message: str
) -> None:
    text = row if isinstance(row, str) else json.dumps(row)
    shown = json.dumps(picture)
    file = lines(tmp_path, {"text": "x", "image": picture}, text.replace('"p"', shown))
    with pytest.raises(InputError) as caught:
        questions(asked(file=file), JMERE)
    assert str(caught.value).replace(picture, "p").startswith(f"{file}:{message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_a_file_without_a_question_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "empty.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=r"^predict\.file=.*empty\.jsonl: no line in it"):
        questions(asked(file=str(tmp_path / "empty.jsonl")), JMERE)
    with pytest.raises(InputError, match=r"^predict\.file=.*: cannot be read"):
        questions(asked(file=str(tmp_path)), JMERE)


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``answer(*overrides)`` lets a model that says LONG predict; returns the batches' sizes.

    With ``fails_at`` the model ends the run in that batch, counted from 0.
    """
    batches: list[int] = []
    last: list[int | None] = [None]

    def respond(policy: Any, task: Any, examples: Any, **_: Any) -> list[Responded]:
        if len(batches) == last[0]:
            raise KeyboardInterrupt
        batches.append(len(examples))
        return [Responded(LONG, truncated=False) for _ in examples]

    def taken(context: Context) -> Delivered:
        return Delivered(Path("none"), context.config.predict["adapter"] or "key", context.reasoned)

    monkeypatch.setattr(Delivered, "load", lambda self, context: None)
    monkeypatch.setattr(predict, "delivered", taken)
    monkeypatch.setattr(deliver, "check_adapter", lambda context: None)
    monkeypatch.setattr("mmie.training.generate.respond", respond)
    monkeypatch.setattr(Context, "policy", SimpleNamespace(forgetting=contextlib.nullcontext))

    def run(*overrides: str, fails_at: int | None = None) -> list[int]:
        batches.clear()
        last[0] = fails_at
        config = run_config("stages=[predict]", *overrides)
        context = Context(config, Store(tmp_path / "artifacts"), tmp_path)
        deliver.check(context)
        deliver.predict(context)
        return [*batches]

    return run


def test_the_response_is_printed_as_it_is(
    answer: Any, tmp_path: Path, picture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(f"predict.image='{picture}'", "predict.text='Ann Lee'")
    assert capsys.readouterr().out == f"{LONG}\nA · per · B · per · peer\n"
    written = json.loads((tmp_path / "prediction.json").read_text(encoding="utf-8"))
    assert written == {
        "text": "Ann Lee",
        "response": LONG,
        "parsed": [["A", "per", "B", "per", "peer"]],
        "invalid": 0,
    }


def test_many_questions_are_answered_in_batches(
    answer: Any, tmp_path: Path, picture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = lines(tmp_path, *({"id": n, "text": f"tweet {n}", "image": picture} for n in range(5)))
    assert answer(f"predict.file='{file}'", "evaluation.batch_size=2") == [2, 2, 1]
    written = (tmp_path / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in written]
    assert [row["id"] for row in rows] == [0, 1, 2, 3, 4]
    assert rows[3]["text"] == "tweet 3"
    assert rows[3]["image"] == [picture]
    assert (rows[3]["response"], rows[3]["truncated"]) == (LONG, False)
    assert rows[3]["parsed"] == [["A", "per", "B", "per", "peer"]]
    assert f"predictions: {tmp_path / 'predictions.jsonl'}\n" in capsys.readouterr().out


def test_a_killed_run_goes_on_and_another_file_is_answered_anew(
    answer: Any, tmp_path: Path, picture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"id": f"n{n}", "text": f"tweet {n}", "image": picture} for n in range(5)]
    settings = (f"predict.file='{lines(tmp_path, *rows)}'", "evaluation.batch_size=2")
    with pytest.raises(KeyboardInterrupt):
        answer(*settings, fails_at=1)
    assert not (tmp_path / "predictions.jsonl").exists()
    (begun,) = (tmp_path / "artifacts/predict").glob("*.partial/predictions.jsonl")
    assert str(begun) in capsys.readouterr().out
    assert len(begun.read_text().splitlines()) == 2
    with begun.open("a") as file:
        file.write('{"id": "n2", "resp')  # torn by the kill
    assert answer(*settings) == [2, 1]
    assert "2 of 5 answers are there already\n" in capsys.readouterr().out
    written = (tmp_path / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in written] == ["n0", "n1", "n2", "n3", "n4"]
    assert answer(*settings) == []
    assert answer(*settings, "evaluation.batch_size=3") == []
    lines(tmp_path, *rows[:3], {**rows[3], "text": "another tweet"}, rows[4])
    assert answer(*settings) == [2, 2, 1]
    assert answer(*settings, "predict.adapter=other") == [2, 2, 1]
    assert answer(*settings, "evaluation.temperature=0") == [2, 2, 1]


def test_keys_that_the_task_does_not_ask_for_are_named(
    answer: Any, tmp_path: Path, picture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"text": "x", "image": picture, "lang": "en"}
    answer(f"predict.file='{lines(tmp_path, row, {**row, 'likes': 3})}'")
    assert "not used: lang (2 lines), likes (1 line)" in capsys.readouterr().out


def test_a_bad_line_is_refused_before_anything_is_trained(answer: Any, tmp_path: Path) -> None:
    file = lines(tmp_path, {"text": "x", "image": "nowhere.png"})
    with pytest.raises(InputError, match=r"tweets\.jsonl:1: image=nowhere\.png"):
        answer(f"predict.file='{file}'")
    assert not (tmp_path / "predictions.jsonl").exists()


@pytest.mark.parametrize("stages", ["[predict]", "[data,export]"])
def test_nothing_is_trained_unasked(tmp_path: Path, picture: str, stages: str) -> None:
    question = (f"predict.image='{picture}'", "predict.text=x")
    config = run_config(f"stages={stages}", *question, "data.sizes={train: 3, val: 2, test: 2}")
    context = Context(config, Store(tmp_path / "artifacts"), tmp_path)
    asked = stages.strip("[]").removeprefix("data,")
    message = rf"^stages: .* grpo is not finished .*'stages=\[grpo,{asked}\]'"
    with pytest.raises(InputError, match=message):
        deliver.check(context)
    config.stages = ["grpo", asked]
    deliver.check(context)


@pytest.mark.parametrize("stages", ["[predict]", "[evaluate,predict]", "[export]"])
def test_an_adapter_that_is_not_there_is_refused_before_anything_is_trained(
    tmp_path: Path, picture: str, stages: str
) -> None:
    question = (f"predict.image='{picture}'", "predict.text=x")
    config = run_config(f"stages={stages}", f"predict.adapter={tmp_path}/none", *question)
    with pytest.raises(InputError, match="none: no whole adapter there"):
        deliver.check(Context(config, Store(tmp_path / "artifacts"), tmp_path))
