"""The engine that asks a server, against what a real vLLM has answered."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch

from helpers.adapters import adapter_hash
from helpers.recorded import GENERATE, LOAD, UNLOAD, Session, listening, standing_in
from helpers.served import (
    GREEDY,
    NEUTRAL,
    adapt,
    choice_of,
    opened,
    questions,
    toy_policy,
    use_of,
    whole_session,
)
from mmie.errors import InputError
from mmie.models.policy import Policy
from mmie.serving import client as client_module
from mmie.serving import vllm
from mmie.serving.adapters import ServedAdapter
from mmie.serving.client import Client
from mmie.serving.local import LocalEngine
from mmie.serving.server import Server
from mmie.serving.vllm import open_engine, seed_of


@pytest.fixture
def policy() -> Policy:
    return toy_policy()


@pytest.fixture
def unproven(monkeypatch: pytest.MonkeyPatch) -> Session:
    """The session after its proof, which takes a second."""
    monkeypatch.setattr(ServedAdapter, "prove", lambda self: None)
    return Session.read("whole", loaded_before=1)


@pytest.mark.slow
def test_a_session_gives_what_the_policy_itself_gives(policy: Policy, tmp_path: Path) -> None:
    asked, session = questions(policy, tmp_path), Session.read("whole")
    before = adapter_hash(policy)
    with standing_in(session) as address, opened(address, policy, tmp_path) as engine:
        assert adapter_hash(policy) == before
        seen = whole_session(engine, policy, asked)
        second = LocalEngine(policy).sample(asked, ["", "", ""], sampling=GREEDY)
    assert torch.equal(seen.second.tokens[seen.second.mask], second.tokens[second.mask])
    assert torch.equal(seen.second.mask, second.mask)
    assert torch.allclose(seen.second.logps, second.logps, atol=1e-3)
    assert len(seen.neutral.tokens) == 9
    assert len(seen.cool.tokens) == 2
    assert engine.name == "vllm recorded"
    assert session.loaded == {}  # nothing is left on a server that goes on running
    rows = (tmp_path / "server" / "adapters" / "loaded.jsonl").read_text().splitlines()
    shares = [json.loads(row)["share_of_change"] for row in rows]
    assert shares == pytest.approx([1.0, 1.0], abs=0.01)


def test_what_a_request_says(policy: Policy, tmp_path: Path, unproven: Session) -> None:
    """All that decides about a token is set, and a picture is sent once."""
    asked = questions(policy, tmp_path)
    one = {"concurrency": 1}
    with standing_in(unproven) as address, opened(address, policy, tmp_path, **one) as engine:
        whole_session(engine, policy, asked)
    bodies = [body for path, body in unproven.asked if path == GENERATE and body]
    groups = [body["sampling_params"] for body in bodies if body["sampling_params"].get("n") == 3]
    assert [group["seed"] for group in groups] == [seed_of(f"key-q{n}") for n in range(3)]
    neutral = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "logprobs": 0}
    assert groups[0].items() >= {**neutral, "repetition_penalty": 1.0, "ignore_eos": True}.items()
    assert groups[0]["stop_token_ids"] == policy.eos_ids
    assert {int(name) for name in groups[0]["logit_bias"]} == set(policy.suppressed)
    parts = [part for body in bodies for part in body["content_parts"]]
    sent = [part["uuid"] for part in parts if part["url"]]
    assert len(sent) == len(set(sent)) == 4  # three questions and the blank one of the probes
    assert len(parts) > 2 * len(sent)


@pytest.mark.parametrize(
    ("name", "rank", "message"),
    [
        ("too_small", 32, r"answers \d+: .*LoRA rank 32 is greater than max_lora_rank 16"),
        ("ignoring", 8, r"ignores the adapter's down_proj, gate_proj, up_proj: serve all layers"),
    ],
)
def test_a_server_that_cannot_serve_the_adapter_is_refused(
    tmp_path: Path, name: str, rank: int, message: str
) -> None:
    policy = toy_policy(rank=rank)
    before = adapter_hash(policy)
    with standing_in(Session.read(name)) as address, pytest.raises(InputError, match=message):
        open_engine(choice_of(address), policy, use_of(tmp_path, rank=rank))
    assert adapter_hash(policy) == before


def test_an_adapter_of_before_is_refused(policy: Policy, tmp_path: Path, unproven: Session) -> None:
    asked, compared = questions(policy, tmp_path), unproven.compared

    def stale(path: str, body: Any) -> str:
        """adapter-1 is the one of random weights, adapter-2 and -3 are the policy's."""
        return compared(path, body).replace("adapter-3", "adapter-2")

    with standing_in(unproven) as address, opened(address, policy, tmp_path) as engine:
        unproven.compared = stale  # type: ignore[method-assign]
        with pytest.raises(InputError, match=r"it shows (-?0|1)% of the change"):
            whole_session(engine, policy, asked)


