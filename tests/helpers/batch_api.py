"""OpenAI's Batch API on the loopback server, as far as it is documented.

A batch goes one step on with every look at it. Output files have the
answers in another order than the requests, error files the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from email import message_from_bytes
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qs, urlsplit

ALL_STEPS = ("validating", "in_progress", "finalizing", "completed")
ENDED = ("completed", "failed", "expired", "cancelled")
PAGE = 2  # batches in one page of the list; a client must turn pages
Reply = tuple[int, dict[str, Any]] | None


class BatchAPI:
    """Files and batches.

    Args:
        respond: takes the body of a request; gives status and body of its response, or None if the
            batch expires before the request is answered.

    Attributes:
        files: id → content.
        batches: id → batch, oldest first.
        created: the calls that started a batch.
        limit: requests that one file may have.
        steps: the states of a batch; few by default, for the sake of time.
        errors: of the next batch: it fails at once.
        before_reply: called with the method and the path of each call when its work is done, but
            its reply is not sent yet. If it returns True, none is sent.
    """

    def __init__(self, respond: Callable[[dict[str, Any]], Reply]) -> None:
        self.respond = respond
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.created = 0
        self.limit = 50_000
        self.steps: tuple[str, ...] = ("validating", "completed")
        self.errors: list[dict[str, Any]] = []
        self.before_reply: Callable[[str, str], bool] = lambda method, path: False

    def requests(self) -> list[list[dict[str, Any]]]:
        """The requests of each batch."""
        return [self._lines(batch["input_file_id"]) for batch in self.batches.values()]

    def post(self, handler: Any, content: bytes) -> None:
        path = urlsplit(handler.path).path
        if path.endswith("/files"):
            value = self._store(_form(handler.headers["Content-Type"], content))
        else:
            value = self._create(json.loads(content))
        self._send(handler, "POST", path, value)

    def get(self, handler: Any) -> None:
        parts = urlsplit(handler.path)
        *_, name, last = parts.path.split("/")
        if last == "content":
            body = self.files[name]
            return None if self.before_reply("GET", parts.path) else handler.send(200, body)
        if last == "batches":
            value = self._list(parse_qs(parts.query))
        else:
            value = self._step(self.batches[last])
        return self._send(handler, "GET", parts.path, value)

    def _send(self, handler: Any, method: str, path: str, value: dict[str, Any]) -> None:
        if self.before_reply(method, path):
            handler.close_connection = True
        else:
            handler.send(200, json.dumps(value).encode())

    def _store(self, form: dict[str, bytes]) -> dict[str, Any]:
        assert form["purpose"] == b"batch"
        return self._file(form["file"])

    def _file(self, content: bytes) -> dict[str, Any]:
        name = f"file-{len(self.files)}"
        self.files[name] = content
        return {
            "id": name,
            "object": "file",
            "bytes": len(content),
            "created_at": 0,
            "filename": "requests.jsonl",
            "purpose": "batch",
            "status": "processed",
        }

    def _create(self, wanted: dict[str, Any]) -> dict[str, Any]:
        assert wanted["completion_window"] == "24h"
        assert wanted["endpoint"] == "/v1/chat/completions"
        lines = self._lines(wanted["input_file_id"])
        assert 0 < len(lines) <= self.limit
        assert len({line["custom_id"] for line in lines}) == len(lines)
        assert all(0 < len(line["custom_id"]) <= 64 for line in lines)
        assert {(line["method"], line["url"]) for line in lines} == {("POST", wanted["endpoint"])}
        self.created += 1
        batch = {
            **wanted,
            "id": f"batch_{self.created}",
            "object": "batch",
            "created_at": 2_000_000_000 + self.created,
            "status": "failed" if self.errors else self.steps[0],
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
        }
        self.errors = []
        self.batches[batch["id"]] = batch
        return batch

    def _list(self, query: dict[str, list[str]]) -> dict[str, Any]:
        newest = list(reversed(self.batches.values()))
        ids = [batch["id"] for batch in newest]
        start = ids.index(query["after"][0]) + 1 if "after" in query else 0
        page = newest[start : start + PAGE]
        return {
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": start + PAGE < len(newest),
        }

    def _step(self, batch: dict[str, Any]) -> dict[str, Any]:
        if batch["status"] in ENDED:
            return batch
        batch["status"] = self.steps[self.steps.index(batch["status"]) + 1]
        if batch["status"] == "completed":
            self._finish(batch)
        return batch

    def _finish(self, batch: dict[str, Any]) -> None:
        good, bad = [], []
        for line in self._lines(batch["input_file_id"]):
            reply = self.respond(line["body"])
            row = {"id": f"batch_req_{len(good)}", "custom_id": line["custom_id"], "error": None}
            if reply is None:
                batch["status"] = "expired"
                error = {"code": "batch_expired", "message": "This request expired."}
                bad.append({**row, "response": None, "error": error})
            else:
                status, body = reply
                response = {"status_code": status, "request_id": "r", "body": body}
                (good if status == 200 else bad).append({**row, "response": response})
        for key, rows in (("output_file_id", good), ("error_file_id", bad)):
            if rows:
                text = "".join(json.dumps(row) + "\n" for row in reversed(rows))
                batch[key] = self._file(text.encode())["id"]
        batch["request_counts"].update(completed=len(good), failed=len(bad))

    def _lines(self, file: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files[file].splitlines()]


def _form(kind: str, content: bytes) -> dict[str, bytes]:
    """The fields of a multipart form."""
    message = message_from_bytes(
        b"Content-Type: " + kind.encode() + b"\r\n\r\n" + content, policy=HTTP
    )
    fields = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        fields[name] = part.get_payload(decode=True)
    return fields
