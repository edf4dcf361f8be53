"""Files of runs, mutated at random: every reader copes, or refuses in one line with the file."""

from __future__ import annotations

import csv
import json
import random
import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from helpers.casebook_runs import line, write_run
from helpers.results import ANALYSIS, SCORES, VOTING, results_of
from mmie.errors import InputError
from mmie.files import parse_json
from mmie.reporting.casebook.__main__ import page as casebook_page
from mmie.reporting.casebook.answers import read_models
from mmie.reporting.casebook.cases import merged
from mmie.reporting.figures import drawings
from mmie.reporting.formats import csv_text, latex, markdown
from mmie.reporting.runs import load_runs
from mmie.reporting.share_page import page as share_page
from mmie.reporting.sweep import as_csv, as_markdown, load_jobs, score_table
from mmie.reporting.tables import tables
from mmie.results import StageRecord, write_results

CONFIG = {
    "model": {"_target_": "x", "path": "y"},
    "filter": {"rule_score": {"threshold": 0.5}},
    "grpo": {"group_size": 2},
}
ODD = [
    None,
    True,
    0,
    -1,
    1.5,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\ud800",
    "\0",
    "x" * 5000,
    "../../x",
    [],
    [[]],
    [1],
    ["a", "b"],
    {},
    {"a": 1},
    {"": None},
    [None],
    [[1, 2], [3]],
    {"f1": "x"},
    {"_target_": 1},
]
BYTES = [
    b"",
    b"\xff",
    b"\0",
    b"\n",
    b"{",
    b"[" * 60,
    b'"',
    b",",
    b"1e999",
    b"NaN",
    b"\xef\xbb\xbf",
    b"\r",
    b"<",
    b"null",
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with everything that a reader may look at, and a sweep of it."""
    root = tmp_path_factory.mktemp("whole")
    systems = {"warm-up": [line(0), line(1, parsed=None)], "JMERE-R1": [line(0), line(1)]}
    run = write_run(root / "0", systems, commit="c" * 40)
    results = results_of(
        systems=dict.fromkeys(systems, {"test/quintuple": SCORES, "test/entity": SCORES}),
        analysis=dict.fromkeys(systems, ANALYSIS),
        voting=dict.fromkeys(systems, VOTING),
        stages={"grpo": StageRecord(seconds=1.0, made_in=1.0, cached=False, key="a")},
        chains={"distilled": 4, "rule_score": 2, "samples": 2},
        config=CONFIG,
    )
    write_results(run / "results.json", results)
    (run / "metrics").mkdir()
    (run / "metrics" / "grpo.csv").write_text(
        "step,name,value\n0,train/reward,1\n1,train/reward,2\n1,val/f1,0.5\n"
    )
    rollout = {
        "step": 0,
        "id": "a",
        "image": [],
        "text": "t",
        "response": "r",
        "reward": 1.0,
        "r_q": 1,
        "advantage": 0.5,
    }
    (run / "rollouts.jsonl").write_text(
        "".join(f"{json.dumps({**rollout, 'step': step})}\n" for step in (0, 0, 1))
    )
    (root / "jobs").mkdir()
    job = {
        "job": 0,
        "overrides": ["+a=1"],
        "folder": str(run),
        "seconds": 1.0,
        "validation_f1": 0.5,
        "error": None,
    }
    (root / "jobs" / "0.json").write_text(json.dumps(job))
    (root / "jobs" / "1.json").write_text(
        json.dumps({**job, "job": 1, "overrides": ["+a=2"], "error": "x", "validation_f1": None})
    )
    return root


def as_tables(root: Path) -> None:
    runs = load_runs([root])
    for table in tables(runs):
        markdown(table), csv_text(table), latex(table)


def as_figures(root: Path) -> None:
    with mpl.rc_context({"figure.max_open_warning": 0}):
        drawings(load_runs([root]))


def as_shared(root: Path) -> None:
    runs = load_runs([root])
    share_page("Results", runs, tables=tables(runs), figures=[]).encode(
        errors="backslashreplace"
    )  # as it is written


def as_casebook(root: Path) -> None:
    models = read_models(load_runs([root]))
    casebook_page(models, merged(models), {}).encode(errors="backslashreplace")


def as_sweep(root: Path) -> None:
    jobs = load_jobs(root)
    as_csv(jobs), as_markdown(jobs, figure=False), score_table(jobs)


READERS: dict[str, list[Callable[[Path], None]]] = {
    "0/results.json": [as_tables, as_figures, as_shared, as_sweep],
    "0/predictions/jmere-r1.jsonl": [as_casebook],
    "0/rollouts.jsonl": [as_shared],
    "0/metrics/grpo.csv": [as_figures],
    "jobs/0.json": [as_sweep],
}
TIMES = {"0/results.json": 40, "0/metrics/grpo.csv": 20}  # each draws all figures


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a tree."""
    entries = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, entry in entries:
        yield value, key
        yield from places(entry)


def mutated_value(value: Any, chance: random.Random) -> str:
    """The JSON with one part of it replaced, removed, or under another name."""
    made = deepcopy(value)
    container, key = chance.choice([*places(made)])
    what = chance.randrange(4)
    if what == 0:
        del container[key]
    elif what == 1 and isinstance(container, dict):
        container[chance.choice(["", "x", "../y", "a\nb"])] = container.pop(key)
    else:
        container[key] = chance.choice(ODD)
    return json.dumps(made)


def mutated(text: bytes, name: str, chance: random.Random) -> bytes:
    """A file that is cut, has bytes put in, or, where it is JSON, one part changed."""
    if chance.random() < 0.25:
        place = chance.randrange(len(text))
        return text[:place] + chance.choice(BYTES) + text[place + chance.randrange(3) * len(text) :]
    if name.endswith(".csv"):
        rows = [row.split(",") for row in text.decode().splitlines()]
        row = chance.choice(rows)
        row[chance.randrange(len(row))] = chance.choice(
            ["", "nan", "inf", "-1", "9" * 5000, '"', "a\nb", "1,2", "\0", "1e400", "9" * 300]
        )
        return "\n".join(",".join(row) for row in rows).encode()
    if name.endswith(".jsonl"):
        lines = text.decode().splitlines()
        place = chance.randrange(len(lines))
        lines[place] = mutated_value(json.loads(lines[place]), chance)
        return "\n".join(lines).encode()
    return mutated_value(json.loads(text), chance).encode()


def answer(reader: Callable[[Path], None], root: Path) -> str:
    """The message of a refusal; empty where the reader was content."""
    try:
        reader(root)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", READERS)
def test_every_reader_answers_in_one_line(whole: Path, tmp_path: Path, name: str) -> None:
    chance = random.Random(name)
    root = Path(shutil.copytree(whole, tmp_path / "runs"))
    text = (whole / name).read_bytes()
    for reader in READERS[name]:
        reader(root)
    refused = 0
    for _ in range(TIMES.get(name, 200)):
        (root / name).write_bytes(mutated(text, name, chance))
        for reader in READERS[name]:
            refusal = answer(reader, root)
            refused += bool(refusal)
            if refusal:
                assert refusal.startswith(str(root)), refusal
                assert "\n" not in refusal
                assert "; " in refusal
    assert refused > TIMES.get(name, 200) / 20


def test_the_csv_module_is_no_trap(whole: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(whole, tmp_path / "runs"))
    (root / "0/metrics/grpo.csv").write_text(
        f"step,name,value\n0,{'x' * (csv.field_size_limit() + 1)},1\n"
    )
    with pytest.raises(InputError, match=r"grpo\.csv:1: not step,name,value"):
        as_figures(root)


def test_nesting_is_no_trap(whole: Path, tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(deep)
    for name, readers in READERS.items():
        if not name.endswith(".csv"):
            root = Path(shutil.copytree(whole, tmp_path / name.replace("/", "-")))
            (root / name).write_text(deep)
            with pytest.raises(InputError, match=name):
                readers[0](root)
