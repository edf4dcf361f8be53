from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# For a server on two cores.
ON_CPU = {
    "VLLM_CPU_KVCACHE_SPACE": "2",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
}


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """``start(*arguments)``: a real vLLM that serves the toy model, as a run starts it."""
    folder = os.environ.get("MMIE_SERVER_VENV")
    if not folder:
        pytest.skip("no vLLM: MMIE_SERVER_VENV names no environment with one; see .ci/server")
    from helpers.served import choice_of, use_of
    from mmie.serving.server import start_server

    python = str(Path(folder).resolve() / "bin" / "python")
    command = [python, "-m", "vllm.entrypoints.openai.api_server"]
    servers = []

    def started(*arguments: str) -> Any:
        place = tmp_path_factory.mktemp("server")
        choice = choice_of(
            None,
            command=command,
            arguments=["--enforce-eager", *arguments],
            environment=ON_CPU,
            max_model_len=1024,
        )
        servers.append(start_server(choice, use_of(place, rank=RANK), place / "server.log"))
        return servers[-1]

    yield started
    for server in servers:
        server.stop()


RANK = 16  # of the servers; adapters of rank 8 fit, and those of rank 32 do not


@pytest.fixture(scope="session")
def whole(start: Callable[..., Any]) -> Any:
    """A server as a run starts it."""
    return start()


@pytest.fixture(scope="session")
def partial(start: Callable[..., Any]) -> Any:
    """A server with two faults: it ignores the MLPs' part of adapters, and the temperature."""
    attention = ["q_proj", "k_proj", "v_proj", "o_proj", "qkv_proj"]
    return start("--lora-target-modules", *attention, "--logprobs-mode", "raw_logprobs")
