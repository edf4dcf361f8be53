"""The objects of profile=paper, built against scaled-down checkpoints; nothing is fetched."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pytorch_lightning.strategies import DeepSpeedStrategy

from helpers.configured import run_config
from helpers.mnre_files import write_mnre
from mmie.artifacts import Store
from mmie.config import node
from mmie.stages.context import Context
from mmie.training.fit import ZeRO2, make_trainer, strategy_of
from mmie.training.grpo import GRPOModule
from mmie.training.plan import MicroBatch
from mmie.training.sft import Demonstration, SFTModule


@pytest.fixture
def mnre(tmp_path: Path) -> Path:
    return write_mnre(tmp_path / "mnre")


@pytest.mark.parametrize(("kind", "model"), [("qwen", "qwen2_5_vl_7b"), ("llava", "llava_1_5_7b")])
def test_paper_profile_is_built(
    tmp_path: Path, mnre: Path, checkpoint_folders: dict[str, Path], kind: str, model: str
) -> None:
    overrides = [
        "profile=paper",
        f"model={model}",
        f"model.path={checkpoint_folders[kind]}",
        f"data.root={mnre}",
    ]
    config = run_config(*overrides)
    assert config.sft is not None
    assert config.grpo is not None
    strategy = strategy_of(config.trainer)
    assert isinstance(strategy, DeepSpeedStrategy)
    assert strategy.exclude_frozen_parameters
    assert strategy.config["zero_optimization"]["stage"] == 2
    (
        config.trainer.accelerator,
        config.trainer.strategy,
        config.trainer.devices,
        config.trainer.precision,
    ) = "cpu", "auto", 1, "32-true"
    assert make_trainer(config.trainer, logger=False, enable_progress_bar=False).max_epochs == 1

    context = Context(config, Store(tmp_path / "artifacts"), tmp_path)
    examples = node(config.data).load("train")
    assert [example.text for example in examples] == [
        "Ann Lee of Apex Club 0",
        "Ann Lee of Apex Club 1",
    ]
    task, policy = context.reasoned, context.policy
    assert "place of residence" in task.prompt(examples[0])
    assert task.prompt(examples[0]).endswith("</answer> tags.")
    assert (policy.lora.r, policy.lora.lora_alpha) == (128, 64)

    items = [
        Demonstration(
            example, task.prompt(example), policy.response_ids(task.target(example, "A club."))
        )
        for example in examples
    ]
    sft = SFTModule(policy, config.sft, steps=4, memory=config.memory)
    assert sft.configure_optimizers()["optimizer"].param_groups[0]["initial_lr"] == pytest.approx(
        2e-5
    )
    sft.log = lambda *args, **kwargs: None  # type: ignore[method-assign]
    policy.train()
    loss = sft.training_step(MicroBatch(items, step=0, weight=1.0), 0)
    loss.backward()
    sft.on_train_end()
    assert torch.isfinite(loss)

    policy.add_reference()
    config.grpo.max_new_tokens, config.grpo.group_size = 4, 2
    grpo = GRPOModule(policy, task, node(config.reward), config.grpo, steps=4, seed=0)
    assert grpo.configure_optimizers()["optimizer"].param_groups[0]["initial_lr"] == pytest.approx(
        2e-6
    )
    grpo.log = grpo.log_dict = lambda *args, **kwargs: None  # type: ignore[method-assign]
    policy.eval()
    assert torch.isfinite(grpo.training_step(MicroBatch(examples, step=0, weight=1.0), 0))


def test_zero2_divides_the_loss_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning has divided by the micro-batches of a step when the loss comes here."""
    asked: dict[str, Any] = {}
    plugin = SimpleNamespace(
        pre_backward=lambda loss, module: loss,
        post_backward=lambda loss, module: loss,
        backward=lambda loss, module, optimizer, **options: asked.update(options),
    )
    strategy = ZeRO2()
    monkeypatch.setattr(ZeRO2, "precision_plugin", plugin)
    monkeypatch.setattr(ZeRO2, "lightning_module", SimpleNamespace())
    strategy.backward(torch.zeros(()), None)
    assert asked == {"scale_wrt_gas": False}
