"""A real vLLM on the CPU with the toy model: it computes what the policy computes, or is refused.

The recordings in ``recorded/`` are what the stand-in of the other tests answers with. They are made
again here and compared; ``MMIE_RECORD=1`` writes them.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback

from helpers.adapters import adapter_hash
from helpers.recorded import Session, recording
from helpers.replayed import (
    UPDATES,
    Keeping,
    Replaying,
    compared_with_local,
    examples_of,
    trained,
)
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
from helpers.training_runs import loop_config, make_examples, train_grpo
from mmie.errors import InputError
from mmie.models.batch import Completions
from mmie.serving.adapters import ServedAdapter
from mmie.serving.client import Client
from mmie.serving.local import LocalEngine
from mmie.serving.vllm import VLLMEngine, open_engine
from mmie.types import Sampling

pytestmark = pytest.mark.server
CLOSE = 1e-3  # log-probabilities in float32; 1e-5 is usual


@contextmanager
def engine_on(server: Any, policy: Any, folder: Path) -> Iterator[VLLMEngine]:
    os.environ["VLLM_API_KEY"] = server.key
    try:
        with opened(server.address, policy, folder) as engine:
            yield engine
    finally:
        del os.environ["VLLM_API_KEY"]


def rows(completions: Completions) -> list[list[int]]:
    pairs = zip(completions.tokens, completions.mask, strict=True)
    return [tokens[mask].tolist() for tokens, mask in pairs]


def own_logps(policy: Any, asked: Any, responses: Completions, temperature: float) -> Any:
    prompts = policy.batch([question.prompt for question in asked])
    with torch.no_grad():
        return policy.logps(prompts, responses, temperature=temperature)


def test_at_temperature_0_it_answers_as_the_policy_does(whole: Any, tmp_path: Path) -> None:
    policy = toy_policy()
    asked = questions(policy, tmp_path)
    keys = [question.id for question in asked]
    with engine_on(whole, policy, tmp_path) as engine:
        served = engine.sample(asked, keys, sampling=GREEDY)
    own = LocalEngine(policy).sample(asked, keys, sampling=GREEDY)
    assert rows(served) == rows(own)
    assert policy.text(served) == policy.text(own)
    assert torch.allclose(served.logps, own.logps, atol=CLOSE)
    assert served.finished.tolist() == own.finished.tolist()


@pytest.mark.parametrize("temperature", [1.0, 0.8])
def test_its_log_probabilities_are_those_of_the_policy(
    whole: Any, tmp_path: Path, temperature: float
) -> None:
    policy = toy_policy()
    asked = questions(policy, tmp_path)
    keys = [question.id for question in asked]
    sampling = Sampling(temperature, 20)
    with engine_on(whole, policy, tmp_path) as engine:
        first = engine.sample(asked, keys, sampling=sampling, group_size=4)
        again = engine.sample(asked, keys, sampling=sampling, group_size=4)
        alone = engine.sample(asked[1:], keys[1:], sampling=sampling)
    own = own_logps(policy, asked, first, temperature)
    assert torch.allclose(first.logps[first.mask], own[first.mask], atol=CLOSE)
    assert rows(first) == rows(again)
    assert len({tuple(row) for row in rows(first)}) > len(asked)
    # A response belongs to its key: neither the group nor the other questions change it.
    assert rows(alone) == [rows(first)[4], rows(first)[8]]


def test_every_change_of_the_adapter_is_seen(whole: Any, tmp_path: Path) -> None:
    policy = toy_policy()
    asked = questions(policy, tmp_path)
    with engine_on(whole, policy, tmp_path) as engine:
        for seed in (1, 2, 3):
            adapt(policy, seed)
            engine.sample(asked, ["a", "b", "c"], sampling=GREEDY)
        state = policy.adapter_state()
        policy.load_adapter_state({key: value * 1.001 for key, value in state.items()})
        engine.sample(asked, ["a", "b", "c"], sampling=GREEDY)
        adapters = [name for name in engine.client.models() if name.startswith("mmie-")]
        assert adapters == [engine.adapter.name]
    log = tmp_path / "server" / "adapters" / "loaded.jsonl"
    loaded = [json.loads(line) for line in log.read_text().splitlines()]
    assert len({row["name"] for row in loaded}) == 4
    assert all(row["gap"] < 1e-4 for row in loaded)
    assert all(abs(row["share_of_change"] - 1) < 0.05 for row in loaded)


def test_a_server_with_an_old_adapter_is_refused(whole: Any, tmp_path: Path) -> None:
    """The name is new and the weights are not, as after a reload in place that does nothing."""
    policy = toy_policy()
    asked = questions(policy, tmp_path)
    with engine_on(whole, policy, tmp_path) as engine:
        engine.sample(asked, ["a", "b", "c"], sampling=GREEDY)
        old = engine.adapter.folder / engine.adapter.name
        load = engine.client.load
        engine.client.load = lambda name, folder: load(name, str(old))  # type: ignore[method-assign]
        state = policy.adapter_state()
        policy.load_adapter_state({key: value * 1.01 for key, value in state.items()})
        with pytest.raises(InputError, match=r"still computes with the adapter before mmie-"):
            engine.sample(asked, ["a", "b", "c"], sampling=GREEDY)


def test_a_server_that_is_too_small_for_the_adapter_is_refused(whole: Any, tmp_path: Path) -> None:
    policy = toy_policy(rank=32)
    refused = r"LoRA rank 32 is greater than max_lora_rank 16"
    with pytest.raises(InputError, match=refused), engine_on(whole, policy, tmp_path):
        pass


def test_a_server_that_ignores_layers_is_refused_with_their_names(
    partial: Any, tmp_path: Path
) -> None:
    ignored = r"ignores the adapter's down_proj, gate_proj, up_proj: "
    with (
        pytest.raises(InputError, match=ignored),
        engine_on(partial, toy_policy(), tmp_path),
    ):
        pass


def test_log_probabilities_of_another_temperature_are_refused(
    partial: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ServedAdapter, "prove", lambda self: None)
    policy = toy_policy()
    asked = questions(policy, tmp_path)
    with engine_on(partial, policy, tmp_path) as engine, policy.base():
        engine.sample(asked, ["a", "b", "c"], sampling=NEUTRAL)
        with pytest.raises(InputError, match=r"--logprobs-mode processed_logprobs"):
            engine.sample(asked, ["a", "b", "c"], sampling=Sampling(0.5, 12))


def test_tokens_that_were_tokenised_again_are_refused(whole: Any, tmp_path: Path) -> None:
    """A proxy that passes on text instead of ids: the ids differ, and their probabilities, too."""
    policy = toy_policy()
    asked = questions(policy, tmp_path)
    tokenizer = policy.backbone.tokenizer
    with engine_on(whole, policy, tmp_path) as engine:
        generate = engine.client.generate

        def again(*arguments: Any) -> Any:
            reply = generate(*arguments)
            for choice in reply["choices"] if reply["prompt_logprobs"] is None else []:
                text = tokenizer.decode(choice["token_ids"])
                choice["token_ids"] = tokenizer(text[::-1], add_special_tokens=False)["input_ids"]
            return reply

        engine.client.generate = again  # type: ignore[method-assign]
        with pytest.raises(InputError, match=r"has tokenised a text again"):
            engine.sample(asked, ["a", "b", "c"], sampling=NEUTRAL)


class Killing(Callback):
    """Kills the server before the rollout of a step."""

    def __init__(self, server: Any, *, step: int) -> None:
        self.server = server
        self.step = step

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, index: int) -> None:
        if trainer.global_step == self.step and batch.opens_group:
            os.kill(self.server._process.pid, signal.SIGKILL)


def test_a_training_whose_server_dies_goes_on_from_its_resume_point(
    whole: Any, start: Any, tmp_path: Path, pictures: list[Any]
) -> None:
    examples = make_examples(pictures)

    def train(server: Any, folder: Path, *callbacks: Any) -> str:
        """Five updates with a resume point after each second one."""
        policy = toy_policy()
        folder.mkdir(exist_ok=True)
        with engine_on(server, policy, folder) as engine:
            engine.server = None if server is whole else server  # else it would be ended, too
            loop = loop_config(checkpoint_every=2)
            options = {"engine": engine, "loop": loop, "callbacks": callbacks}
            train_grpo(policy, examples, folder, epochs=2.5, **options)
        return adapter_hash(policy)

    expected = train(whole, tmp_path / "whole")
    mortal = start()
    gone = r"the server of this run is gone: it has ended with signal 9; .* last resume point$"
    with pytest.raises(InputError, match=gone):
        train(mortal, tmp_path / "killed", Killing(mortal, step=3))
    assert [path.name for path in (tmp_path / "killed").glob("step-*.ckpt")] == ["step-2.ckpt"]
    assert train(whole, tmp_path / "killed") == expected


def compare(name: str, session: Session) -> None:
    """Holds a session against its recording, or writes it."""
    if os.environ.get("MMIE_RECORD"):
        session.write(name)
    kept = Session.read(name).exchanges
    assert session.exchanges.keys() == kept.keys()
    for request, (status, answer) in session.exchanges.items():
        assert status == kept[request][0]
        assert_alike(answer, kept[request][1])


def assert_alike(served: Any, kept: Any) -> None:
    """Equal but for the rounding of log-probabilities, and for names in the server's words."""
    if isinstance(served, dict):
        assert served.keys() == kept.keys()
        for key, value in served.items():
            assert_alike(value, kept[key])
    elif isinstance(served, list):
        assert len(served) == len(kept)
        for one, other in zip(served, kept, strict=True):
            assert_alike(one, other)
    elif isinstance(served, float):
        assert served == pytest.approx(kept, abs=CLOSE)
    elif not isinstance(served, str):
        assert served == kept