Change = Callable[[Any, Any], tuple[int, Any]]


def lengthened(body: Any, answer: Any) -> tuple[int, Any]:
    for choice in answer["choices"] if answer["prompt_logprobs"] is None else []:
        choice["token_ids"] = [*choice["token_ids"], 9]
    return 200, answer


def other_tokens(body: Any, answer: Any) -> tuple[int, Any]:
    """The same log-probabilities, said of other tokens."""
    for choice in answer["choices"] if answer["prompt_logprobs"] is None else []:
        for place, entry in enumerate(choice["logprobs"]["content"][:3]):
            entry["token_id"] = choice["token_ids"][place] = 20 + place
    return 200, answer


def other_prompt(body: Any, answer: Any) -> tuple[int, Any]:
    return 200, {**answer, "prompt_token_ids": answer["prompt_token_ids"][1:]}


def cut(body: Any, answer: Any) -> tuple[int, Any]:
    for choice in answer["choices"] if answer["prompt_logprobs"] is None else []:
        choice["token_ids"] = [20]
        choice["logprobs"] = {"content": [{"token_id": 20, "logprob": -1.0}]}
    return 200, answer


def broken(body: Any, answer: Any) -> tuple[int, Any]:
    return 503, {"error": {"message": "no room"}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lengthened, r"sample q0: .* has tokenised a text again$"),
        (other_tokens, r"its responses to q0, q1 log-probabilities .* other tokens or pictures$"),
        (other_prompt, r"sample q0: the server's prompt has \d+ tokens and ours \d+"),
        (cut, r"sample q0: a response of 1 tokens ends .* rollout\.max_model_len"),
        (broken, r"/inference/v1/generate answers 503: no room$"),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_refused(
    policy: Policy, tmp_path: Path, unproven: Session, change: Change, message: str
) -> None:
    asked = questions(policy, tmp_path)
    with (
        standing_in(unproven, generate=change) as address,
        opened(address, policy, tmp_path) as engine,
        pytest.raises(InputError, match=message),
        policy.base(),
    ):
        engine.sample(asked, ["key-q0", "key-q1", "key-q2"], sampling=GREEDY)


def test_a_picture_that_the_server_has_dropped_is_sent_again(tmp_path: Path) -> None:
    (refusal,) = Session.read("picture_gone").exchanges.values()
    session = Session()
    dropped: list[int] = []

    def forgetful(body: Any, _: Any) -> tuple[int, Any]:
        if body["content_parts"][0]["url"] is None:
            dropped.append(1)
            return refusal
        return 200, {"done": True}

    session.compared = lambda path, body: "any"  # type: ignore[method-assign]
    session.exchanges["any"] = (200, None)
    with standing_in(session, generate=forgetful) as address:
        client = Client(choice_of(address), address, key=None)
        for _ in range(2):
            assert client.generate("base", [1, 5], [b"png"], {}) == {"done": True}
        client.close()
    assert dropped == [1]


