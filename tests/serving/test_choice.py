"""What a choice of ``rollout=`` refuses before anything is computed or paid for."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.configured import run_config
from helpers.served import choice_of, use_of
from mmie.config import node
from mmie.errors import InputError
from mmie.serving.choice import Local
from mmie.serving.server import start_server

PYTHON = {"address": None, "command": [sys.executable, "-c"]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"concurrency": 0}, "rollout.concurrency: 0 is out of range; it is at least 1"),
        ({"command": "vllm serve"}, "rollout.command: 'vllm serve' is no list"),
        ({"max_gap": 0.0}, "rollout.max_gap: 0.0 is not above 0"),
        ({"timeout": math.inf}, "rollout.timeout: inf is not above 0, or not finite"),
        ({"gpu_memory": 7.0}, "rollout.gpu_memory: 7.0 is a share, so at most 1"),
        ({"address": "localhost:8000"}, "rollout.address: localhost:8000 is no address such as"),
        ({"address": ""}, "rollout.address:  is no address such as http://localhost:8000"),
        ({"max_lora_rank": 24}, "rollout.max_lora_rank: 24: vLLM takes 1, 8, 16, 32"),
        ({"address": None, "command": []}, "rollout.command: it is empty; name what starts vLLM"),
    ],
)
def test_a_value_out_of_range_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refusal:
        choice_of(**{"address": "http://localhost:8000", **changes})
    assert str(refusal.value).startswith(message)


@pytest.mark.parametrize(
    ("use", "changes", "message"),
    [
        ({"rank": 600}, {}, "lora.rank: 600: vLLM serves at most 512"),
        ({"rank": 32}, {"max_lora_rank": 16}, "rollout.max_lora_rank: 16 is below lora.rank=32"),
        ({"new_tokens": 9}, {"max_model_len": 9}, "rollout.max_model_len: 9 tokens, which hold no"),
        ({"processes": 4}, {}, "rollout.address: each of the 4 processes would start a server"),
        ({}, {"command": ["no-vllm"]}, "rollout.command: no-vllm is no program; install vLLM"),
        (
            {"targets": r".*\.(q_proj|qkv)"},
            {},
            "lora.targets: it also fits model.visual.blocks.0.attn.qkv, and vLLM serves adapters",
        ),
    ],
)
def test_what_cannot_be_served_is_refused(
    tmp_path: Path, use: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    sound = use_of(tmp_path)
    choice_of(**PYTHON).check(sound)
    with pytest.raises(InputError) as refusal:
        choice_of(**{**PYTHON, **changes}).check(replace(sound, **use))
    assert str(refusal.value).startswith(message)


@pytest.mark.parametrize("profile", ["toy", "small", "paper"])
def test_there_are_values_for_each_profile(profile: str) -> None:
    node(run_config("rollout=vllm", f"profile={profile}").rollout)


@pytest.mark.parametrize(("rank", "served"), [(4, 8), (8, 8), (9, 16), (128, 128), (129, 256)])
def test_the_server_is_told_the_least_rank_that_holds_the_adapter(rank: int, served: int) -> None:
    assert choice_of(None).served_rank(rank) == served


def test_a_server_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    choice = choice_of(**PYTHON, arguments=[], environment={})
    script = "import sys; print('no room for the cache'); sys.exit(3)"
    failing = replace(choice, command=[*choice.command, script])
    log = tmp_path / "server" / "server.log"
    with pytest.raises(InputError) as refusal:
        start_server(failing, use_of(tmp_path), log)
    message = str(refusal.value)
    assert "has ended with status 3" in message
    assert f"its log is {log} (no room for the cache)" in message


# How vLLM goes down: a warning at the start, the cause, an error that follows from it, a warning.
VLLM_LOG = """\
(APIServer pid=7) WARNING 11-28 07:39:10 Found ulimit of 20000. `OSError: [Errno 24] Too many open`
(Worker pid=9) ERROR 11-28 07:40:47 [core.py:10]     gen.set_offset(gen.get_offset() - 4)
(Worker pid=9) ERROR 11-28 07:40:47 [core.py:10] RuntimeError: CPU Generator does not use offset
(APIServer pid=7) ERROR 11-28 07:40:47 vllm.v1.engine.exceptions.EngineDeadError: see above
UserWarning: resource_tracker: There appear to be 2 leaked shared_memory objects
  warnings.warn('resource_tracker: There appear to be %d '
"""


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (VLLM_LOG, "RuntimeError: CPU Generator does not use offset"),
        ("api_server.py: error: unrecognized arguments: --foo", "error: unrecognized arguments"),
    ],
)
def test_the_cause_is_found_in_the_log_of_this_start(tmp_path: Path, log: str, cause: str) -> None:
    place = tmp_path / "server.log"
    place.write_text("ValueError: of the start before\n")
    said = f"print({log!r})"
    with pytest.raises(InputError, match=rf"ended with status 0; .*/server\.log \({cause}"):
        start_server(choice_of(None, command=[sys.executable, "-c", said]), use_of(tmp_path), place)


def test_a_server_that_never_answers_is_ended(tmp_path: Path) -> None:
    choice = choice_of(**PYTHON, start_timeout=0.1)
    script = "import time; time.sleep(60)"
    silent = replace(choice, command=[*choice.command, script])
    with pytest.raises(InputError, match=r"does not answer after 0\.1 s \(rollout\.start_timeout"):
        start_server(silent, use_of(tmp_path), tmp_path / "server.log")


def test_this_process_is_no_part_of_a_key(tmp_path: Path) -> None:
    here = Local(cuda_graphs="never")
    here.check(use_of(tmp_path))
    assert here.identity == Local(cuda_graphs="auto").identity == {}


@pytest.mark.parametrize("word", ["always", True, None])
def test_a_capture_that_is_none_is_refused(word: Any) -> None:
    with pytest.raises(InputError, match=f"rollout.cuda_graphs: {word!r} is none of auto, never"):
        Local(cuda_graphs=word)
