"""The number of training samples, without reading any of them."""

from __future__ import annotations

from pathlib import Path

from mmie.artifacts import Artifact
from mmie.files import write_json
from mmie.stages.samples import Samples


def test_samples_are_counted_from_what_the_stages_have_written(tmp_path: Path) -> None:
    data, division = Artifact(tmp_path / "data", "a"), Artifact(tmp_path / "divide", "b")
    for artifact in (data, division):
        artifact.folder.mkdir()
    write_json(data.folder / "statistics.json", {"train": {"samples": 5}})
    write_json(division.folder / "sft.json", ["train-1", "train-3"])
    write_json(division.folder / "grpo.json", ["train-0", "train-2", "train-4"])
    assert (Samples(data).count("sft"), Samples(data).count("grpo")) == (5, 5)
    divided = Samples(data, division)
    assert (divided.count("sft"), divided.count("grpo")) == (2, 3)
