"""What the processes of a run say when one of them has made a collective operation fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from helpers.small_runs import config_of
from mmie import pipeline, stopping
from mmie.errors import InputError
from mmie.job import HydraJob
from mmie.stages import ranks


def test_an_error_that_a_dead_process_has_caused_is_put_down_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = iter([None, "process 1 of this run has ended with status -9"])
    monkeypatch.setattr(stopping, "failed_child", lambda: next(seen))
    monkeypatch.setattr(ranks, "POLL", 0.01)
    message = r"^process 1 .* status -9; start the run again"
    with pytest.raises(InputError, match=message), ranks._blaming_the_dead():
        raise RuntimeError("Connection closed by peer")


def test_an_error_of_ones_own_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "PATIENCE", 0.02)
    monkeypatch.setattr(ranks, "POLL", 0.01)
    with pytest.raises(RuntimeError, match="out of memory"), ranks._blaming_the_dead():
        raise RuntimeError("out of memory")


SHIPPED = Path(__file__).parents[2] / "experiments/results/toy/jmere_r1-seed0"
ONLY_ONCE = {
    "plan": ["stages=[plan]", "plan.memory=false"],
    "report": ["stages=[report]", f"report.runs={SHIPPED}"],
}


@pytest.mark.parametrize("stage", ONLY_ONCE)
def test_what_reads_and_counts_is_left_to_the_first_process(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under srun every process runs the same command."""
    monkeypatch.setenv("SLURM_PROCID", "1")
    config = config_of(tmp_path, *ONLY_ONCE[stage])
    config.trainer.devices = 2
    output = tmp_path / "output"
    output.mkdir()
    monkeypatch.setattr(pipeline, "to_run_config", lambda cfg: config)
    monkeypatch.setattr(pipeline, "current_job", lambda: HydraJob(output, "", None, []))
    assert pipeline.run(OmegaConf.create()) is None
    assert capsys.readouterr().out == ""
    assert list(output.iterdir()) == []
