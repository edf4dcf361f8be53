"""Requests to a vLLM server: token ids and pictures in, token ids and log-probabilities out.

The endpoint is ``/inference/v1/generate``, which takes ids where the chat endpoint takes text. So
no text is tokenised twice, and the server's chat template does not matter.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import httpx2
import openai

from mmie.errors import InputError
from mmie.serving.choice import refuse_length

if TYPE_CHECKING:
    from mmie.serving.choice import VLLM

GENERATE, LOAD, UNLOAD = (
    "/inference/v1/generate",
    "/v1/load_lora_adapter",
    "/v1/unload_lora_adapter",
)
LONGEST_REASON = 300  # characters of a server's complaint that go into our message
AGAIN = "see that it runs and start the run again, it goes on from its last resume point"
PROBED = 15.0  # seconds for a request that needs no model
# What the HTTP library calls a connection that is made, without and with TLS.
CONNECTED = ("connection.connect_tcp.complete", "connection.start_tls.complete")
NOT_KEPT = "Cache miss"  # the server does not hold, or holds no longer, a picture named by its hash


NO_KEY = "; give its key in the environment variable that rollout.api_key_env names"
REMEDIES = {
    401: NO_KEY,
    403: NO_KEY,
    404: f"; either no vLLM answers there, or another one than before; {AGAIN}",
}


class Client:
    """One server. It may be used by several threads at once.

    Args:
        choice: how many tries, and how long.
        address: of the server.
        key: for a server that asks for one.
    """

    def __init__(self, choice: VLLM, address: str, *, key: str | None) -> None:
        self.address = address.rstrip("/").removesuffix("/v1")
        self.model = choice.model
        self._timeout = choice.timeout
        try:
            # A proxy of the environment is meant for the world outside, not for a server of ours.
            http = openai.DefaultHttpxClient(
                timeout=choice.timeout,
                trust_env=False,
                event_hooks={"request": [self._trace]},
                limits=httpx2.Limits(max_connections=choice.concurrency + 1),
            )
            self._client = openai.OpenAI(
                base_url=self.address,
                api_key=key or "none",
                timeout=choice.timeout,
                max_retries=choice.retries,
                http_client=http,
            )
        except (ValueError, OSError, httpx2.InvalidURL, openai.OpenAIError) as error:
            reason = _one_line(error)
            raise InputError(f"rollout.address={address}: no address ({reason})") from error
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._sent: set[str] = set()  # hashes of pictures that the server has got
        self._lock = threading.Lock()

    def check(self, new_tokens: int) -> None:
        """Asks a server what it can do.

        Args:
            new_tokens: the length limit of the responses that it will be asked for.

        Raises:
            InputError: it is not there, serves no such model, lacks an endpoint, or holds no
                prompt beside such a response.
        """
        lengths = self._lengths()
        served = list(lengths)
        if self.model not in served:
            names = ", ".join(served) or "none"
            raise InputError(
                f"rollout.model={self.model}: {self.address} serves {names}; name one of them, or "
                "start the server with --served-model-name"
            )
        refuse_length(lengths[self.model], f"rollout.address: {self.address} serves", new_tokens)
        remedies = {
            GENERATE: "start vLLM (0.32 or newer) with --enable-scale-out",
            LOAD: "start vLLM with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True",
        }
        for path, remedy in remedies.items():
            status = self._status(path)
            if status in (401, 403, 404, 405):
                what = f"{self.address}{path} answers {status}"
                raise InputError(f"rollout.address: {what}; {remedy}")

    def version(self) -> str:
        return str(self._get("/version")["version"])

    def models(self) -> list[str]:
        """The names that the server answers to, those of adapters among them."""
        return list(self._lengths())

    def _lengths(self) -> dict[str, int | None]:
        """``--max-model-len`` of each model; None where the server does not say."""
        reply = self._get("/v1/models")
        try:
            return {str(model["id"]): model.get("max_model_len") for model in reply["data"]}
        except (KeyError, TypeError, AttributeError) as error:
            what = f"{self.address}/v1/models names no models"
            raise InputError(f"rollout.address: {what}: no vLLM answers there") from error

    def load(self, name: str, folder: str) -> None:
        """Makes the server read an adapter. A name that it knows already is read anew.

        Raises:
            InputError: it cannot, with its own words.
        """
        body = {"lora_name": name, "lora_path": folder}
        if name in self.models():
            self.unload(name)
        self._post(LOAD, body, tries=0)

    def unload(self, name: str) -> None:
        """Makes the server forget an adapter. One that hangs is not waited for, as the run ends.

        A server that was started anew in between does not know it, and that is as good.
        """
        gone = suppress(openai.NotFoundError)
        with _explained(f"{self.address}{UNLOAD}", f"{PROBED:g} s"), gone:
            self._quick.post(UNLOAD, cast_to=object, body={"lora_name": name})

    def generate(
        self,
        model: str,
        ids: Sequence[int],
        pictures: Sequence[bytes],
        sampling: Mapping[str, Any],
    ) -> dict[str, Any]:
        """One request, as vLLM answers it.

        Args:
            model: the base or an adapter.
            ids: the prompt, with one placeholder for each picture.
            pictures: in PNG, in the order of the placeholders.
            sampling: the fields of vLLM's ``SamplingParams``.

        Raises:
            InputError: there is no answer after all tries, or the server refuses.
        """
        hashes = [hashlib.sha256(data).hexdigest() for data in pictures]
        parts: list[dict[str, Any]] = []
        for name, data in zip(hashes, pictures, strict=True):
            with self._lock:
                known = name in self._sent
            parts.append({"type": "image_url", "uuid": name, "url": None if known else _url(data)})
        body: dict[str, Any] = {
            "model": model,
            "token_ids": list(ids),
            "sampling_params": dict(sampling),
        }
        body |= {"content_parts": parts, "return_token_ids": True}
        try:
            reply = self._post(GENERATE, body)
        except _PictureGoneError:
            whole = [part | {"url": _url(data)} for part, data in zip(parts, pictures, strict=True)]
            reply = self._post(GENERATE, body | {"content_parts": whole})
        with self._lock:
            self._sent |= set(hashes)
        return reply

    def close(self) -> None:
        """Ends the connections, and so the requests that are under way.

        A socket that another thread reads from stays open when it is closed, so it is shut down.
        """
        with self._lock:
            connected = list(self._sockets)
        for each in connected:
            with suppress(OSError):  # the server has ended this one
                each.shutdown(socket.SHUT_RDWR)
        self._client.close()

    def _trace(self, request: httpx2.Request) -> None:
        request.extensions["trace"] = self._note_socket

    def _note_socket(self, event: str, info: Mapping[str, Any]) -> None:
        if event in CONNECTED:
            with self._lock:
                self._sockets.add(info["return_value"].get_extra_info("socket"))

    @property
    def _quick(self) -> openai.OpenAI:
        """For requests that need no model."""
        return self._client.with_options(max_retries=0, timeout=PROBED)

    def _get(self, path: str) -> Any:
        with _explained(f"{self.address}{path}", f"{PROBED:g} s"):
            return self._quick.get(path, cast_to=object)

    def _post(self, path: str, body: Mapping[str, Any], *, tries: int | None = None) -> Any:
        client = self._client if tries is None else self._client.with_options(max_retries=tries)
        with _explained(f"{self.address}{path}", f"{self._timeout:g} s (rollout.timeout)"):
            return client.post(path, cast_to=object, body=dict(body))

    def _status(self, path: str) -> int:
        """The status of an empty request, which the endpoint refuses as such where it is there."""
        try:
            self._quick.post(path, cast_to=object, body={})
        except openai.APIStatusError as error:
            return error.status_code
        except openai.APIConnectionError as error:
            raise InputError(f"rollout.address={self.address}: {_cause(error)}") from error
        return 200


class _PictureGoneError(Exception):
    """The server no longer holds a picture that was named by its hash."""


@contextmanager
def _explained(place: str, limit: str) -> Iterator[None]:
    """Turns a failed request into one line.

    Args:
        place: address and endpoint.
        limit: how long the request may take.
    """
    try:
        yield
    except openai.APIStatusError as error:
        reason = _complaint(error)
        if NOT_KEPT in reason:
            raise _PictureGoneError from error
        remedy = REMEDIES.get(error.status_code, "")
        raise InputError(
            f"rollout: {place} answers {error.status_code}: {reason}{remedy}"
        ) from error
    except openai.APITimeoutError as error:
        raise InputError(f"rollout: {place} gave no answer within {limit}; {AGAIN}") from error
    except openai.APIConnectionError as error:
        raise InputError(f"rollout: {place} is not there ({_cause(error)}); {AGAIN}") from error
    except (ValueError, openai.OpenAIError) as error:
        raise InputError(f"rollout: {place}: no proper answer ({_one_line(error)})") from error


def _complaint(error: openai.APIStatusError) -> str:
    """The server's own words."""
    body = error.body
    said = body.get("message", body) if isinstance(body, Mapping) else body
    return " ".join(str(said or error).split())[:LONGEST_REASON]


def _cause(error: Exception) -> str:
    return _one_line(error.__cause__ or error)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:LONGEST_REASON] or type(error).__name__


def _url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
