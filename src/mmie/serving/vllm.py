"""The engine that asks a vLLM server."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from mmie.errors import InputError
from mmie.models.batch import Completions, select_rows
from mmie.models.policy import Policy
from mmie.models.sampling import NotFiniteLogitsError
from mmie.serving.adapters import ServedAdapter
from mmie.serving.choice import VLLM, Use
from mmie.serving.client import AGAIN, Client
from mmie.serving.engine import Question
from mmie.serving.pictures import one_placeholder_each, png
from mmie.serving.probes import MEMORY, rms
from mmie.serving.replies import Drawn, read_responses
from mmie.serving.server import Server, start_server
from mmie.types import Sampling

COMPARED = 2  # responses that are scored here, too, whenever adapter or temperature are new
NEVER = -100.0  # the least that vLLM takes as the bias of a token
SEED_BYTES = 7  # so that a seed and the indices added to it stay below 2^63


@dataclass(frozen=True)
class Asked:
    """One question as a server takes it: the prompt's ids, and the pictures in PNG."""

    question: Question
    ids: list[int]
    pictures: list[bytes]


def open_engine(choice: VLLM, policy: Policy, use: Use) -> VLLMEngine:
    """Starts a server, or finds the one that runs, and proves that it shows all of an adapter.

    Raises:
        InputError: it cannot be started or asked, or computes another model.
    """
    folder, server = use.folder / "server", None
    address, key = choice.address, choice.key
    with ExitStack() as undo:
        if address is None:
            server = start_server(choice, use, folder / "server.log")
            undo.callback(server.stop)
            address, key = server.address, server.key
        client = Client(choice, address, key=key)
        undo.callback(client.close)
        adapter = ServedAdapter(
            client,
            policy,
            Path(choice.folder) if choice.folder else folder / "adapters",
            max_gap=choice.max_gap,
            leader=use.leader,
            run=use.run,
            patience=choice.timeout,
        )
        with telling_the_end(server):
            client.check(use.new_tokens)
            adapter.prove()
            engine = VLLMEngine(client, adapter, policy, choice, server=server)
        undo.pop_all()
    return engine


