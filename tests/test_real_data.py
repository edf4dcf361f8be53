"""Every stage on real MNRE-2 lines, with blank pictures and the tiny model.

The scores are poor; nothing may break.
"""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from helpers.configured import run_config
from mmie.pipeline import execute
from mmie.results import read_results

pytestmark = pytest.mark.usefixtures("no_pictures")

ROOT = Path(__file__).parents[1]
MNRE = ROOT.parent / "shared/data/mnre"


class Teacher(BaseHTTPRequestHandler):
    """A chat completions server that reasons in one sentence and finds it convincing."""

    def do_POST(self) -> None:  # noqa: N802
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps(
            {
                "choices": [
                    {"index": 0, "message": {"role": "assistant", "content": self._answer(body)}}
                ]
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _answer(self, body: dict) -> str:
        prompt = "".join(part.get("text", "") for part in body["messages"][-1]["content"])
        if prompt.startswith("Score"):
            return "Score: 0.9"
        if "The 5-tuple is: {" in prompt:
            answer = prompt.rsplit("The 5-tuple is: {", 1)[1].rstrip("}")
            return f"The picture shows nothing. The text says it all: {answer}"
        chain = prompt.rsplit("The reasoning is: {", 1)[1].rsplit("}", 1)[0]
        return f"<answer>{chain.split('The text says it all: ', 1)[1]}</answer>"

    def log_message(self, *args: object) -> None:
        """Silence."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Teacher) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{http.server_port}/v1")
        yield
        http.shutdown()
        thread.join()


@pytest.mark.slow
@pytest.mark.skipif(not MNRE.is_dir(), reason="the MNRE-2 text files are not at hand")
def test_every_stage_runs_on_64_real_samples(tmp_path: Path, server: None) -> None:
    overrides = [
        "data=mnre",
        f"data.root={MNRE}",
        "data.missing_images=blank",
        "data.limit={train: 48, val: 8, test: 8}",
        "teacher=openai",
        "cot.candidates=2",
        f"artifacts={tmp_path}/artifacts",
        "sft.epochs=1",
        "sft.batch_size=8",
        "sft.micro_batch_size=8",
        "grpo.epochs=0.25",
        "grpo.prompts_per_step=4",
        "grpo.micro_prompts=4",
        "grpo.group_size=2",
        "grpo.max_new_tokens=24",
        "evaluation.max_new_tokens=24",
        "evaluation.bootstrap_samples=20",
        "grpo.validations=1",
        "logger.wandb=false",
        "trainer.threads=1",
    ]
    (tmp_path / "out").mkdir()
    path = execute(run_config(*overrides), tmp_path / "out")
    assert path is not None
    results = read_results(path)
    assert results.notes["blank_pictures"] == {"train": 48, "val": 8, "test": 8}
    assert list(results.systems) == ["zero-shot", "warm-up", "JMERE-R1"]
    counts = json.loads(
        next((tmp_path / "artifacts/filter").glob("*/counts.json")).read_text(encoding="utf-8")
    )
    assert [row["candidates"] for row in counts] == [96, 96, 96, 96, 48]
