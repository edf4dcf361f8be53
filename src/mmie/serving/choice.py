"""The choices of ``rollout=``: who samples rollouts, validations, answers, votes and predictions.

They are read before anything is loaded, so this module imports neither torch nor a client.
"""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mmie.errors import InputError

if TYPE_CHECKING:
    from mmie.models.policy import Policy
    from mmie.serving.engine import Engine

LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # the values that --max-lora-rank takes


@dataclass(frozen=True, kw_only=True)
class Use:
    """What a run asks of its engine.

    Attributes:
        model: the node ``model``.
        rank: of the adapters.
        targets: the regular expression ``lora.targets``; None stands for the backbone's own layers.
        processes: of the run.
        leader: whether this is the first of them.
        folder: of the run, for adapters and the server's log.
        new_tokens: the largest length limit of a response.
        run: tells this run from others that use the same server; the same in all its processes.
    """

    model: Mapping[str, Any]
    rank: int
    targets: str | None
    processes: int
    leader: bool
    folder: Path
    new_tokens: int
    run: str


class Rollout(Protocol):
    """One choice.

    Attributes:
        identity: what the results depend on; part of the keys. Empty for this process.
    """

    @property
    def identity(self) -> Mapping[str, Any]: ...

    def check(self, use: Use) -> None:
        """Refuses what cannot work, before anything costs time or money.

        Raises:
            InputError: it cannot work.
        """

    def open(self, policy: Policy, use: Use) -> Engine:
        """The engine. While it is opened, the active adapter must be that of the policy."""


