"""What a run says on the terminal: our own messages, and of the libraries what is serious."""

from __future__ import annotations

import logging
import warnings

from rich.logging import RichHandler

LIBRARIES = ("pytorch_lightning", "transformers", "lightning", "wandb", "DeepSpeed")


def _worth_showing(record: logging.LogRecord) -> bool:
    """Everything but what the libraries say below an error.

    The handler asks this, since Lightning sets its own level anew when it is imported.
    """
    talks_much = record.name.split(".")[0] in LIBRARIES
    return record.levelno >= logging.ERROR or not talks_much


def quiet_libraries() -> None:
    """One handler for all messages; the libraries that talk much speak from errors up."""
    handler = RichHandler(show_path=False)
    handler.addFilter(_worth_showing)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler], force=True)
    logging.getLogger("mmie").setLevel(logging.INFO)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric|torch.utils.data")
