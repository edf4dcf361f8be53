"""Tables and figures of finished runs."""

from __future__ import annotations

from pathlib import Path

from mmie.config import RunConfig
from mmie.reporting.runs import load_runs


def collect(config: RunConfig, output: Path, *own: Path) -> Path:
    """Writes one page of the runs in ``report.runs`` and of ``own`` results, and returns its path.

    It loads neither model nor data.

    Raises:
        InputError: one of the runs cannot be read, or the folder cannot be written.
    """
    from mmie.reporting.page import write_page  # it loads matplotlib, which no other run needs

    folder = Path(config.report.folder or output / "report")
    runs = load_runs([*own, *config.report.sources])
    return write_page(runs, folder)
