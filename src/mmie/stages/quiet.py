"""What a run says on the terminal: our own messages, and of the libraries what is serious."""

from __future__ import annotations

import logging
import warnings

from rich.logging import RichHandler

LIBRARIES = ("pytorch_lightning", "transformers", "lightning", "wandb", "DeepSpeed")


def quiet_libraries() -> None:
    """One handler for all messages; the libraries that talk much speak from errors up."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(show_path=False)],
        force=True,
    )
    logging.getLogger("mmie").setLevel(logging.INFO)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric|torch.utils.data")
