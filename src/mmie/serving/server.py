"""A vLLM server that a run starts for itself, and that ends with it."""

from __future__ import annotations

import ctypes
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import httpx2

from mmie import stopping
from mmie.errors import InputError
from mmie.files import disk_errors
from mmie.models.backbone import resolve_path
from mmie.serving.choice import VLLM, Use

POLL = 1.0  # seconds between two looks at whether it answers
GRACE = 15.0  # seconds from asking it to end until it is killed
PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
LAST_LINES = 3  # of a log without an error, in the message about a server that has failed
LONGEST_REASON = 300  # characters of the log in that message
# How Python names an exception and argparse a wrong argument. vLLM's processes go down one after
# the other, so the first of these lines is the cause; the last are about what was left behind.
FAULT = re.compile(r"^(?!.*WARNING).*?\b((?:\w*(?:Error|Exception)|error): \S.*)", re.MULTILINE)


class Server:
    """The process. Its output goes to a log file.

    Args:
        command: what starts it; host and port are added.
        environment: variables besides those of this process.
        log: the file.

    Attributes:
        address: where it listens, on this machine only.
        key: a secret of this run, without which it answers nobody.

    Raises:
        InputError: the command cannot be started, or the log cannot be written.
    """

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], log: Path
    ) -> None:
        self.log = log
        self.key = secrets.token_urlsafe()
        port = _free_port()
        self.address = f"http://127.0.0.1:{port}"
        variables = {**os.environ, **environment, "VLLM_API_KEY": self.key}
        variables.pop("PYTHONPATH", None)  # the server's environment has packages of its own
        with disk_errors(log):
            log.parent.mkdir(parents=True, exist_ok=True)
            output = log.open("ab")
        self._begin = output.tell()  # a run that is resumed adds to the log
        with output:
            try:
                self._process = subprocess.Popen(
                    [*command, "--host", "127.0.0.1", "--port", str(port)],
                    env=variables,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # a ^C is for the run, which then ends the server
                    preexec_fn=_end_with_parent(),
                )
            except OSError as error:
                what = f"{command[0]} cannot be started ({error.strerror})"
                raise InputError(f"rollout.command: {what}; name what starts vLLM") from error

    def wait(self, timeout: float) -> None:
        """Returns when it answers.

        Raises:
            InputError: it has ended, or does not answer in time.
        """
        end = time.monotonic() + timeout
        with httpx2.Client(trust_env=False, timeout=POLL * 5) as client:
            while not self._answers(client):
                stopping.raise_if_stopped()
                reason = self.failure()
                if reason is None and time.monotonic() > end:
                    reason = f"it does not answer after {timeout:g} s (rollout.start_timeout)"
                if reason is not None:
                    raise InputError(f"rollout: the server was not started: {reason}")
                time.sleep(POLL)

    def failure(self) -> str | None:
        """Why it is gone, with the cause that its log names; None while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        how = f"signal {-status}" if status < 0 else f"status {status}"
        text = self.log.read_bytes()[self._begin :].decode(errors="replace")
        return f"it has ended with {how}; its log is {self.log} ({_cause(text)})"

    def stop(self) -> None:
        """Ends it and what it has started."""
        for signum in (signal.SIGTERM, signal.SIGKILL):
            # Its own children are in its group, and may live on where it is dead.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signum)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE)

    def _answers(self, client: httpx2.Client) -> bool:
        try:
            return client.get(f"{self.address}/health").status_code == httpx2.codes.OK
        except httpx2.HTTPError:
            return False


def _cause(log: str) -> str:
    """The first error in the log of a server that is gone, or else its last lines."""
    fault = FAULT.search(log)
    if fault is not None:
        return fault[1][:LONGEST_REASON]
    return " | ".join(line.strip() for line in log.splitlines()[-LAST_LINES:])[-LONGEST_REASON:]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _end_with_parent() -> Callable[[], None]:
    """What a child calls so that Linux ends it with this process, even if that is killed."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)

    def ask() -> None:
        if prctl is not None:
            prctl(PARENT_DEATH_SIGNAL, signal.SIGTERM)

    return ask


def start_server(choice: VLLM, use: Use, log: Path) -> Server:
    """A server of the run's own, when it answers.

    Raises:
        InputError: it cannot be started, or does not answer in time.
    """
    environment = {name: str(value) for name, value in choice.environment.items()}
    environment["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "True"
    server = Server(_command(choice, use), environment=environment, log=log)
    try:
        server.wait(choice.start_timeout)
    except BaseException:
        server.stop()
        raise
    return server


def _command(choice: VLLM, use: Use) -> list[str]:
    arguments = {
        "--model": resolve_path(str(use.model["path"])),
        "--served-model-name": choice.model,
        "--dtype": choice.dtype or use.model.get("dtype"),
        "--max-lora-rank": choice.served_rank(use.rank),
        "--max-model-len": choice.max_model_len,
        "--gpu-memory-utilization": choice.gpu_memory,
        # What the checkpoint's own generation settings say of sampling is ignored.
        "--generation-config": "vllm",
        # Otherwise they are those of temperature 1, whatever the temperature is.
        "--logprobs-mode": "processed_logprobs",
    }
    pixels = use.model.get("max_pixels")
    if pixels is not None:
        arguments["--mm-processor-kwargs"] = json.dumps({"max_pixels": pixels})
    command = [*map(str, choice.command), "--enable-lora", "--enable-scale-out"]
    for name, value in arguments.items():
        command += [] if value is None else [name, str(value)]
    return [*command, *map(str, choice.arguments)]
