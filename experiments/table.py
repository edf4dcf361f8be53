"""Prints a Markdown table of toy results: mean and standard deviation of test F1 over seeds.

    python experiments/table.py [experiments/results/toy]
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "experiments/results/toy")
    scores: dict[str, dict[str, list[tuple[int, float, float]]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(folder.glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        for model, metrics in found["models"].items():
            if "test/relation" in metrics:
                pair = metrics["test/relation"]["f1"], metrics["test/relation"]["accuracy"]
            else:
                pair = metrics["test/quintuple"]["f1"], metrics["test/entity"]["f1"]
            scores[found["experiment"]][model].append((found["seed"], *pair))
    print("| experiment | model | seeds | F1 | per seed | entity F1, MORE: accuracy |\n|---|---|---|---|---|---|")
    for experiment, models in scores.items():
        for model, rows in models.items():
            seeds, f1, other = zip(*sorted(rows), strict=True)
            each = " ".join(f"{100 * value:.1f}" for value in f1)
            print(f"| {experiment} | {model} | {', '.join(map(str, seeds))} | {_spread(f1)} | {each} | {_spread(other)} |")


def _spread(values: tuple[float, ...]) -> str:
    sd = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{sd}"


if __name__ == "__main__":
    main()
