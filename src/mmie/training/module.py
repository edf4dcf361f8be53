"""What SFT and GRPO share as LightningModules: optimizer, warm-up, and checkpoints.

A checkpoint holds the adapter alone.
"""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from mmie.errors import NotFiniteError
from mmie.models.policy import Policy
from mmie.settings import LearningConfig
from mmie.training.plan import MicroBatch


class AdapterModule(pl.LightningModule):
    """Trains the policy adapter and nothing else.

    Args:
        policy: base and adapters.
        config: AdamW's learning rate and weight decay, and the share of linear warm-up.
        steps: optimizer steps in all.
    """

    strict_loading = False

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

        def rate(step: int) -> float:
            falling = (self.steps - step) / max(1, self.steps - warmup)
            return min((step + 1) / warmup, max(0.0, falling))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        each_step = {"scheduler": scheduler, "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": each_step}

    def trainable_zero(self) -> Tensor:
        """0 that depends on every trained parameter: all processes have gradients to share."""
        zero = torch.zeros((), device=self.policy.device)
        return sum((value.sum() * 0.0 for value in self.policy.trainable()), zero)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """The trained adapter under its parameter names.

        The frozen base comes from its own folder.
        """
        trained = {name for name, value in self.named_parameters() if value.requires_grad}
        state = super().state_dict(*args, **kwargs)
        return {name: value for name, value in state.items() if name in trained}

    def load_state_dict(self, state_dict: Any, strict: bool = False, assign: bool = False) -> Any:
        return super().load_state_dict(state_dict, strict=False, assign=assign)

    def finite(self, loss: Tensor, batch: MicroBatch) -> Tensor:
        """The loss as it is.

        Raises:
            NotFiniteError: it is NaN or infinite.
        """
        if not loss.detach().isfinite():
            names = ", ".join(self.name_of(item) for item in batch.items)
            raise NotFiniteError("the loss", f"step {self._step}, sample {names}")
        return loss

    def name_of(self, item: Any) -> str:
        """The sample's id."""
        return str(item.id)

    @property
    def _step(self) -> int:
        return 0 if self._trainer is None else self.trainer.global_step

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        """Raises NotFiniteError before a broken gradient reaches the adapter.

        With 16-mixed the gradient scaler looks for itself.
        """
        norms = [value.grad.norm() for value in self.policy.trainable() if value.grad is not None]
        if norms:  # DeepSpeed keeps the gradients in its own buffers
            norm = torch.stack(norms).norm()
            if self.trainer.precision != "16-mixed" and not norm.isfinite():
                raise NotFiniteError("the gradient", f"step {self._step}")
            self.log("train/gradient_norm", norm)
        # Lightning's own count of logged steps slips when a run is resumed.
        self.log("step", float(self.trainer.global_step))
