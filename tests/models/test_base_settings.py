"""Whether a base is quantised is known from its settings, wherever they lie."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mmie.errors import InputError
from mmie.models import base_settings
from mmie.models.base_settings import refuse_quantised

QUANTISED = {"quantization_config": {"quant_method": "awq"}}


class Hub(http.server.BaseHTTPRequestHandler):
    """Has ``some/quantised`` and ``some/whole``."""

    def do_GET(self) -> None:  # noqa: N802  (the library's name)
        settings = {"quantised": QUANTISED, "whole": {}}.get(self.path.split("/")[2])
        self.send_response(404 if settings is None else 200)
        self.end_headers()
        self.wfile.write(json.dumps(settings).encode())

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with http.server.HTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        url = lambda name, file: f"{address}/{name}/{file}"  # noqa: E731
        monkeypatch.setattr(base_settings, "hf_hub_url", url)
        yield
        server.shutdown()


def test_a_folder_is_looked_into(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QUANTISED))
    with pytest.raises(InputError, match=r"^model\.path=.*: its weights are quantised"):
        refuse_quantised(str(tmp_path))
    for content in ("{}", "{", "[]", '{"quantization_config": null}'):
        (tmp_path / "config.json").write_text(content)
        refuse_quantised(str(tmp_path))
    refuse_quantised("mmie:toy/qwen2_5_vl")


def test_the_hub_is_asked_before_anything_is_downloaded(hub: None) -> None:
    with pytest.raises(InputError, match=r"^model\.path=some/quantised: its weights are"):
        refuse_quantised("some/quantised")
    refuse_quantised("some/whole")


@pytest.mark.parametrize("path", ["some/unknown", "a b"])
def test_what_cannot_be_reached_is_left_to_the_loading(hub: None, path: str) -> None:
    refuse_quantised(path)


def test_no_network_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_settings, "hf_hub_url", lambda *_: "http://127.0.0.1:9/config.json")
    refuse_quantised("some/model")


def test_a_folder_that_holds_no_checkpoint_is_named_before_anything_is_paid(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("")
    with pytest.raises(
        InputError, match=rf"^model\.path={tmp_path}: there is no config\.json in it"
    ):
        refuse_quantised(str(tmp_path))


def test_a_folder_that_is_not_there_is_named_before_anything_is_paid() -> None:
    with pytest.raises(InputError, match=r"^model\.path=data/models/x: there is no such folder"):
        refuse_quantised("data/models/x")
