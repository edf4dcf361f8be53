"""The paper profile from its data to its results: killed in GRPO, resumed, and compared.

Two updates of SFT and two of GRPO, on the generated world and with its teacher, because neither
data nor a paid teacher is at hand. The model has the 7B model's width and vocabulary and a few of
its layers, so that its folder is written and loaded in seconds.
"""

from __future__ import annotations

import csv
import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from mmie.bench.gpu.model import RandomWeights, write_folder
from mmie.bench.gpu.notes import Notes
from mmie.bench.gpu.size import TOY, Size
from mmie.errors import InputError
from mmie.resolvers import CONF

OVERRIDES = (
    "data=jmere_toy data.sizes.train=4 data.sizes.val=2 data.sizes.test=2 teacher=jmere_toy "
    "reward._target_=mmie.bench.gpu.reward.TextReward "
    "~reward.alpha ~reward.beta ~reward.invalid_zeroes "
    "sft.epochs=1 sft.batch_size=2 sft.validations=1 "
    "grpo.epochs=1 grpo.prompts_per_step=2 grpo.validations=1 grpo.checkpoint_every=1 "
    "grpo.max_new_tokens=96 grpo.lr=1e-4 "
    "evaluation.max_new_tokens=16 zero_shot.systems=[] logger=none"
).split()
POLL = 0.01  # seconds between two looks for the resume point
MADE_ANEW = ("grpo", "evaluate")


def run(size: Size, notes: Notes) -> None:
    """One run that is killed after GRPO's first update, the same command again, and one in peace.

    Raises:
        InputError: a run fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        runs = Runs(size, Path(scratch))
        notes.add(model=runs.make_model())
        killed, peaceful = Path(scratch, "killed"), Path(scratch, "peaceful")
        notes.add(killed_seconds=runs.kill(killed))
        shutil.copytree(killed, peaceful, ignore=shutil.ignore_patterns(*MADE_ANEW))
        notes.add(resumed_seconds=runs.finish(killed))
        notes.add(sft=metrics(killed, "sft"), grpo=metrics(killed, "grpo"))
        notes.add(uninterrupted_seconds=runs.finish(peaceful))
        notes.add(**difference(killed, peaceful))


class Runs:
    """Runs of ``run.py`` in processes of their own.

    Args:
        size: see ``Size``.
        scratch: for the model, the artefacts and what the runs print.
        more: further overrides.
    """

    def __init__(self, size: Size, scratch: Path, *more: str) -> None:
        self.size, self.scratch = size, scratch
        self.more = [*size.run, *OVERRIDES, f"grpo.group_size={size.group_size}", *more]
        self.log = scratch / "log"

    def make_model(self) -> dict[str, float]:
        """Writes the folder of the model."""
        start = time.monotonic()
        backbone = RandomWeights(TOY, shape=self.size.shape, layers=self.size.layers)
        write_folder(self.scratch / "model", backbone)
        count = sum(value.numel() for value in backbone.model.parameters())
        del backbone
        torch.cuda.empty_cache()  # the runs need it
        return {"seconds": time.monotonic() - start, "parameters": count}

    def start(self, artifacts: Path) -> subprocess.Popen[bytes]:
        """Starts a run."""
        places = [f"model.path={self.scratch / 'model'}", f"artifacts={artifacts}"]
        output = f"hydra.run.dir={artifacts}-output"
        command = [sys.executable, "-W", "ignore", str(CONF.parent / "run.py")]
        with self.log.open("w", encoding="utf-8") as log:
            return subprocess.Popen(
                [*command, *self.more, *places, output], stdout=log, stderr=subprocess.STDOUT
            )

    def finish(self, artifacts: Path) -> float:
        """Seconds of a run to its end."""
        start = time.monotonic()
        self._require(self.start(artifacts).wait() == 0, "a run failed")
        return time.monotonic() - start

    def kill(self, artifacts: Path) -> float:
        """Seconds of a run until it was killed, as soon as GRPO has a resume point."""
        start = time.monotonic()
        process = self.start(artifacts)
        while process.poll() is None and not [*artifacts.glob("grpo/*.partial/step-1.ckpt")]:
            time.sleep(POLL)
        process.kill()
        self._require(process.wait() < 0, "a run ended before it could be killed")
        return time.monotonic() - start

    def _require(self, condition: bool, failure: str) -> None:
        if not condition:
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise InputError(f"{failure}: {' | '.join(lines[-3:])}")


def metrics(artifacts: Path, stage: str) -> dict[str, dict[str, float]]:
    """Step → name → value of what was logged."""
    (path,) = artifacts.glob(f"{stage}/*/metrics.csv")
    steps: dict[str, dict[str, float]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            steps.setdefault(row["step"], {})[row["name"]] = float(row["value"])
    return steps


def difference(one: Path, other: Path) -> dict[str, Any]:
    """Whether both ended with the same adapter, and how far GRPO has moved it."""
    paths = [_adapter(artifacts, "grpo") for artifacts in (one, other)]
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    return {
        "same_adapter": digests[0] == digests[1],
        "largest_difference": _largest_difference(*paths),
        "largest_change_by_grpo": _largest_difference(paths[0], _adapter(one, "sft")),
    }


def _adapter(artifacts: Path, stage: str) -> Path:
    (path,) = artifacts.glob(f"{stage}/*/adapter/adapter_model.safetensors")
    return path


def _largest_difference(one: Path, other: Path) -> float:
    first, second = load_file(one), load_file(other)
    return max(float((value - second[name]).abs().max()) for name, value in first.items())
