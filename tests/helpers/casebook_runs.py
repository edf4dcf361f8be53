"""Runs with predictions for the case book's tests, and its page in a browser without a window."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from helpers.results import results_of
from mmie.files import slug
from mmie.results import write_results
from mmie.tasks.jmere.errors import judge_quintuples
from mmie.tasks.more.errors import judge_label
from mmie.types import Judged

GOLD = ["Ann Lee", "per", "Oslo", "loc", "place of birth"]
WATCH = """
window.problems = [];
const note = (event) => problems.push(`${event.type} ${event.message}`);
for (const kind of ["error", "securitypolicyviolation"]) addEventListener(kind, note);
"""
REPORT = """(async () => {
  const pressed = (key) => new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
  const key = (name, target = document.body) => target.dispatchEvent(pressed(name));
  const later = () => new Promise((go) => setTimeout(go, 20));
  const words = (element) => element.textContent.replace(/\\s+/g, " ").trim();
  const all = (selector) => [...document.querySelectorAll(selector)].map(words);
  const choose = (select, value) => {
    select.value = value;
    select.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const one = (selector) => document.querySelector(selector);
  const result = await (async () => { %s })();
  const made = document.createElement("pre");
  made.id = "result";
  made.textContent = encodeURIComponent(JSON.stringify({ ...result, problems }));
  // Only the result: the rest may hold lone surrogates, which --dump-dom cannot write.
  document.documentElement.replaceChildren(made);
})()"""


def line(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A line of predictions, right unless ``changes`` say otherwise."""
    row = {
        "id": f"test-{number}",
        "text": f"Ann Lee of Oslo, sample {number}",
        "image": [None],
        "gold": [GOLD],
        "response": f"<think> Step 1: look. Step 2: say {number}. </think> <answer> [] </answer>",
        "truncated": False,
        "parsed": [GOLD],
        "invalid": 0,
        **changes,
    }
    return {"judged": judged(row), **row}


def judged(row: Mapping[str, Any]) -> list[Judged]:
    """The parts of the answer in a line of predictions, by the task that its gold is of."""
    parsed, gold, truncated = row["parsed"], row["gold"], row["truncated"]
    if isinstance(gold, str):
        return [judge_label(parsed, gold, truncated=truncated)]
    return judge_quintuples(parsed, gold, truncated=truncated, invalid=row["invalid"])


def write_run(folder: Path, models: Mapping[str, Sequence[Any]], **changes: Any) -> Path:
    """A run with predictions of each system; a line may be text. Returns its folder."""
    changes = {"commit": "abcdef012", **changes}
    results = results_of(systems={name: {} for name in models}, **changes)
    (folder / "predictions").mkdir(parents=True)
    write_results(folder / "results.json", results)
    for name, rows in models.items():
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (folder / "predictions" / f"{slug(name)}.jsonl").write_text(
            "".join(f"{text}\n" for text in lines)
        )
    return folder


@functools.cache
def browser() -> str | None:
    """A browser that is installed and starts."""
    for name in filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        done = subprocess.run([name, "--version"], capture_output=True, check=False)
        if done.returncode == 0:
            return name
    return None


def in_browser(
    page: Path,
    body: str,
    *,
    anchor: str = "",
    options: Sequence[str] = ("--virtual-time-budget=30000",),
) -> dict[str, Any]:
    """Opens the page and runs the body of an async function at its end.

    Returns:
        What the function returns, and under ``problems`` what went wrong on the page. The page's
        policy stays, with the hashes of the two test scripts added.
    """
    program = browser()
    assert program is not None
    report = REPORT % body
    hashes = f"{_hash(WATCH)} {_hash(report)}"
    text = page.read_text(encoding="utf-8").replace("script-src ", f"script-src {hashes} ", 1)
    text = text.replace("<title>", f"<script>{WATCH}</script><title>", 1).replace(
        "</body>", f"<script>{report}</script></body>", 1
    )
    copy = page.with_name("opened.html")
    copy.write_text(text, encoding="utf-8")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={page.parent / 'browser'}",
        *options,
        "--dump-dom",
    ]
    done = subprocess.run(
        [program, *flags, copy.as_uri() + anchor],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = re.search(r'<pre id="result">(.*?)</pre>', done.stdout)
    assert found, f"the page's script did not end: {done.stdout[-300:]}"
    return json.loads(unquote(found[1]))


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
