"""What SFT and GRPO share as Lightning modules: optimizer, warm-up, checkpoints of the adapter."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, distributed

from mmie.errors import NotFiniteError
from mmie.models.policy import Policy
from mmie.settings import LearningConfig
from mmie.training.plan import MicroBatch


class AdapterModule(pl.LightningModule):
    """Trains the policy adapter and nothing else.

    Args:
        policy: base and adapters.
        config: AdamW's learning rate and weight decay, and the share of linear warm-up.
        steps: number of optimizer steps.
    """

    strict_loading = False  # checkpoints hold the adapter only

    def __init__(self, policy: Policy, config: LearningConfig, *, steps: int) -> None:
        super().__init__()
        self.policy = policy
        self.optimizer_config = config
        self.steps = steps

    def configure_optimizers(self) -> Any:
        config = self.optimizer_config
        optimizer = torch.optim.AdamW(
            self.policy.trainable(), lr=config.lr, weight_decay=config.weight_decay
        )
        warmup = max(1, round(config.warmup_ratio * self.steps))

        def factor(step: int) -> float:
            """Rises to 1 over the warm-up, then falls linearly to 0 after the last step."""
            rising = (step + 1) / warmup
            falling = (self.steps - step) / max(1, self.steps - warmup)
            return min(rising, max(0.0, falling))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        each_step = {"scheduler": scheduler, "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": each_step}

    def trainable_zero(self) -> Tensor:
        """0 that depends on every trained parameter, so that each of them gets a gradient of 0."""
        zero = torch.zeros((), device=self.policy.device)
        return sum((value.sum() * 0.0 for value in self.policy.trainable()), zero)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """The trained adapter under its parameter names, without the frozen base."""
        trained = {name for name, value in self.named_parameters() if value.requires_grad}
        state = super().state_dict(*args, **kwargs)
        return {name: value for name, value in state.items() if name in trained}

    def load_state_dict(self, state_dict: Any, strict: bool = False, assign: bool = False) -> Any:
        return super().load_state_dict(state_dict, strict=False, assign=assign)

    def require_finite(self, loss: Tensor, batch: MicroBatch) -> None:
        """Refuses a loss that is NaN or infinite.

        Raises:
            NotFiniteError: names the step and the samples.
        """
        if not loss.detach().isfinite():
            names = ", ".join(self.name_of(item) for item in batch.items)
            raise NotFiniteError("the loss", f"step {self.global_step}, sample {names}")

    def name_of(self, item: Any) -> str:
        """The sample's id."""
        return str(item.id)

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        """Logs the norm of the gradient and refuses one that is NaN or infinite.

        With 16-mixed it does not refuse: the gradient scaler skips such a step itself.

        Raises:
            NotFiniteError: before the gradient reaches the adapter.
        """
        norms = [value.grad.norm() for value in self.policy.trainable() if value.grad is not None]
        if norms:  # DeepSpeed keeps the gradients in its own buffers
            norm = torch.stack(norms).norm()
            if self.trainer.precision != "16-mixed" and not norm.isfinite():
                raise NotFiniteError("the gradient", f"step {self.global_step}")
            self.log("train/gradient_norm", norm)
        # Lightning's own count of logged steps is wrong after a resume.
        self.log("step", float(self.trainer.global_step))


def mean_over_processes(value: Tensor) -> Tensor:
    """The mean of a scalar over all processes of the training.

    All of them must call it. With one process it is the value itself.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return value
    total = value.clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()
