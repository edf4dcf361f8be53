"""The policy's adapter on the server: written, loaded under a new name, and proven to be live.

A server that keeps an old adapter, or leaves some of its layers out, answers like any other. So
nothing is believed: after each change the server scores fixed prompts, and its log-probabilities
must be those of the policy. Before the first use an adapter of random weights shows whether each
kind of layer counts.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmie.errors import InputError
from mmie.files import disk_errors
from mmie.models.adapters import POLICY
from mmie.models.policy import Policy
from mmie.serving.client import Client
from mmie.serving.layers import ignored_layers, randomise
from mmie.serving.probes import Probe, make_probes, own_scores, rms, served_scores, share_shown

VISIBLE = 10.0  # an adapter of random weights changes the scores by this many times ``max_gap``
HALF = 0.5  # of a change: a server that shows less of it has not got it
RESTART = "end the server, start it anew and run again"
POLL = 0.5  # seconds between two looks for the adapter that the first process loads


class ServedAdapter:
    """Keeps the server's adapter equal to that of the policy.

    Args:
        client: the server.
        policy: whose adapter it is.
        folder: where adapters are written, which the server must be able to read.
        max_gap: see ``VLLM``.
        leader: whether this process loads and proves; the others of a run wait for it.
        run: see ``Use``; the adapters' names begin with a hash of it.
        patience: seconds that these wait.
    """

    def __init__(
        self,
        client: Client,
        policy: Policy,
        folder: Path,
        *,
        max_gap: float,
        leader: bool,
        run: str,
        patience: float,
    ) -> None:
        self.client = client
        self.policy = policy
        self.folder = folder.resolve()
        self.max_gap = max_gap
        self.leader = leader
        self.prefix = f"mmie-{hashlib.sha256(run.encode()).hexdigest()[:8]}-"
        self.patience = patience
        self.name = ""
        self._mark: list[int] = []
        self._held: list[str] = []  # adapters that this process has written and loaded
        self._probes: list[Probe] = make_probes(policy)
        self._before = torch.empty(0)  # scores under the base, then under the last adapter

    def current(self) -> str:
        """The model to ask for: the base, or the adapter with the policy's weights of this moment.

        Raises:
            InputError: the server cannot load it, or does not show it.
        """
        if self.policy.active is None:
            return self.client.model
        assert self.policy.active == POLICY
        mark = _mark(self.policy)
        if mark != self._mark:
            self._replace(mark)
        return self.name

    def prove(self) -> None:
        """Shows with an adapter of random weights that each kind of layer counts.

        The policy's own adapter is the same before and after.

        Raises:
            InputError: the server computes another model than the policy, or ignores layers.
        """
        if not self.leader:
            return
        self._clear()
        base = self._base_scores()
        self._refuse_gap("the base", self.client.model, base)
        self._before = base
        state = self.policy.adapter_state()
        try:
            own = randomise(self.policy, self._probes, base, effect=VISIBLE * self.max_gap)
            name = self._load(_mark(self.policy))
            served = served_scores(self.client, name, self._probes)
            self._refuse_ignored(served, own)
            gap = rms(served - own)
            if gap > self.max_gap:
                raise InputError(f"rollout: with an adapter of random weights {self._too_far(gap)}")
        finally:
            self.policy.load_adapter_state(state)
            self.close(unload=True)

    def close(self, *, unload: bool) -> None:
        """Removes what was written, and takes it off a server that goes on running."""
        for name in self._held:
            if unload:
                with suppress(InputError):  # the run has ended, and says why if it has failed
                    self.client.unload(name)
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self._held, self.name, self._mark = [], "", []

    def _clear(self) -> None:
        """Removes what this run has left behind where it was killed."""
        for folder in self.folder.glob(f"{self.prefix}*"):
            shutil.rmtree(folder, ignore_errors=True)
        for name in self.client.models():
            if name.startswith(self.prefix):
                self.client.unload(name)

    def _replace(self, mark: list[int]) -> None:
        start, old = time.perf_counter(), self.name
        if not self.leader:
            self._wait_for(self._name(mark))
        else:
            own = own_scores(self.policy, self._probes)
            name = self._load(mark)
            loaded = time.perf_counter()
            row = self._prove_live(name, own)
            self._before = own
            if old:
                self._unload(old)
            seconds = {"load": loaded - start, "probe": time.perf_counter() - loaded}
            self._note({"name": name, **row, **seconds})
        self.name, self._mark = self._name(mark), mark

    def _prove_live(self, name: str, own: Tensor) -> dict[str, float | None]:
        served = served_scores(self.client, name, self._probes)
        gap, share = rms(served - own), None
        if len(self._before):
            share = share_shown(served, self._before, own)
            if share is not None and share < HALF:
                raise InputError(
                    f"rollout: {self.client.address} still computes with the adapter before {name} "
                    f"(it shows {share:.0%} of the change); {RESTART}"
                )
        if gap > self.max_gap:
            self._refuse_ignored(served, own)
            raise InputError(f"rollout: with the adapter {name} {self._too_far(gap)}")
        return {"gap": gap, "share_of_change": share}

    def _refuse_gap(self, what: str, model: str, own: Tensor) -> None:
        gap = rms(served_scores(self.client, model, self._probes) - own)
        if gap > self.max_gap:
            raise InputError(f"rollout: for {what} {self._too_far(gap)}")

    def _too_far(self, gap: float) -> str:
        return (
            f"the log-probabilities of {self.client.address} differ from our own by {gap:.3g} "
            f"(root mean square), and rollout.max_gap={self.max_gap:g}: serve the checkpoint of "
            "model.path in the same precision, or allow more"
        )

    def _refuse_ignored(self, served: Tensor, own: Tensor) -> None:
        visible = self.max_gap / VISIBLE
        ignored = ignored_layers(self.policy, self._probes, served=served, own=own, visible=visible)
        if ignored:
            raise InputError(
                f"rollout: {self.client.address} ignores the adapter's {', '.join(ignored)}: serve "
                "all layers that lora.targets fits, or fit fewer"
            )

    def _base_scores(self) -> Tensor:
        with self.policy.base():
            return own_scores(self.policy, self._probes)

    def _name(self, mark: list[int]) -> str:
        """Run and weights name an adapter, so no two adapters share a name."""
        return f"{self.prefix}{hashlib.sha256(str(mark).encode()).hexdigest()[:12]}"

    def _load(self, mark: list[int]) -> str:
        name = self._name(mark)
        self._held.append(name)
        self.policy.save_adapter(self.folder / name)
        self.client.load(name, str(self.folder / name))
        return name

    def _unload(self, name: str) -> None:
        self.client.unload(name)
        self._held.remove(name)
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def _note(self, row: Mapping[str, Any]) -> None:
        """One line for each adapter: its proof, and what that took."""
        path = self.folder / "loaded.jsonl"
        with disk_errors(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def _wait_for(self, name: str) -> None:
        end = time.monotonic() + self.patience
        while name not in self.client.models():
            if time.monotonic() > end:
                what = f"the first process has not loaded {name} in {self.patience:g} s"
                raise InputError(f"rollout: {what} (rollout.timeout); start the run again")
            time.sleep(POLL)


def _mark(policy: Policy) -> list[int]:
    """Changes with every bit of the policy's adapter; computed where the adapter is."""
    named = policy.model.named_parameters()
    values = [value.detach() for name, value in named if f".{POLICY}." in name]
    hashes = torch.stack([torch.hash_tensor(value) for value in values])
    return [int(value) for value in hashes.view(torch.int64).tolist()]