class VLLMEngine:
    """Samples on a server, with the weights that the policy has at the time.

    Args:
        client: the server.
        adapter: the policy's adapter there.
        policy: encodes the prompts.
        choice: how the server is asked.
        server: the process, if this run has started it.
    """

    def __init__(
        self,
        client: Client,
        adapter: ServedAdapter,
        policy: Policy,
        choice: VLLM,
        *,
        server: Server | None,
    ) -> None:
        self.client = client
        self.adapter = adapter
        self.policy = policy
        self.choice = choice
        self.server = server
        self.name = f"vllm {client.version()}"
        self._compared: set[tuple[str, float]] = set()

    def sample(
        self,
        questions: Sequence[Question],
        keys: Sequence[str],
        *,
        sampling: Sampling,
        group_size: int = 1,
        side_by_side: int | None = None,
    ) -> Completions:
        """See ``Engine.sample``. The server bounds its memory itself."""
        with telling_the_end(self.server):
            model = self.adapter.current()
            asked = [self._asked(question) for question in questions]
            ask = partial(self._ask, model, sampling=sampling, group_size=group_size)
            each = len(keys) // len(questions)
            jobs = [partial(ask, asked[n // each], key, n // each) for n, key in enumerate(keys)]
            rows = self._side_by_side(jobs)
        completions = self._completions(rows)
        self._compare(model, questions, completions, sampling)
        return completions

    def close(self) -> None:
        """Takes the adapter off a server that goes on running, and ends one of our own."""
        self.adapter.close(unload=self.server is None)
        self.client.close()
        if self.server is not None:
            self.server.stop()

    def _asked(self, question: Question) -> Asked:
        backbone, prompt = self.policy.backbone, question.prompt
        pictures = [png(self.policy, picture) for picture in question.pictures]
        lengths = [len(self.policy.features(picture)) for picture in question.pictures]
        placeholder = int(backbone.model.config.image_token_id)
        return Asked(
            question, one_placeholder_each(prompt.ids.tolist(), placeholder, lengths), pictures
        )

    def _ask(
        self, model: str, asked: Asked, key: str, place: int, *, sampling: Sampling, group_size: int
    ) -> list[Drawn]:
        parameters = self._parameters(sampling, group_size) | {"seed": seed_of(key)}
        reply = self.client.generate(model, asked.ids, asked.pictures, parameters)
        try:
            return read_responses(
                reply,
                name=asked.question.id,
                prompt=asked.question.prompt.ids.tolist(),
                group_size=group_size,
                eos_ids=self.policy.eos_ids,
                limit=sampling.max_new_tokens,
            )
        except NotFiniteLogitsError as error:
            raise NotFiniteLogitsError(place) from error

    def _parameters(self, sampling: Sampling, group_size: int) -> dict[str, Any]:
        """All that decides about a token is set, so that no default of the server's counts."""
        return {
            "n": group_size,
            "temperature": sampling.temperature,
            "max_tokens": sampling.max_new_tokens,
            "top_p": 1.0,
            "top_k": 0,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "logit_bias": {str(token): NEVER for token in self.policy.suppressed},
            # The server knows fewer ends than we do. So it is told all of them, and only those.
            "ignore_eos": True,
            "stop_token_ids": self.policy.eos_ids,
            "logprobs": 0,
            "detokenize": False,
        }

    def _side_by_side(self, jobs: Sequence[Callable[[], list[Drawn]]]) -> list[Drawn]:
        """The responses of all jobs, in order. The first failure ends the others."""
        pool = ThreadPoolExecutor(self.choice.concurrency, thread_name_prefix="vllm")
        try:
            futures = [pool.submit(job) for job in jobs]
            rows: list[Drawn] = []
            for future in futures:
                rows += future.result()
            return rows
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _completions(self, rows: Sequence[Drawn]) -> Completions:
        tokens = [torch.tensor(row.tokens, dtype=torch.long) for row in rows]
        logps = [torch.tensor(row.logps) for row in rows]
        masks = [torch.ones(len(row.tokens), dtype=torch.bool) for row in rows]
        finished = torch.tensor([row.finished for row in rows])
        device = self.policy.device
        return Completions(
            tokens=pad_sequence(tokens, True, self.policy.pad_id).to(device),
            mask=pad_sequence(masks, True, False).to(device),
            logps=pad_sequence(logps, True, 0.0).to(device),
            finished=finished.to(device),
        )

    def _compare(
        self,
        model: str,
        questions: Sequence[Question],
        completions: Completions,
        sampling: Sampling,
    ) -> None:
        """Scores the first responses here, too, whenever adapter or temperature are new.

        Raises:
            InputError: the server's log-probabilities of its own tokens are not ours.
        """
        if (model, sampling.temperature) in self._compared:
            return
        each = len(completions.tokens) // len(questions)
        few = questions[:COMPARED]
        chosen = select_rows(completions, [place * each for place in range(len(few))])
        temperature = sampling.temperature or 1.0
        gap = self._gap(few, chosen, temperature)
        if gap > self.choice.max_gap:
            if temperature != 1 and self._gap(few, chosen, 1.0) < self.choice.max_gap:
                raise InputError(
                    f"rollout: {self.client.address} returns log-probabilities of temperature 1 "
                    f"where {temperature:g} was asked for: start it with "
                    "--logprobs-mode processed_logprobs"
                )
            names = ", ".join(question.id for question in few)
            raise InputError(
                f"rollout: {self.client.address} gives its responses to {names} log-probabilities "
                f"that differ from our own by {gap:.3g} (root mean square), and "
                f"rollout.max_gap={self.choice.max_gap:g}: it reads other tokens or pictures"
            )
        self._compared.add((model, sampling.temperature))

    @torch.no_grad()
    def _gap(
        self, questions: Sequence[Question], responses: Completions, temperature: float
    ) -> float:
        prompts = self.policy.batch([question.prompt for question in questions])
        # The server leaves markers out before it computes a probability, and so must we.
        with self.policy.evaluating(), self.policy.markers_excluded():
            own = self.policy.logps(prompts, responses, temperature=temperature, memory=MEMORY)
        return rms((own - responses.logps)[responses.mask])


@contextmanager
def telling_the_end(server: Server | None) -> Iterator[None]:
    """Inside, a request that fails as the run's own server has ended says why that has.

    Raises:
        InputError: a request has failed.
    """
    try:
        yield
    except InputError as error:
        reason = server and server.failure()
        if not reason:
            raise
        raise InputError(f"rollout: the server of this run is gone: {reason}; {AGAIN}") from error


def seed_of(key: str) -> int:
    """The seed of a key's first response; vLLM adds 1 for each further one of the same request."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:SEED_BYTES], "big")
