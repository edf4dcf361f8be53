"""A loopback server that stands in for vLLM with what a real one has answered, and its recorder.

Both sit on the address that a client asks. The recorder passes each request on to a real server and
keeps the exchange; the stand-in looks it up. Requests are compared without what differs between two
runs of the same session: the names and folders of adapters, and the bytes of pictures.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2

FOLDER = Path(__file__).parents[1] / "serving" / "recorded"
Answer = tuple[int, Any]
MODELS, GENERATE = "/v1/models", "/inference/v1/generate"
LOAD, UNLOAD = "/v1/load_lora_adapter", "/v1/unload_lora_adapter"


class Session:
    """The exchanges of one session, and the adapters that are loaded at the moment.

    Attributes:
        exchanges: the compared part of a request → status and answer.
        loaded: adapter → the name under which exchanges know it.
    """

    def __init__(self, exchanges: dict[str, Answer] | None = None) -> None:
        self.exchanges = exchanges or {}
        self.loaded: dict[str, str] = {}
        self.asked: list[tuple[str, Any]] = []
        self._count = 0

    @classmethod
    def read(cls, name: str, *, loaded_before: int = 0) -> Session:
        """A recorded session, begun after some of its adapters were loaded."""
        rows = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        session = cls({row["request"]: (row["status"], row["answer"]) for row in rows})
        session._count = loaded_before
        return session

    def write(self, name: str) -> None:
        rows = [
            json.dumps({"request": request, "status": status, "answer": answer})
            for request, (status, answer) in sorted(self.exchanges.items())
        ]
        FOLDER.mkdir(exist_ok=True)
        text = "[\n" + ",\n".join(rows) + "\n]\n"
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")

    def note_load(self, name: str) -> None:
        self._count += 1
        self.loaded[name] = f"adapter-{self._count}"

    def compared(self, path: str, body: Any) -> str:
        """The part of a request by which its answer is found."""
        if path == LOAD:
            return f"{path} {self.loaded[body['lora_name']]}" if "lora_name" in body else path
        if path == UNLOAD:
            return path
        if path == GENERATE and body:
            pictures = [part["url"] is not None for part in body["content_parts"]]
            model = self.loaded.get(body["model"], body["model"])
            # Which of equal pictures is sent first is a matter of chance.
            rest = {"model": model, "pictures": len(pictures)}
            body = {**rest, "ids": body["token_ids"], "sampling": body["sampling_params"]}
        return f"{path} {json.dumps(body, sort_keys=True)}"


def essence(answer: Any) -> Any:
    """The part of an answer that the client reads."""
    if not isinstance(answer, dict) or "choices" not in answer:
        return answer
    prompt = answer["prompt_logprobs"]
    scored = prompt and [entry and _scores(entry) for entry in prompt]
    return {
        "prompt_token_ids": answer["prompt_token_ids"],
        "prompt_logprobs": scored,
        "choices": [_choice(choice) for choice in answer["choices"]],
    }


def _scores(entry: dict[str, Any]) -> dict[str, Any]:
    return {token: {"logprob": round(value["logprob"], 6)} for token, value in entry.items()}


def _choice(choice: dict[str, Any]) -> dict[str, Any]:
    kept = {key: choice[key] for key in ("index", "finish_reason", "token_ids")}
    scored = choice["logprobs"] and [
        {"token_id": entry["token_id"], "logprob": round(entry["logprob"], 6)}
        for entry in choice["logprobs"]["content"]
    ]
    return {**kept, "logprobs": scored and {"content": scored}}


@contextmanager
def standing_in(session: Session, **changes: Callable[[Any, Any], Answer]) -> Iterator[str]:
    """The address of a server that answers as recorded.

    Args:
        session: what it knows.
        changes: ``generate`` makes another answer from the request's body and the recorded answer.
    """

    def answer(path: str, body: Any) -> Answer:
        if path == "/version":
            return 200, {"version": "recorded"}
        if path == MODELS:
            names = ["base", *session.loaded]
            return 200, {"data": [{"id": name} for name in names]}
        if path == LOAD and "lora_name" in body:
            session.note_load(body["lora_name"])
        if path == UNLOAD:
            known = session.loaded.pop(body["lora_name"], None)
            return (200, "Success") if known else (404, {"error": {"message": "cannot be found"}})
        found = session.exchanges[session.compared(path, body)]
        if path == LOAD and found[0] != 200 and body:
            del session.loaded[body["lora_name"]]
        if path == GENERATE and body and "generate" in changes:
            return changes["generate"](body, found[1])
        return found

    with listening(session, answer) as address:
        yield address


@contextmanager
def recording(session: Session, upstream: str, key: str) -> Iterator[str]:
    """The address of a server that passes everything on to the real one and keeps the exchange."""
    client = httpx2.Client(
        base_url=upstream, headers={"Authorization": f"Bearer {key}"}, timeout=600, trust_env=False
    )

    def answer(path: str, body: Any) -> Answer:
        reply = client.get(path) if body is None else client.post(path, json=body)
        plain = reply.headers.get("content-type", "").startswith("application/json")
        said = reply.json() if plain else reply.text
        if path == LOAD and "lora_name" in body:
            session.note_load(body["lora_name"])
        if path in (GENERATE, LOAD):
            session.exchanges[session.compared(path, body)] = (reply.status_code, essence(said))
        if path == UNLOAD or (path == LOAD and body and reply.status_code != 200):
            session.loaded.pop(body["lora_name"], None)
        return reply.status_code, said

    with client, listening(session, answer) as address:
        yield address


@contextmanager
def listening(session: Session, answer: Callable[[str, Any], Answer]) -> Iterator[str]:
    """The address of a server that answers as the function says, which gets path and body."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # noqa: N802
            self._reply(None)

        def do_POST(self) -> None:  # noqa: N802
            size = int(self.headers["Content-Length"])
            self._reply(json.loads(self.rfile.read(size)))

        def _reply(self, body: Any) -> None:
            with lock:
                session.asked.append((self.path, body))
                status, said = answer(self.path, body)
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