@dataclass(frozen=True)
class Local:
    """This process samples.

    Attributes:
        cuda_graphs: ``auto`` captures the step of decoding on a GPU as a CUDA graph; ``never``.
    """

    cuda_graphs: str
    identity: Mapping[str, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if self.cuda_graphs not in ("auto", "never"):
            what = f"{self.cuda_graphs!r} is none of auto, never"
            raise InputError(f"rollout.cuda_graphs: {what}")

    def check(self, use: Use) -> None:
        """Nothing to refuse."""

    def open(self, policy: Policy, use: Use) -> Engine:
        """See ``LocalEngine``."""
        from mmie.serving.local import LocalEngine  # it loads torch

        policy.cuda_graphs = self.cuda_graphs == "auto"
        return LocalEngine(policy)


@dataclass(frozen=True, kw_only=True)
class VLLM:
    """A vLLM server samples. It gets token ids and pictures, and returns ids and log-probabilities.

    Attributes:
        address: of a server that runs already, such as http://localhost:8000. With null the run
            starts one and ends it.
        model: the name under which the server knows the base.
        api_key_env: the environment variable with the key of a running server.
        folder: where adapters are written for the server to read; null takes the run's own folder.
        dtype: of the server's weights and caches; null takes that of the model.
        concurrency: requests at a time.
        retries: further tries of a request that failed on the way or in the server.
        timeout: seconds for one request.
        max_gap: the root mean square difference of log-probabilities, between the server's and our
            own, above which the run stops.
        command: starts a server; its arguments are added. An environment of its own is best.
        arguments: further ones, for a server that the run starts.
        environment: variables for it, besides those of the run.
        gpu_memory: the share of a GPU's memory that it takes.
        max_model_len: tokens of prompt and response together; null takes the model's own.
        max_lora_rank: null takes the least that vLLM offers for ``lora.rank``.
        start_timeout: seconds until it answers.
    """

    address: str | None
    model: str
    api_key_env: str
    folder: str | None
    dtype: str | None
    concurrency: int
    retries: int
    timeout: float
    max_gap: float
    command: list
    arguments: list
    environment: dict
    gpu_memory: float
    max_model_len: int | None
    max_lora_rank: int | None
    start_timeout: float

    def __post_init__(self) -> None:
        for key, kind in {"command": list, "arguments": list, "environment": dict}.items():
            if not isinstance(getattr(self, key), kind):
                raise InputError(f"rollout.{key}: {getattr(self, key)!r} is no {kind.__name__}")
        least = {"concurrency": 1, "retries": 0, "max_model_len": 1}
        for key, bound in least.items():
            value = getattr(self, key)
            if value is not None and value < bound:
                raise InputError(f"rollout.{key}: {value} is out of range; it is at least {bound}")
        for key in ("timeout", "max_gap", "start_timeout", "gpu_memory"):
            value = getattr(self, key)
            if not 0 < value < math.inf:
                raise InputError(f"rollout.{key}: {value} is not above 0, or not finite")
        if self.gpu_memory > 1:
            raise InputError(f"rollout.gpu_memory: {self.gpu_memory} is a share, so at most 1")
        if self.address is not None and not re.match("https?://[^/]", str(self.address)):
            what = f"{self.address} is no address such as http://localhost:8000"
            raise InputError(f"rollout.address: {what}; null starts a server")
        if self.max_lora_rank is not None and self.max_lora_rank not in LORA_RANKS:
            ranks = ", ".join(map(str, LORA_RANKS))
            raise InputError(f"rollout.max_lora_rank: {self.max_lora_rank}: vLLM takes {ranks}")
        if self.address is None and not self.command:
            raise InputError("rollout.command: it is empty; name what starts vLLM, or an address")

    @property
    def identity(self) -> Mapping[str, Any]:
        """Where the server is and how it is asked is left out: its answers are the same."""
        return {"name": "vllm", "dtype": self.dtype, "arguments": list(self.arguments)}

    def check(self, use: Use) -> None:
        """See ``Rollout.check``. A server that runs is asked what it can do."""
        self.served_rank(use.rank)
        refuse_length(self.max_model_len, "rollout.max_model_len:", use.new_tokens)
        if use.targets is not None:
            _refuse_targets(use.targets, use.model["path"])
        if self.address is not None:
            from mmie.serving.client import Client  # it loads the client's libraries

            with closing(Client(self, self.address, key=self.key)) as client:
                client.check(use.new_tokens)
            return
        if use.processes > 1:
            what = f"each of the {use.processes} processes would start a server"
            raise InputError(f"rollout.address: {what}; start one yourself and give its address")
        if shutil.which(self.command[0]) is None:
            remedy = "install vLLM in an environment of its own and name its command"
            raise InputError(f"rollout.command: {self.command[0]} is no program; {remedy}")

    @property
    def key(self) -> str | None:
        """The key of a server that runs already.

        Raises:
            InputError: no header can hold it; the message does not show it.
        """
        key = os.environ.get(self.api_key_env)
        if key and not (key.isascii() and key.isprintable()):
            what = f"the environment variable {self.api_key_env} holds characters that no key has"
            raise InputError(f"rollout.api_key_env: {what}; a line break, for example")
        return key

    def served_rank(self, rank: int) -> int:
        """The value of ``--max-lora-rank``.

        Raises:
            InputError: no server can hold an adapter of this rank.
        """
        least = next((size for size in LORA_RANKS if size >= rank), None)
        if least is None:
            raise InputError(f"lora.rank: {rank}: vLLM serves at most {LORA_RANKS[-1]}")
        if self.max_lora_rank is not None and self.max_lora_rank < rank:
            what = f"{self.max_lora_rank} is below lora.rank={rank}"
            raise InputError(f"rollout.max_lora_rank: {what}; the server would refuse the adapter")
        return self.max_lora_rank or least

    def open(self, policy: Policy, use: Use) -> Engine:
        """Starts the server, or finds it, and proves that it shows all of an adapter."""
        from mmie.serving.vllm import open_engine  # it loads torch

        return open_engine(self, policy, use)


def refuse_length(length: int | None, where: str, new_tokens: int) -> None:
    """A server cuts a response, or refuses a prompt, where both together are too long for it.

    Args:
        length: tokens of prompt and response together; None where nothing bounds them.
        where: the beginning of the message.
        new_tokens: the length limit of a response.

    Raises:
        InputError: there is no room for a prompt.
    """
    if length is not None and length <= new_tokens:
        raise InputError(
            f"{where} {length} tokens, which hold no prompt beside a response of {new_tokens}: "
            "raise --max-model-len (rollout.max_model_len), or lower grpo.max_new_tokens or "
            "evaluation.max_new_tokens"
        )


def _refuse_targets(targets: str, path: str) -> None:
    """vLLM applies adapters to the language model only, without a word about the others.

    Raises:
        InputError: a layer outside the language model would get an adapter.
    """
    from mmie.models.architecture import architecture, empty_model, outside_language_model

    outside: Sequence[str] = outside_language_model(empty_model(architecture(path)), targets)
    if outside:
        what = f"it also fits {outside[0]}, and vLLM serves adapters of the language model only"
        raise InputError(f"lora.targets: {what}; leave it out, or take rollout=local")
