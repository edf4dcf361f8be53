"""One connection to a server that speaks OpenAI's chat completions.

This module imports ``openai``. ``mmie.distil.teacher`` imports it with the first request only, so a
machine without that package can still train from a record of answers or with a toy teacher.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai

from mmie.distil.answer import Answer
from mmie.distil.replies import Complaint, read_reply
from mmie.errors import InputError

OPENAI_URL = "https://api.openai.com/v1"
LONGEST_RETRY_AFTER = 60.0  # seconds; a server that asks for a longer pause is not obeyed
SHORTEST_SECRET = 8  # characters; local servers take keys like "x", which ordinary words contain
LONGEST_REASON = 300  # characters of a server's complaint that go into our message
# What a wrong proxy, certificate or host name raises, besides the errors of openai itself.
SETUP_ERRORS = (ImportError, ValueError, OSError, httpx2.InvalidURL)


class Connection:
    """Sends requests one by one; whoever calls it decides about further tries.

    Attributes:
        client: openai's own, for calls other than chat completions.
    """

    def __init__(self, model: str, *, timeout: float, api_key_env: str, base_url_env: str) -> None:
        """Reads key and address from the environment.

        Args:
            model: the model that answers.
            timeout: seconds for one try, from the question to the last byte of the answer.
            api_key_env, base_url_env: the environment variables; without an address it is OpenAI.

        Raises:
            InputError: there is no key, the address is none, or proxy or certificates are broken.
        """
        self._model = model
        self._timeout = timeout
        key, address = _read_key(api_key_env), _read_address(base_url_env)
        try:
            # We build the HTTP client ourselves: openai's own one prints a complaint at exit if
            # building it failed half-way.
            http = openai.DefaultAsyncHttpxClient(timeout=timeout)
            self.client = openai.AsyncOpenAI(
                api_key=key, base_url=address, max_retries=0, timeout=timeout, http_client=http
            )
        except (*SETUP_ERRORS, openai.OpenAIError) as error:
            raise InputError(
                f"teacher {model}: cannot make a connection ({_one_line(error)}); check the "
                f"environment variables {base_url_env}, ALL_PROXY, HTTP_PROXY, HTTPS_PROXY and "
                "SSL_CERT_FILE"
            ) from error

    @property
    def server(self) -> str:
        """Host and port, without a user name or password that the address may hold."""
        return self.client.base_url.netloc.decode()

    async def send(
        self, content: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any]
    ) -> tuple[Answer | Complaint, float | None]:
        """One try: its outcome, and the seconds that the server asks us to wait, if it does.

        Args:
            content: the parts of the user's message.
            parameters: all other fields of the request's body.
        """
        message: Any = {"role": "user", "content": content}
        try:
            # The client's own limit starts anew with every byte. This one bounds the whole try.
            async with asyncio.timeout(self._timeout):
                response = await self.client.chat.completions.with_raw_response.create(
                    model=self._model,
                    messages=[message],
                    extra_body=dict(parameters),
                )
        except openai.APIStatusError as error:
            reply = read_reply(error.status_code, error.response.content, options=parameters)
            return reply, _retry_after(error.response.headers)
        except (TimeoutError, openai.APITimeoutError):
            reason = f"timed out after {self._timeout:g} s (teacher.timeout)"
            return Complaint("retry", reason, lone=True), None
        except openai.APIConnectionError as error:
            return Complaint("retry", f"{error} {error.__cause__ or ''}"), None
        except (*SETUP_ERRORS, openai.OpenAIError) as error:
            return Complaint("stop", f"cannot send the request ({_one_line(error)})"), None
        return read_reply(response.status_code, response.content, options=parameters), None

    def printable(self, reason: str) -> str:
        """A server's words on one line of bounded length.

        The key is replaced, because some servers repeat it in their messages.
        """
        return _printable(reason, self.client.api_key)

    async def close(self) -> None:
        await self.client.close()


def _printable(reason: str, key: str) -> str:
    safe = reason.replace(key, "<key>") if len(key) >= SHORTEST_SECRET else reason
    return " ".join(safe.split())[:LONGEST_REASON]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:LONGEST_REASON] or type(error).__name__


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of ``Retry-After-Ms`` or ``Retry-After``, unless they are absurd."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        return seconds if 0 <= seconds <= LONGEST_RETRY_AFTER else None
    return None


def _read_key(variable: str) -> str:
    key = os.environ.get(variable, "").strip()
    if not key or not key.isascii():
        raise InputError(f"environment variable {variable} holds no key for the teacher: set it")
    return key


def _read_address(variable: str) -> str:
    address = os.environ.get(variable, "").strip() or OPENAI_URL
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InputError(
            f"environment variable {variable} is not the address of a server: "
            f"set it to one like {OPENAI_URL}"
        )
    return address
