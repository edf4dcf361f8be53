"""One step of decoding: one more token for each row that is still running.

``RunningRows`` is the reference and runs anywhere. ``GraphedRows`` does the same on a CUDA device
with far fewer launches: a step of a model of 7B has a few thousand kernels, most of them so short
that launching them one by one takes longer than running them.

Neither of them waits for the device, unless ``takes_one_mask`` is false for the model. No GPU has
captured a graph with this code yet.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import Cache

from mmie.models.batch import PromptBatch
from mmie.models.decode_cache import fixed_cache
from mmie.models.forward import as_model_positions

# Tokens for which a captured graph can be used. Capturing costs about as much as three steps.
GRAPH_TOKENS = 256


class RunningRows:
    """The rows that are still decoded, with what the model needs for their next token.

    Args:
        model: the causal model in eval mode with the wanted adapter active.
        prompts: B prompts.
        owners: the prompt of each row, [N].
        cache: of these rows, as ``decode_cache`` makes it.
        limit: T, the most tokens of a response.

    Attributes:
        rows: places of these rows among the N responses.
    """

    def __init__(
        self, model: Any, prompts: PromptBatch, owners: Tensor, cache: Cache, limit: int
    ) -> None:
        self.rows = torch.arange(len(owners), device=owners.device)
        self.owners = owners
        self._model = model
        self._cache = cache
        self._length = prompts.mask.shape[1]  # of the cache
        prompt_mask = prompts.mask[owners]
        self._mask = torch.cat([prompt_mask, prompt_mask.new_ones(len(owners), limit)], dim=1)
        self._first_positions = prompts.next_position[owners]
        self._channels = len(prompts.positions)
        self._takes_one_mask = takes_one_mask(model)

    def keep(self, going: Tensor) -> None:
        """Drops all other rows; ``going`` holds the places of those that stay, int64 [rows]."""
        self._cache.batch_select_indices(going)
        self.rows, self.owners = self.rows[going], self.owners[going]
        self._mask, self._first_positions = self._mask[going], self._first_positions[going]

    def next_logits(self, tokens: Tensor, step: int) -> Tensor:
        """The logits [rows, V] after one more token per row, which joins the cache."""
        self._length += 1
        return self._forward(
            tokens, self._first_positions + step, self._mask[:, : self._length], self._cache
        )

    def _forward(self, tokens: Tensor, positions: Tensor, mask: Tensor, cache: Cache) -> Tensor:
        """One pass of the model.

        Args:
            tokens: [rows].
            positions: of these tokens, [rows].
            mask: True on the places of the cache that attention sees, [rows, places].
            cache: of these rows.
        """
        # From a mask of two dimensions transformers makes what each layer and its kernel need. But
        # it first looks whether the mask is all True, for which the host waits for the device.
        outputs = self._model(
            input_ids=tokens[:, None],
            attention_mask=mask[:, None, None] if self._takes_one_mask else mask.long(),
            position_ids=as_model_positions(
                positions[None, :, None].expand(self._channels, -1, -1)
            ),
            cache=cache,
            use_cache=True,
        )
        return outputs.logits[:, -1]


def takes_one_mask(model: Any) -> bool:
    """Whether all layers can be given one mask of booleans, [rows, 1, 1, places].

    transformers hands a mask of four dimensions on as it is. Only ``sdpa`` reads booleans in it:
    ``eager`` adds them to the scores, so that padding would be seen. Layers with sliding windows
    need a mask of their own, because they see the last tokens only.
    """
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None) or []
    return config._attn_implementation == "sdpa" and "sliding_attention" not in kinds


class GraphedRows(RunningRows):
    """The same, with the step captured as a CUDA graph that is replayed for each token.

    A graph repeats its kernels on the same addresses, so all that a step reads lies in tensors that
    stay where they are. It is captured anew when rows are dropped and when the cache is full. Only
    for models of which ``takes_one_mask`` is true.

    Args:
        model, prompts, owners, limit: see ``RunningRows``.
        prompt_cache: of the prompts, as ``prefill`` returns it.
        capture: gives a function of no arguments that does again what the given one does. An
            ordinary call will do, too: that is how a machine without a GPU tests everything else.
    """

    def __init__(
        self,
        model: Any,
        prompts: PromptBatch,
        owners: Tensor,
        prompt_cache: Cache,
        limit: int,
        *,
        capture: Callable[[Callable[[], Tensor]], Callable[[], Tensor]],
    ) -> None:
        self._place = torch.tensor([0], device=owners.device)
        cache = fixed_cache(prompt_cache, owners, self._place)
        super().__init__(model, prompts, owners, cache, limit)
        self._capture = capture
        self._capacity = self._length
        self._replay: Callable[[], Tensor] | None = None

    def keep(self, going: Tensor) -> None:
        super().keep(going)
        self._replay = None

    def next_logits(self, tokens: Tensor, step: int) -> Tensor:
        """As in ``RunningRows``; the next call overwrites what this one returns."""
        if self._length == self._capacity:
            self._grow()
        if self._replay is None:
            self._place_inputs()
        self._tokens.copy_(tokens)
        self._positions.copy_(self._first_positions + step)
        self._place.fill_(self._length)
        self._seen[:, self._length] = True
        self._length += 1
        if self._replay is None:
            self._replay = self._capture(self._step)
        return self._replay()

    def _grow(self) -> None:
        room = min(GRAPH_TOKENS, self._mask.shape[1] - self._length)
        layers: list[Any] = self._cache.layers
        for layer in layers:
            layer.grow(room)
        self._capacity += room
        self._replay = None

    def _place_inputs(self) -> None:
        """Makes the tensors that the captured step reads."""
        self._tokens = torch.empty_like(self.rows)
        self._positions = torch.empty_like(self.rows)
        free = self._capacity - self._length
        self._seen = torch.nn.functional.pad(self._mask[:, : self._length], (0, free))

    def _step(self) -> Tensor:
        """Doing it twice changes nothing: the token is written into the same place."""
        return self._forward(self._tokens, self._positions, self._seen, self._cache)


def captured(step: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """The step as a CUDA graph; the step itself if it cannot be captured or gives other values."""
    try:
        graph = _CudaGraph(step)
    except RuntimeError as error:
        warnings.warn(
            f"decoding goes on without a CUDA graph ({error}): rollout.cuda_graphs=never turns "
            "this warning off",
            stacklevel=2,
        )
        return step
    return graph


class _CudaGraph:
    """What a function did, as a graph.

    Raises:
        RuntimeError: the function cannot be captured, or the graph gives other values.
    """

    def __init__(self, function: Callable[[], Tensor]) -> None:
        expected = self._first_call(function).clone()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._result = function()
        if not torch.allclose(self(), expected, rtol=1e-2, atol=1e-2):
            raise RuntimeError("its values differ from those of an ordinary step")

    def __call__(self) -> Tensor:
        self._graph.replay()
        return self._result

    @staticmethod
    def _first_call(function: Callable[[], Tensor]) -> Tensor:
        """On a stream of its own: what libraries allocate at first must not be in the graph."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            result = function()
        torch.cuda.current_stream().wait_stream(stream)
        return result
