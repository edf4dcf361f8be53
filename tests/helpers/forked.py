"""Programs in a fork of this process, which need not import anything again."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

RUN, POPEN = subprocess.run, subprocess.Popen


def run(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Replaces ``subprocess.run``: runs ``python … -m MODULE …`` in a fork, all else as it does."""
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


def popen(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Replaces ``subprocess.Popen``: runs ``python SCRIPT …`` in a fork, all else as it does.

    Whatever Popen sets up for the process, its pipes and its session among it, is as usual.
    """
    if command[0] != sys.executable or not command[1].endswith(".py"):
        return POPEN(command, **options)
    environment = options.get("env") or dict(os.environ)
    become = partial(_become, command[1:], environment, _open_files())
    return POPEN(command, preexec_fn=become, **options)


def _open_files() -> set[int]:
    numbers = [int(name) for name in os.listdir("/dev/fd")]
    return {number for number in numbers if os.path.exists(f"/dev/fd/{number}")}


def _become(arguments: Sequence[str], environment: Mapping[str, str], before: set[int]) -> None:
    """Runs the script where Popen would put the new program into the fork, and ends the process."""
    for number in _open_files() - before - {0, 1, 2}:
        os.close(number)  # among them the pipe on which Popen waits for the new program
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [*arguments]
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    warnings.simplefilter("ignore")
    status = 1
    try:
        runpy.run_path(arguments[0], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
