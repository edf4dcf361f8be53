"""The case book in a browser, from the disk: nothing in a sample becomes code, and filters work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from helpers.casebook_runs import GOLD, browser, in_browser, line, write_run
from mmie.reporting.casebook.__main__ import write_casebook

pytestmark = pytest.mark.slow

WRONG = [*GOLD[:4], "place of residence"]
TAKEN = "document.title='taken'"
HOSTILE = (
    f'<script>{TAKEN}</script></script><!--<img src=x onerror="{TAKEN}">'
    " Ann Lee \0 \ud800 &amp; Oslo \u2028 é"
)
MANY = {
    "zero-shot": [line(number, parsed=None, response="[]") for number in range(4)],
    "SFT": [line(0), line(1, parsed=[WRONG]), line(2, parsed=[]), line(3)],
    "JMERE-R1": [line(0), line(1), line(2, parsed=[WRONG])],
}


@pytest.fixture(autouse=True)
def _with_a_browser() -> None:
    if browser() is None:
        pytest.skip("no chromium, chromium-browser or google-chrome here")


def write_page(folder: Path, models: dict[str, list[Any]], **changes: Any) -> Path:
    run = write_run(folder / "run", models, **changes)
    write_casebook([str(run)], folder / "book.html")
    return folder / "book.html"


def test_a_hostile_sample_is_shown_as_text(tmp_path: Path) -> None:
    said = [HOSTILE, "per", "<b>Oslo</b>", "loc", "<i>place</i>"]
    row = line(id=HOSTILE, text=HOSTILE, response=HOSTILE, gold=[GOLD, said], parsed=None)
    models = {"<i>SFT</i>": [row], "JMERE-R1": [{**row, "parsed": [said]}]}
    found = in_browser(
        write_page(tmp_path, models, experiment=HOSTILE),
        """
        return {
          title: document.title, text: one(".text").textContent, raw: one("pre").textContent,
          made: document.querySelectorAll("main script, i, details b b, img").length,
          labels: all("option"),
        };
    """,
    )
    assert (found["problems"], found["title"], found["made"]) == ([], "Case book", 0)
    shown = HOSTILE.replace("\0", "\\u0000").replace("\ud800", "\\ud800")
    assert (found["text"], found["raw"]) == (shown, shown)
    assert "<i>place</i> (1)" in found["labels"]


def test_filters_and_search(tmp_path: Path) -> None:
    found = in_browser(
        write_page(tmp_path, MANY),
        """
        const [label, zero, sft, jmere] = document.querySelectorAll("select");
        const pick = (select, text) => {
          const options = [...select.options];
          choose(select, options.find((option) => option.textContent.startsWith(text)).value);
        };
        const log = [], shown = () => log.push(all("details:not([hidden]) summary .quiet").join());
        shown();
        pick(sft, "wrong ("); shown();
        pick(jmere, "right"); shown();
        pick(jmere, "any"); pick(sft, "missed"); shown();
        pick(sft, "any"); pick(jmere, "no answer"); shown();
        pick(jmere, "any"); choose(one("input"), "SAMPLE 2"); shown();
        choose(one("input"), "nowhere"); shown();
        return { log, count: all("#count"), label: all("select")[0] };
    """,
    )
    assert (found["problems"], found["count"]) == ([], ["0 of 4 samples"])
    assert found["label"] == "any place of birth (4)"
    every = "test-0,test-1,test-2,test-3"
    assert found["log"] == [every, "test-1,test-2", "test-1", "test-2", "test-3", "test-2", ""]


def test_the_object_is_framed_and_shown(tmp_path: Path) -> None:
    path = tmp_path / "a picture.png"
    Image.new("RGB", (100, 50), "blue").save(path)
    image = [str(path), {"path": str(path), "box": [25, -5, 50, 25]}]
    gold = "/per/loc/place_of_birth"
    rows = [line(image=image, gold=gold, parsed="/org/loc/locate_at", entity="Oslo")]
    found = in_browser(
        write_page(tmp_path, {"MORE-R1": rows}, task="more"),
        """
        one("details").open = true;
        const images = [...document.querySelectorAll("img")];
        for (const image of images) image.loading = "eager";
        await Promise.all(images.map((image) => image.decode()));
        const edges = (selector) => one(selector).getBoundingClientRect();
        const [image, box] = [edges("img"), edges(".box")];
        const inside = [box.left - image.left, box.top - image.top, box.width, box.height];
        const sizes = images.map((image) => [image.naturalWidth, image.naturalHeight]);
        return { inside, sizes, marks: all("section .wrong"), fields: all("details > p") };
    """,
    )
    assert (found["problems"], found["sizes"]) == ([], [[100, 50], [25, 25]])
    assert found["inside"] == pytest.approx([25, -5, 25, 30], abs=1)
    assert found["marks"] == [f"✗ /org/loc/locate_at → {gold} (wrong type)"]
    assert "entity Oslo" in found["fields"]


def test_many_samples_are_one_list_with_one_script(tmp_path: Path) -> None:
    models = {name: [line(number) for number in range(500)] for name in ("SFT", "JMERE-R1")}
    text = write_page(tmp_path, models).read_text(encoding="utf-8")
    assert (text.count("<details"), text.count("<script")) == (500, 1)
