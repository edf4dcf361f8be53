"""A server on loopback that speaks chat completions, well or badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from helpers.batch_api import BatchAPI


def png(shade: int = 0) -> bytes:
    """A small picture; another shade is another picture."""
    content = BytesIO()
    Image.new("L", (4, 3), shade).save(content, format="PNG")
    return content.getvalue()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Loopback

    def do_POST(self) -> None:  # noqa: N802  the base class's name
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith(("/v1/files", "/v1/batches")):
            return self.server.batch_api.post(self, content)
        question = json.loads(content)
        with self.server.lock:
            self.server.received.append(question)
            number = len(self.server.received)
        self.server.paths.append((self.path, self.headers["Authorization"]))
        return self.server.reply(self, question, number)

    def do_GET(self) -> None:  # noqa: N802  the base class's name
        self.server.batch_api.get(self)

    def send(
        self, status: int, body: bytes, *, length: int | None = None, kind: str = "application/json"
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("Retry-After-Ms", "1")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = length is not None

    def log_message(self, *_: Any) -> None:
        pass


class Loopback(ThreadingHTTPServer):
    """Stores every question in ``received``.

    It answers with ``reply(handler, question, number)``, where the first question has number 1.
    ``batch_api`` answers in batches.
    """

    batch_api: BatchAPI

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.received: list[dict[str, Any]] = []
        self.paths: list[tuple[str, str]] = []
        self.reply: Callable[[Handler, dict[str, Any], int], None] = lambda handler, *_: (
            self.complete(handler, "Fine.")
        )

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def complete(self, handler: Handler, content: Any) -> None:
        handler.send(200, self.completion({"role": "assistant", "content": content}))

    def completion(self, message: Any) -> bytes:
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        response = {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [choice],
        }
        return json.dumps(response).encode()

    def fail(self, handler: Handler, fault: str) -> None:
        good = self.completion({"role": "assistant", "content": "Fine."})
        match fault:
            case "401" | "403" | "404" | "429" | "500" | "503":
                handler.send(int(fault), b'{"error": {"message": "not\\nnow"}}')
            case "half a body":
                handler.send(200, good[:40], length=len(good))
            case "nothing":
                handler.close_connection = True
            case "silence":
                self.ended.wait(5)
                handler.close_connection = True
            case "an empty body":
                handler.send(200, b"")
            case "a page":
                handler.send(200, b"<html>busy</html>", kind="text/html")
            case _:
                handler.send(200, fault.encode())


@pytest.fixture(name="png")
def _png() -> Callable[..., bytes]:
    return png


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """A running server to which the environment points."""
    with Loopback() as loopback:
        monkeypatch.setenv("OPENAI_API_KEY", "test-key")
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://{loopback.address}/v1")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        threading.Thread(target=loopback.serve_forever, args=(0.01,), daemon=True).start()
        yield loopback
        loopback.ended.set()
        loopback.shutdown()