def test_the_recorded_session_is_that_of_a_real_server(whole: Any, tmp_path: Path) -> None:
    policy, session = toy_policy(), Session()
    asked = questions(policy, tmp_path)
    with (
        recording(session, whole.address, whole.key) as address,
        opened(address, policy, tmp_path) as engine,
    ):
        whole_session(engine, policy, asked)
    compare("whole", session)


def test_the_recorded_refusals_are_those_of_a_real_server(
    whole: Any, partial: Any, tmp_path: Path
) -> None:
    session = Session()
    with recording(session, whole.address, whole.key) as address, pytest.raises(InputError):
        open_engine(choice_of(address), toy_policy(rank=32), use_of(tmp_path, rank=32))
    compare("too_small", session)
    session = Session()
    with recording(session, partial.address, partial.key) as address, pytest.raises(InputError):
        open_engine(choice_of(address), toy_policy(), use_of(tmp_path))
    compare("ignoring", session)
    session = Session()
    with recording(session, whole.address, whole.key) as address:
        client = Client(choice_of(address), address, key=None)
        forgotten = {"type": "image_url", "uuid": "never sent", "url": None}
        body = {"model": "base", "token_ids": [1, 5], "content_parts": [forgotten]}
        with pytest.raises(Exception, match="Cache miss"):
            client._client.post(
                "/inference/v1/generate",
                cast_to=object,
                body={**body, "sampling_params": {"max_tokens": 1}},
            )
        client.close()
    compare("picture_gone", session)


