"""Served and local GRPO on the same token ids: how far their adapters are apart, and why.

Two samplers draw different responses from one seed. So the responses that a real vLLM has given are
kept, and the local trainer gets their token ids. The same is done with a server in
test_real_server.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpers.recorded import Session, standing_in
from helpers.replayed import UPDATES, Keeping, compared_with_local, examples_of, trained
from helpers.served import opened, toy_policy
from mmie.serving.adapters import ServedAdapter


@pytest.mark.slow
def test_the_gap_of_the_log_probabilities_explains_how_far_the_adapters_are_apart(
    pictures: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ServedAdapter, "prove", lambda self: None)
    policy, examples = toy_policy(), examples_of(pictures)
    with (
        standing_in(Session.read("updates")) as address,
        opened(address, policy, tmp_path) as engine,
    ):
        keeping = Keeping(engine, policy)
        served = trained(keeping, policy, examples, tmp_path / "served", correction="truncate")
        bound = engine.choice.max_gap
    log = tmp_path / "server" / "adapters" / "loaded.jsonl"
    assert len([json.loads(line) for line in log.read_text().splitlines()]) == UPDATES
    seen = compared_with_local(served, keeping.drawn, policy, examples, tmp_path)
    assert seen.explained
    assert 1e-5 < seen.gap < bound
    assert 0 < seen.apart < 3 * seen.gap * seen.moved
    assert seen.apart == pytest.approx(seen.estimate, rel=0.25)
