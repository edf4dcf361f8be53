"""The case book in a browser, from the disk.

Nothing in a sample becomes code, and filters, keys and links lead where they should.
"""

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


@pytest.fixture(autouse=True)
def _with_a_browser() -> None:
    if browser() is None:
        pytest.skip("no chromium, chromium-browser or google-chrome here")


def write_page(
    folder: Path, models: dict[str, list[Any]], *, pictures: str | None = None, **changes: Any
) -> Path:
    write_casebook(
        [str(write_run(folder / "run", models, **changes))],
        folder / "book.html",
        models=[],
        limit=None,
        pictures=pictures,
    )
    return folder / "book.html"


def test_a_hostile_sample_is_shown_as_text(tmp_path: Path) -> None:
    chain = f"<think> Step 1: {HOSTILE}\nStep 2: done </think> <answer> {HOSTILE} </answer>"
    said = [HOSTILE, "per", "<b>Oslo</b>", "loc", "place of birth"]
    rows = [
        line(
            id=HOSTILE,
            text=HOSTILE,
            response=chain,
            gold=[GOLD, said, ["", "per", "", "per", ""]],
            parsed=None,
        )
    ]
    page = write_page(
        tmp_path,
        {"<i>SFT</i>": rows, "JMERE-R1": [{**rows[0], "parsed": [GOLD, said]}]},
        experiment=HOSTILE,
    )
    found = in_browser(
        page,
        """
        return {
          title: document.title, text: book.cases[0].text, tweet: one(".tweet").textContent,
          systems: all(".system"), runs: one("#runs").textContent, raw: one("pre").textContent,
          elements: document.querySelectorAll(".quintuple b, i, script[src], img").length,
          steps: all(".steps li").slice(-1),
        };
    """,
    )
    assert found["problems"] == []
    assert found["title"].endswith("– Case book")
    assert (found["text"], found["raw"]) == (HOSTILE, HOSTILE)
    assert found["tweet"] == f"{HOSTILE}\u00a0per"
    assert (found["elements"], found["systems"], found["steps"]) == (
        0,
        ["<i>SFT</i>", "JMERE-R1"],
        ["Step 2: done"],
    )
    assert found["runs"].startswith("<script>")


MANY = {
    "zero-shot": [line(number, parsed=None, response="[]") for number in range(4)],
    "SFT": [line(0), line(1, parsed=[WRONG]), line(2, parsed=[]), line(3)],
    "JMERE-R1": [
        line(0),
        line(1),
        line(2, parsed=[WRONG]),
        line(3, parsed=[GOLD, ["Ann Lee", "per", "Mars", "loc", "peer"]]),
    ],
}


def test_samples_are_marked(tmp_path: Path) -> None:
    found = in_browser(
        write_page(tmp_path, MANY),
        """
        const first = all(".card h3"), names = all(".tweet .name");
        key("n");
        const slips = all(".card u"), second = all(".card .answers li");
        key("n"); key("n");
        const invented = all(".card .answers li").slice(-1), signs = all("[aria-current] .sign");
        const steps = all(".steps")[0], raw = all("pre");
        return { first, names, slips, second, invented, signs, steps, raw };
    """,
    )
    assert found["problems"] == []
    assert found["first"] == ["⚠︎ zero-shot invalid answer", "✓ SFT right", "✓ JMERE-R1 right"]
    assert found["names"] == ["Ann Lee per", "Oslo loc"]
    assert found["slips"] == ["place of residence"]
    right, wrong = (
        "Ann Lee per — place of birth → Oslo loc",
        "Ann Lee per — place of residence → Oslo loc",
    )
    assert found["second"] == [
        "⚠︎ invalid answer",
        f"○ {right} missed",
        f"✗ {wrong} wrong relationgold: {right}",
        f"✓ {right}",
    ]
    assert found["invented"] == ["✗ Ann Lee per — peer → Mars loc invented"]
    assert found["signs"] == ["⚠︎", "✓", "◐"]
    assert (found["steps"], found["raw"]) == ("Step 1: look.Step 2: say 3.", ["[]"])


