"""What the passes of a language model cost: floating-point operations (FLOPs) and bytes read.

A multiplication and an addition are two FLOPs. The base is frozen and only the low-rank adapters
(LoRA) learn, so a backward pass needs the gradient of the activations but not that of the weights:
it costs about one more forward pass. Softmax, norms and the optimizer are left out, which are below
a hundredth of a model of billions of weights. Attention is counted as causal: each token sees
itself and what stands before it.

Source of the counting: Kaplan et al., "Scaling Laws for Neural Language Models" (2020), section
2.1: 2 FLOPs per weight and token, and what attention adds per token and token seen.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The language model of a checkpoint, whose layers are all alike.

    Attributes:
        layers: decoder layers.
        hidden: size of the hidden states.
        heads, kv_heads: of queries, and of keys and values.
        head_size: of one head.
        inner: width of the gated MLP.
        vocabulary: tokens.
        rank: of the adapters on the seven linear maps of each layer; 0 for none.
        value_bytes: of one weight, and of one value in the cache.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    inner: int
    vocabulary: int
    rank: int
    value_bytes: int

    @property
    def maps(self) -> list[tuple[int, int]]:
        """Inputs and outputs of the linear maps of one layer: q, k, v, o, gate, up, down."""
        queries, keys = self.heads * self.head_size, self.kv_heads * self.head_size
        attention = [
            (self.hidden, queries),
            (self.hidden, keys),
            (self.hidden, keys),
            (queries, self.hidden),
        ]
        mlp = [(self.hidden, self.inner), (self.hidden, self.inner), (self.inner, self.hidden)]
        return attention + mlp

    @property
    def layer_weights(self) -> int:
        """Weights of the linear maps in all layers."""
        return self.layers * sum(inputs * outputs for inputs, outputs in self.maps)

    @property
    def adapter_weights(self) -> int:
        """Weights of one adapter."""
        return self.layers * self.rank * sum(inputs + outputs for inputs, outputs in self.maps)

    @property
    def head_weights(self) -> int:
        """Weights of the map from hidden states to logits."""
        return self.hidden * self.vocabulary

    @property
    def read_bytes(self) -> int:
        """What one decoding step reads of the model: layers, head, and the adapter in float32."""
        return (self.layer_weights + self.head_weights) * self.value_bytes + 4 * (
            self.adapter_weights
        )

    @property
    def cache_bytes(self) -> int:
        """Keys and values of one token in all layers."""
        return 2 * self.layers * self.kv_heads * self.head_size * self.value_bytes

    def rows_within(self, cache_gb: float | None, *, tokens: float, rows: int) -> int:
        """How many of ``rows`` texts of ``tokens`` tokens have their keys and values in the bound.

        At least one. None is no bound. A GB has 1e9 bytes.
        """
        if cache_gb is None:
            return rows
        return max(1, min(rows, int(cache_gb * 1e9 / (tokens * self.cache_bytes))))


@dataclass(frozen=True)
class Work:
    """What a piece of work costs: FLOPs, and bytes that are read from the memory of the card."""

    flops: float = 0.0
    bytes: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(self.flops + other.flops, self.bytes + other.bytes)

    def __mul__(self, times: float) -> Work:
        return Work(self.flops * times, self.bytes * times)


@dataclass(frozen=True)
class Pass:
    """A forward pass over some tokens.

    Attributes:
        tokens: computed.
        seen: pairs of a computed token and a token that it sees, itself included.
        logits: tokens whose logits are computed.
    """

    tokens: float
    seen: float
    logits: float


def sequence(tokens: float, *, before: float = 0, logits: float = 0) -> Pass:
    """A pass over a text that follows ``before`` tokens whose keys and values are there already.

    Token i of it sees the tokens before, those of the text in front of it, and itself.
    """
    return Pass(tokens, tokens * before + tokens * (tokens + 1) / 2, logits)


def forward(shape: Shape, run: Pass) -> float:
    """FLOPs of a forward pass: linear maps with their adapters, attention, logits.

    A query meets a key in ``head_size`` products per head, and its weight a value in as many: 4
    FLOPs per head, dimension and pair.
    """
    linear = 2 * run.tokens * (shape.layer_weights + shape.adapter_weights)
    attention = 4 * shape.layers * shape.heads * shape.head_size * run.seen
    return linear + attention + 2 * run.logits * shape.head_weights


def backward(shape: Shape, run: Pass) -> float:
    """FLOPs of the backward pass: the activations' gradient, and the gradient of the adapters.

    A frozen map has one product (with its weights transposed). A map of the adapter has two, and so
    have both products of attention.
    """
    linear = 2 * run.tokens * (shape.layer_weights + 2 * shape.adapter_weights)
    attention = 8 * shape.layers * shape.heads * shape.head_size * run.seen
    return linear + attention + 2 * run.logits * shape.head_weights


def learning(shape: Shape, run: Pass, *, layers_again: bool, logits_again: bool) -> float:
    """FLOPs of a forward pass with its backward pass.

    Args:
        shape: the model.
        run: the forward pass.
        layers_again: the layers are computed once more in the backward pass.
        logits_again: so are the logits.
    """
    layers = Pass(run.tokens, run.seen, 0) if layers_again else Pass(0, 0, 0)
    logits = Pass(0, 0, run.logits) if logits_again else Pass(0, 0, 0)
    again = forward(shape, layers) + forward(shape, logits)
    return forward(shape, run) + backward(shape, run) + again


def decoding(shape: Shape, *, prompt: float, response: float, side_by_side: float) -> Work:
    """One response, decoded token by token after a prompt that was computed before.

    Every step reads the model once for all responses that are decoded side by side, and of each
    response the keys and values so far.

    Args:
        shape: the model.
        prompt, response: tokens.
        side_by_side: responses that share a step.
    """
    steps = sequence(response, before=prompt, logits=response)
    model = response * shape.read_bytes / side_by_side
    return Work(forward(shape, steps), model + steps.seen * shape.cache_bytes)


@dataclass(frozen=True)
class Speed:
    """What a card does.

    Attributes:
        peak: FLOP/s at most.
        bandwidth: bytes/s at most.
        peak_share, bandwidth_share: what is reached of them.
    """

    peak: float
    bandwidth: float
    peak_share: float
    bandwidth_share: float


def hours(work: Work, speed: Speed) -> float:
    """Hours on one card: the time to compute or the time to read, whichever is longer."""
    computing = work.flops / (speed.peak * speed.peak_share)
    reading = work.bytes / (speed.bandwidth * speed.bandwidth_share)
    return max(computing, reading) / 3600