def test_without_a_correction_an_update_needs_the_servers_token_ids_alone(
    whole: Any, tmp_path: Path, pictures: list[Any]
) -> None:
    """The local trainer ends with the same bits, from probabilities of its own."""
    policy, examples = toy_policy(), examples_of(pictures)
    with engine_on(whole, policy, tmp_path) as engine:
        keeping = Keeping(engine, policy)
        served = trained(keeping, policy, examples, tmp_path / "served", correction="none")
    replaying = Replaying(keeping.drawn, policy, times=0.0)
    local = trained(replaying, policy, examples, tmp_path / "local", correction="none")
    assert any(drawn.gap.any() for drawn in keeping.drawn)
    assert torch.equal(local, served)


def test_with_a_correction_the_gap_explains_how_far_the_adapters_are_apart(
    whole: Any, tmp_path: Path, pictures: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchanges are also those of test_replayed.py."""
    monkeypatch.setattr(ServedAdapter, "prove", lambda self: None)
    policy, examples, session = toy_policy(), examples_of(pictures), Session()
    with (
        recording(session, whole.address, whole.key) as address,
        opened(address, policy, tmp_path) as engine,
    ):
        keeping = Keeping(engine, policy)
        served = trained(keeping, policy, examples, tmp_path / "served", correction="truncate")
    log = tmp_path / "server" / "adapters" / "loaded.jsonl"
    gaps = [json.loads(line)["gap"] for line in log.read_text().splitlines()]
    assert len(gaps) == UPDATES
    assert max(gaps) < 1e-4
    seen = compared_with_local(served, keeping.drawn, policy, examples, tmp_path)
    print(seen)  # shown with -s
    assert seen.explained
    assert seen.gap < engine.choice.max_gap
    assert 0 < seen.apart < 3 * seen.gap * seen.moved
    assert seen.apart == pytest.approx(seen.estimate, rel=0.25)
    compare("updates", session)