def test_filters_keys_and_links(tmp_path: Path) -> None:
    found = in_browser(
        write_page(tmp_path, MANY),
        """
        const place = () => one("[aria-current] .id").textContent;
        const here = () => `${place()} ${one("main .quiet").textContent} ${location.hash}`;
        const count = () => one("#count").textContent, log = [here()];
        const [ofZero, ofSft, ofJmere] = document.querySelectorAll("#by-system select");
        const reset = async () => { one("button[type=reset]").click(); await later(); };
        key("p"); log.push(here());
        key("n"); key("ArrowRight"); log.push(here());
        key("ArrowLeft"); key("p"); log.push(here());
        choose(one("#kind"), "wrong relation"); log.push(count(), here());
        await reset(); log.push(count());
        choose(one("#agreement"), "some right, some not"); log.push(count());
        choose(one("#agreement"), "none right"); log.push(here());
        await reset();
        choose(ofSft, "not right"); choose(ofJmere, "right"); log.push(count(), here());
        choose(ofZero, "invalid answer"); log.push(count());
        choose(one("#label"), "place of birth"); log.push(count());
        await reset();
        choose(one("#search"), "SAMPLE 3"); log.push(here());
        choose(one("#search"), "mars"); log.push(here());
        choose(one("#search"), "nowhere");
        log.push(count(), all("main"), all("#list li:not([hidden])").length);
        location.hash = "#test-2"; await later(); await later(); log.push(here());
        document.querySelectorAll("#list a")[1].click(); await later(); log.push(here());
        key("/"); log.push(document.activeElement.id); key("n", one("#search")); log.push(here());
        key("Escape", one("#search")); log.push(document.activeElement.id);
        key("?"); log.push(one("#help").open); key("n"); log.push(here());
        return { log, labels: all("#label option"), agreement: all("#agreement option") };
    """,
        anchor="#test-1",
    )
    assert found["problems"] == []
    assert found["labels"] == ["any", "place of birth (4)"]
    assert found["agreement"] == ["any", "some right, some not (3)", "none right (1)"]
    zero, one, two, three = (
        f"test-{number} {number + 1} of 4 #test-{number}" for number in range(4)
    )
    assert found["log"] == [
        one,
        zero,
        two,
        zero,
        "2 of 4 samples",
        "test-1 1 of 2 #test-1",
        "4 of 4 samples",
        "3 of 4 samples",
        "test-2 1 of 1 #test-2",
        "1 of 4 samples",
        "test-1 1 of 1 #test-1",
        "1 of 4 samples",
        "1 of 4 samples",
        "test-3 1 of 1 #test-3",
        "test-3 1 of 1 #test-3",
        "0 of 4 samples",
        ["No sample passes the filters."],
        0,
        two,
        one,
        "search",
        one,
        "",
        True,
        one,
    ]


@pytest.mark.parametrize("pictures", ["embed", "folder"])
def test_the_object_is_framed_and_shown(tmp_path: Path, pictures: str) -> None:
    path = tmp_path / "a picture.png"
    Image.new("RGB", (100, 50), "blue").save(path)
    changes = {
        "image": [str(path), {"path": str(path), "box": [25, -5, 50, 25]}],
        "gold": "/per/loc/place_of_birth",
        "entity": "Oslo",
    }
    rows = [
        line(**{**changes, "parsed": "/org/loc/locate_at"}),
        line(1, **{**changes, "parsed": "none", "image": ["gone.png", None]}),
    ]
    page = write_page(tmp_path, {"MORE-R1": rows}, task="more", pictures=pictures)
    found = in_browser(
        page,
        """
        const images = [...document.querySelectorAll("img")];
        await Promise.all(images.map((image) => image.decode()));
        const edges = (selector) => one(selector).getBoundingClientRect();
        const [image, box] = [edges(".frame"), edges(".box")];
        const inside = [box.left - image.left, box.top - image.top, box.width, box.height];
        const near = inside.map((edge) => Math.round(edge / 10) * 10);
        const items = all(".card .answers li"), slips = all("u"), names = all(".tweet .name");
        const snippet = one(".snippet").textContent;
        const sizes = images.map((image) => [image.naturalWidth, image.naturalHeight]);
        key("n");
        const frames = all(".frame"), missed = all(".card .answers li");
        return { sizes, near, items, slips, names, snippet, frames, missed };
    """,
    )
    assert found["problems"] == []
    assert found["sizes"] == [[100, 50], [25, 25]]
    assert found["near"] == [60, 0, 60, 60]
    assert found["items"] == ["✗ /org/loc/locate_at wrong typegold: /per/loc/place_of_birth"]
    assert (found["slips"], found["names"]) == (["org", "locate_at"], ["Oslo entity"])
    assert found["snippet"] == "Oslo: Ann Lee of Oslo, sample 0"
    assert found["frames"] == ["not there: gone.png", "blank"]
    assert found["missed"] == ["○ none missedgold: /per/loc/place_of_birth"]


def test_500_samples_of_4_models_open_in_2_seconds(tmp_path: Path) -> None:
    chain = "Step 1: " + "a long look at all of it . " * 100
    models = {
        name: [
            line(number, response=f"<think> {chain} {name} {number} </think> <answer> [] </answer>")
            for number in range(500)
        ]
        for name in ("zero-shot", "SFT", "CoT-SFT", "JMERE-R1")
    }
    page = write_page(tmp_path, models)
    found = in_browser(
        page,
        """
        document.body.offsetHeight;
        return { ms: performance.now(), rows: all("#list li").length };
    """,
        options=(),
    )
    print(f"\n{page.stat().st_size / 2**20:.1f} MB open in {found['ms']:.0f} ms")
    assert page.stat().st_size < 15 * 2**20
    assert (found["rows"], found["problems"]) == (500, [])
    assert found["ms"] < 2000