def test_a_server_that_is_gone_ends_the_run_with_one_line(
    policy: Policy, tmp_path: Path, unproven: Session
) -> None:
    gone = r"is not there .* goes on from its last resume point$"
    asked = questions(policy, tmp_path)
    with ExitStack() as stack:
        with standing_in(unproven) as address:
            engine = stack.enter_context(opened(address, policy, tmp_path))
        with pytest.raises(InputError, match=gone):
            engine.sample(asked, ["a", "b", "c"], sampling=GREEDY)


def test_the_end_of_a_server_of_our_own_is_told_with_its_last_words(
    policy: Policy, tmp_path: Path, unproven: Session
) -> None:
    script = "print('killed for its memory'); raise SystemExit(9)"
    asked, log = questions(policy, tmp_path), tmp_path / "server.log"
    with ExitStack() as stack:
        with standing_in(unproven) as address:
            engine = stack.enter_context(opened(address, policy, tmp_path))
        engine.server = Server([sys.executable, "-c", script], environment={}, log=log)
        engine.server._process.wait()
        with pytest.raises(InputError, match=r"is gone: .* status 9; .*\(killed for its memory\)"):
            engine.sample(asked, ["a", "b", "c"], sampling=GREEDY)


def test_a_server_of_our_own_that_ends_in_the_proof_is_told_with_its_last_words(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof asks the first request that computes, where a server may find no memory."""
    script = "print('killed for its memory'); raise SystemExit(9)"
    server = Server([sys.executable, "-c", script], environment={}, log=tmp_path / "server.log")
    server._process.wait()
    monkeypatch.setattr(vllm, "start_server", lambda *_: server)
    choice, use = choice_of(None, command=[sys.executable]), use_of(tmp_path)
    with pytest.raises(InputError, match=r"is gone: .* status 9; .*\(killed for its memory\)"):
        open_engine(choice, policy, use)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({GENERATE: 403}, r"answers 403; start vLLM \(0\.32 or newer\) with --enable-scale-out"),
        ({LOAD: 404}, r"answers 404; start vLLM with --enable-lora and VLLM_ALLOW_RUNTIME"),
    ],
)
def test_a_server_without_an_endpoint_is_refused_before_the_run(
    tmp_path: Path, answers: dict[str, int], message: str
) -> None:
    session = Session.read("whole")
    for path, status in answers.items():
        for empty in (f"{path} {{}}", path):
            session.exchanges[empty] = (status, {"error": "no"})
    with standing_in(session) as address, pytest.raises(InputError, match=message):
        choice_of(address).check(use_of(tmp_path))


def test_a_server_of_another_model_is_refused_before_the_run(tmp_path: Path) -> None:
    with standing_in(Session.read("whole")) as address:
        choice_of(address).check(use_of(tmp_path))
        with pytest.raises(InputError, match=r"^rollout\.model=other: .* serves base; name one"):
            choice_of(address, model="other").check(use_of(tmp_path))
    with pytest.raises(InputError, match=r"^rollout: http://127\.0\.0\.1:9/v1/models is not"):
        choice_of("http://127.0.0.1:9/v1").check(use_of(tmp_path))


@pytest.mark.parametrize(
    ("status", "said", "message"),
    [
        (200, "<html>", r"^rollout\.address: .*/v1/models names no models: no vLLM answers there$"),
        (
            200,
            {"data": [{"id": "base", "max_model_len": 12}]},
            r"serves 12 tokens, which hold no prompt beside a response of 12: raise --max",
        ),
        (200, {"object": "list"}, r"names no models: no vLLM answers there$"),
        (401, {"error": "Unauthorized"}, r"/v1/models answers 401: .* rollout\.api_key_env names$"),
        (
            404,
            {"detail": "Not Found"},
            r"/v1/models answers 404: .*; either no vLLM answers there,",
        ),
    ],
)
def test_what_answers_must_be_a_vllm_that_knows_us(
    tmp_path: Path, status: int, said: Any, message: str
) -> None:
    with (
        listening(Session(), lambda path, body: (status, said)) as address,
        pytest.raises(InputError, match=message),
    ):
        choice_of(address).check(use_of(tmp_path))


@pytest.mark.parametrize("key", ["secret\n", "s\N{LATIN SMALL LETTER E WITH ACUTE}cret"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("VLLM_API_KEY", key)
    with pytest.raises(InputError, match=r"^rollout\.api_key_env: .* VLLM_API_KEY") as refusal:
        choice_of("http://127.0.0.1:9").check(use_of(tmp_path))
    assert "cret" not in str(refusal.value)


def test_a_server_that_hangs_does_not_hold_up_the_end_of_a_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Unloading is the last that a run asks for, and rollout.timeout may be an hour."""
    monkeypatch.setattr(client_module, "PROBED", 0.05)

    def late(path: str, body: Any) -> tuple[int, Any]:
        time.sleep(0.3)
        return 200, "Success"

    with (
        listening(Session(), late) as address,
        closing(Client(choice_of(address), address, key=None)) as client,
        pytest.raises(InputError, match=r"unload_lora_adapter gave no answer within 0\.05 s"),
    ):
        client.unload("mmie-1")


def test_closing_ends_the_requests_under_way() -> None:
    """A server waits for its connections before it ends, and Python for its threads."""
    asked, end = Event(), Event()

    def hanging(path: str, body: Any) -> tuple[int, Any]:
        asked.set()
        end.wait(10)
        return 200, {}

    with listening(Session(), hanging) as address, ThreadPoolExecutor() as pool:
        client = Client(choice_of(address), address, key=None)
        request = pool.submit(client.generate, "base", [1], [], {})
        asked.wait(10)
        client.close()
        try:
            with pytest.raises(InputError, match="is not there"):
                request.result(timeout=5)
        finally:
            end.set()


def test_a_server_that_was_started_anew_between_two_updates_is_asked_on(
    policy: Policy, tmp_path: Path, unproven: Session
) -> None:
    """It holds neither the adapter before nor the pictures."""
    asked = questions(policy, tmp_path)
    keys = [f"key-{question.id}" for question in asked]
    with standing_in(unproven) as address, opened(address, policy, tmp_path) as engine:
        engine.sample(asked, keys, sampling=NEUTRAL, group_size=3)
        (old,) = unproven.loaded
        unproven.loaded.clear()
        adapt(policy, 2)
        engine.sample(asked, keys, sampling=GREEDY)
        assert old not in unproven.loaded
        assert len(unproven.loaded) == 1


@pytest.mark.slow
def test_what_a_killed_run_has_left_is_removed_when_it_goes_on(
    policy: Policy, tmp_path: Path
) -> None:
    """Its adapter lies in the folder and on the server; that of another run stays on both."""
    session, folder = Session.read("whole"), tmp_path / "server" / "adapters"

    def killed(address: str, run: str) -> str:
        client = Client(choice_of(address), address, key=None)
        settings = {"max_gap": 1.0, "leader": True, "run": run, "patience": 1.0}
        name = ServedAdapter(client, policy, folder, **settings)._load([1])
        client.close()
        return name

    with standing_in(session) as address:
        left, others = killed(address, "test"), killed(address, "other")
        session._count = 0
        with opened(address, policy, tmp_path):
            assert list(session.loaded) == [others]
            assert [path.name for path in folder.glob("mmie-*")] == [others]
    assert left != others


def test_nothing_is_loaded_while_nothing_has_changed(
    policy: Policy, tmp_path: Path, unproven: Session
) -> None:
    asked = questions(policy, tmp_path)
    keys = ["key-q0", "key-q1", "key-q2"]
    with standing_in(unproven) as address, opened(address, policy, tmp_path) as engine:
        adapt(policy, 2)
        adapt(policy, 1)
        for _ in range(2):
            engine.sample(asked, keys, sampling=NEUTRAL, group_size=3)
        paths = [path for path, body in unproven.asked if body]
        assert (paths.count(LOAD), paths.count(UNLOAD)) == (1, 0)
    assert unproven.asked[-1][0] == UNLOAD
