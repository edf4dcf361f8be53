"""docs/metrics.md explains every logged value and every key of results.json, and nothing else."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from pathlib import Path

from mmie import results
from mmie.tasks.jmere.rewards import JMEREReward
from mmie.tasks.more.rewards import MOREReward

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
EXPLAINED = {name for cell in ROWS for name in re.findall(r"`(.*?)`", cell)}
ELSEWHERE = {results.Settings, results.Node, results.GRPOSettings, results.EvaluationSettings}


def test_every_logged_value_is_explained() -> None:
    folder = ROOT / "src" / "mmie" / "training"
    source = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    logged = set(re.findall(r'"((?:train|val|seconds)/\w+)"', source))
    timed = re.findall(r'self\.(?:phase|_add_seconds)\("(\w+)"', source)
    phases = {f"seconds/{name}" for name in timed}
    parts = {
        **JMEREReward(alpha=0, beta=0)("", None, [], "", ""),
        **MOREReward(threshold=1, unit="words", steps=6)("", None, "none", "", ""),
    }
    assert len(logged) >= 9
    assert len(phases) == 4
    logged |= phases | {f"train/{name}" for name in (*parts, "invalid", "truncated")}
    prefixes = ("train/", "val/", "seconds/")
    assert logged == {name for name in EXPLAINED if name.startswith(prefixes)}


def test_every_key_of_the_results_is_explained() -> None:
    kinds = [kind for kind in vars(results).values() if is_dataclass(kind)]
    keys = {field.name for kind in kinds if kind not in ELSEWHERE for field in fields(kind)}
    assert {"systems", "macro_f1", "made_in", "dollars", "curves"} <= keys
    assert keys <= EXPLAINED
