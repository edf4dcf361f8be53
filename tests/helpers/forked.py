"""Programs in a fork of this process, which need not import anything again."""

from __future__ import annotations

import multiprocessing
import runpy
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

RUN = subprocess.run


def run(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """In the place of ``subprocess.run``: ``python … -m MODULE …`` in a fork, the rest as ever."""
    if "-m" not in command:
        return RUN(command, **options)
    arguments = list(command[command.index("-m") + 1 :])
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder, "stdout"), Path(folder, "stderr")
        process = multiprocessing.get_context("fork").Process(
            target=_main, args=(arguments, output, errors)
        )
        process.start()
        process.join()
        status = process.exitcode
        assert status is not None
        return subprocess.CompletedProcess(
            command, status, stdout=output.read_text(), stderr=errors.read_text()
        )


def _main(arguments: list[str], output: Path, errors: Path) -> None:
    warnings.simplefilter("ignore")
    sys.argv = arguments
    with (
        output.open("w") as out,
        errors.open("w") as err,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        runpy.run_module(arguments[0], run_name="__main__")
