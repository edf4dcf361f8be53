"""The rollout: which responses end when, which tokens can be drawn, and with which numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import Cache

from mmie.models import sampling
from mmie.models.decode_cache import decode_cache
from mmie.models.sampling import NotFiniteLogitsError, Rules, draw, sample

A, B = 100, 200  # two ordinary tokens
NOTHING = torch.tensor([], dtype=torch.long)
EVEN = 1e6  # a temperature at which all tokens that may be drawn are equally likely


@pytest.fixture(params=["qwen", "llava"])
def policy(request: pytest.FixtureRequest, make_policy: Any) -> Any:
    return make_policy(request.param)


@pytest.fixture
def batch(policy: Any, pictures: list[Any]) -> Any:
    texts = ["wow Ann Lee and Bob Ray tonight", "x", "Omar Pia @ Jazz Fest"]
    return policy.batch(
        [policy.encode(text, [picture]) for text, picture in zip(texts, pictures, strict=False)]
    )


def scripted(
    policy: Any,
    batch: Any,
    rows: Sequence[Sequence[int]],
    *,
    allowed: Sequence[int],
    ends: Sequence[int],
) -> Any:
    """Samples with random numbers that make each row draw exactly its tokens.

    All tokens of ``allowed`` are equally likely, all others are suppressed.
    """
    choice = sorted(allowed)
    number_of = {token: (place + 0.5) / len(choice) for place, token in enumerate(choice)}
    numbers = [[number_of[token] for token in row] for row in rows]
    others = set(range(policy.model.config.get_text_config().vocab_size)) - set(allowed)
    rules = Rules(EVEN, suppressed=sorted(others), eos_ids=list(ends), pad_id=policy.pad_id)
    return sample(policy.model, batch, torch.tensor(numbers, dtype=torch.float64), rules)


def test_every_end_ends_and_belongs_to_the_response(policy: Any, batch: Any) -> None:
    one, other, pad = 2, 50, policy.pad_id
    rows = [
        [A, B, one, B],
        [other, A, A, A],
        [A, B, A, B],
        [B, B, B, other],
        [A, one, other, A],
        [A, A, A, A],
    ]
    drawn = scripted(policy, batch, rows, allowed=[A, B, one, other], ends=[one, other])
    assert drawn.tokens.tolist() == [
        [A, B, one, pad],
        [other, pad, pad, pad],
        [A, B, A, B],
        [B, B, B, other],
        [A, one, pad, pad],
        [A, A, A, A],
    ]
    lengths = torch.tensor([3, 1, 4, 4, 2, 4])
    assert torch.equal(drawn.mask, torch.arange(4) < lengths[:, None])
    assert drawn.finished.tolist() == [True, True, False, True, True, False]
    assert (drawn.logps[~drawn.mask] == 0).all()


def test_decoding_stops_when_all_have_ended(policy: Any, batch: Any) -> None:
    drawn = scripted(
        policy, batch, [[A, 2, A, A], [2, A, A, A], [2, A, A, A]], allowed=[A, 2], ends=[2]
    )
    assert drawn.tokens.shape == (3, 2)
    assert drawn.finished.all()


def test_the_policy_knows_all_ends(make_policy: Any) -> None:
    qwen, llava = make_policy("qwen"), make_policy("llava")
    ids = qwen.backbone.tokenizer.get_vocab()
    assert qwen.eos_ids == sorted([ids["<|im_end|>"], ids["<|endoftext|>"]])
    assert llava.eos_ids == [llava.backbone.tokenizer.get_vocab()["</s>"]]
    qwen.backbone.model.generation_config.eos_token_id = None
    assert qwen.eos_ids == [ids["<|im_end|>"]]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_markers_are_never_drawn(policy: Any, batch: Any, temperature: float) -> None:
    ids = policy.backbone.tokenizer.get_vocab()
    names = "<image> <pad> <|image_pad|> <|video_pad|> <|vision_start|> <|vision_end|>"
    markers = [ids[name] for name in names.split() if name in ids]

    def favour(module: Any, inputs: Any, logits: Tensor) -> Tensor:
        logits = logits.clone()
        logits[..., markers] += 40.0
        return logits

    policy.backbone.model.lm_head.register_forward_hook(favour)
    responses = policy.sample(
        batch, torch.rand(12, 6, dtype=torch.float64), temperature=temperature
    )
    assert len(markers) >= 2
    assert not torch.isin(responses.tokens[responses.mask], torch.tensor(markers)).any()
    assert (responses.logps[responses.mask] < -30).all()  # under the policy with nothing suppressed


def test_frequencies_are_the_softmax_whatever_the_checkpoint_says(
    policy: Any, pictures: list[Any]
) -> None:
    """4,000 evenly spread numbers draw each token as often as its probability says, within one."""
    count, temperature = 4000, 1.5
    prompt = policy.batch([policy.encode("Ann Lee and Bob Ray", pictures[:1])])
    uniforms = (torch.arange(count, dtype=torch.float64)[:, None] + 0.5) / count
    drawn = policy.sample(prompt, uniforms, temperature=temperature).tokens[:, 0]
    tokens = torch.arange(policy.model.config.get_text_config().vocab_size)
    logps = policy.logps(
        prompt,
        policy.completions_of([[token] for token in tokens.tolist()]),
        temperature=temperature,
    )[:, 0]
    expected = logps.detach().double().exp()
    expected[policy.suppressed] = 0
    counts = torch.bincount(drawn, minlength=len(tokens))
    assert (counts - count * expected / expected.sum()).abs().max() < 1.01
    assert (counts > 0).sum() > 100
    # Qwen's checkpoint asks for nearly greedy decoding, that of LLaVA for nothing.
    assert policy.backbone.model.generation_config.top_k in (1, None)


def test_a_response_depends_on_its_own_numbers_alone(
    policy: Any, batch: Any, pictures: list[Any], monkeypatch: Any
) -> None:
    selected = []
    select = Cache.batch_select_indices

    def noting(self: Any, index: Tensor) -> None:
        selected.append(len(index))
        select(self, index)

    monkeypatch.setattr(Cache, "batch_select_indices", noting)
    # Many tokens end a response, so that many end early.
    policy.backbone.model.generation_config.eos_token_id = list(range(60, 190))
    uniforms = torch.rand(12, 14, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    together = policy.sample(batch, uniforms, temperature=1.0)
    lengths = together.mask.sum(1)
    assert len(selected) >= 3
    assert lengths.unique().numel() >= 5
    for row in range(12):
        prompt = ["wow Ann Lee and Bob Ray tonight", "x", "Omar Pia @ Jazz Fest"][row // 4]
        single = policy.batch([policy.encode(prompt, [pictures[row // 4]])])
        alone = policy.sample(single, uniforms[row : row + 1], temperature=1.0)
        tokens, logps = (
            values[row][: lengths[row]] for values in (together.tokens, together.logps)
        )
        assert alone.tokens[0].tolist() == tokens.tolist()
        assert alone.finished[0] == together.finished[row]
        torch.testing.assert_close(alone.logps[0], logps, atol=1e-5, rtol=0)


def test_growing_buffers_change_nothing(
    policy: Any, batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens and log-probabilities do not depend on how often the buffers grow."""
    numbers = torch.rand(9, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    rules = Rules(1.0, suppressed=[], eos_ids=list(range(14, 140)), pad_id=policy.pad_id)
    drawn = []
    for block in (64, 2):
        monkeypatch.setattr("mmie.models.decode_cache.BLOCK", block)
        responses = sample(policy.model, batch, numbers, rules)
        drawn.append(responses)
    large, small = drawn
    assert torch.equal(large.tokens, small.tokens)
    torch.testing.assert_close(large.logps, small.logps, rtol=0, atol=1e-6)
    assert len(set(large.mask.sum(1).tolist())) > 2


def test_graphed_rows_draw_the_same(
    policy: Any, batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the capture itself: fixed buffers, which grow, and rows that are dropped."""
    captures = []

    def noting(step: Any) -> Any:
        captures.append(step)
        return step

    numbers = torch.rand(9, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    rules = Rules(1.0, suppressed=[], eos_ids=list(range(14, 140)), pad_id=policy.pad_id)
    monkeypatch.setattr("mmie.models.sampling.captured", noting)
    monkeypatch.setattr("mmie.models.decoding.GRAPH_TOKENS", 5)
    plain = sample(policy.model, batch, numbers, rules, side_by_side=6)
    graphed = sample(policy.model, batch, numbers, rules, side_by_side=6, graphs=True)
    assert torch.equal(plain.tokens, graphed.tokens)
    torch.testing.assert_close(plain.logps, graphed.logps, rtol=0, atol=1e-6)
    assert len(captures) > 4  # at the start of both parts, for growth and for dropped rows


@pytest.mark.gpu
def test_a_captured_step_draws_the_same(policy: Any, batch: Any) -> None:
    policy.to("cuda")
    prompts = policy.batch([policy.encode("wow Ann Lee", []), policy.encode("x", [])])
    numbers = torch.rand(8, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    drawn = []
    for graphs in (False, True):
        policy.cuda_graphs = graphs
        drawn.append(policy.sample(prompts, numbers, temperature=1.0))
    plain, graphed = drawn
    assert torch.equal(plain.tokens, graphed.tokens)
    torch.testing.assert_close(plain.logps, graphed.logps, rtol=0, atol=1e-4)


class HostWaits(TorchDispatchMode):
    """Counts what makes the host of a GPU wait: values and sizes that it has to know."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        waits = ("_local_scalar_dense", "nonzero", "is_nonzero", "masked_select", "equal")
        self.count += func.overloadpacket.__name__ in waits
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("graphs", [False, True])
def test_the_host_waits_only_where_it_looks(
    policy: Any, batch: Any, graphs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmie.models.sampling.captured", lambda step: step)
    rules = Rules(1.0, suppressed=[5], eos_ids=[7], pad_id=policy.pad_id)

    def waits(length: int, look_every: int) -> int:
        monkeypatch.setattr("mmie.models.sampling._look_every", lambda device: look_every)
        numbers = torch.rand(6, length, dtype=torch.float64)
        with HostWaits() as counted:
            sample(policy.model, batch, numbers, rules, graphs=graphs)
        return counted.count

    assert waits(12, look_every=50) == waits(24, look_every=50)
    assert waits(24, look_every=50) < waits(24, look_every=8) < waits(24, look_every=1)


def test_looking_rarely_changes_nothing(
    policy: Any, batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = torch.rand(9, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    rules = Rules(1.0, suppressed=[], eos_ids=list(range(14, 140)), pad_id=policy.pad_id)
    often = sample(policy.model, batch, numbers, rules)
    monkeypatch.setattr("mmie.models.sampling._look_every", lambda device: 8)
    rarely = sample(policy.model, batch, numbers, rules)
    assert torch.equal(often.tokens, rarely.tokens)
    assert torch.equal(often.mask, rarely.mask)
    assert torch.equal(often.finished, rarely.finished)
    torch.testing.assert_close(often.logps, rarely.logps, rtol=0, atol=1e-6)


@pytest.mark.parametrize("look_every", [1, 8])
def test_a_prompt_that_breaks_the_model_is_named(
    policy: Any, batch: Any, look_every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmie.models.sampling._look_every", lambda device: look_every)

    def break_second_prompt(module: Any, inputs: Any, logits: Tensor) -> Tensor:
        logits = logits.clone()
        logits[2:4] = torch.nan  # rows of the second of three prompts while decoding
        return logits

    numbers = torch.rand(6, 5, dtype=torch.float64)
    rules = Rules(1.0, suppressed=[], eos_ids=[], pad_id=policy.pad_id)
    policy.backbone.model.lm_head.register_forward_hook(break_second_prompt)
    with pytest.raises(NotFiniteLogitsError) as error:
        sample(policy.model, batch, numbers, rules)
    assert error.value.prompt in (1, 2)  # row 2 of the prefill is prompt 2, of decoding prompt 1


@pytest.mark.parametrize(
    ("share", "rows"), [(1.0, [6]), (0.5, [3, 3]), (0.4, [2, 2, 2]), (0, [1] * 6)]
)
def test_keys_and_values_stay_within_their_bound(
    policy: Any, batch: Any, monkeypatch: pytest.MonkeyPatch, share: float, rows: list[int]
) -> None:
    """The bound is given as a share of what all six responses need; one is always decoded."""
    numbers = torch.rand(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    whole = policy.sample(batch, numbers, temperature=1.0)
    text = policy.backbone.model.config.get_text_config()
    heads = text.num_key_value_heads * (text.hidden_size // text.num_attention_heads)
    needed = 6 * (batch.ids.shape[1] + 5) * 2 * text.num_hidden_layers * heads * 4
    decoded: list[int] = []

    def noting(prompt_cache: Cache, owners: Tensor) -> Cache:
        decoded.append(len(owners))
        return decode_cache(prompt_cache, owners)

    monkeypatch.setattr(sampling, "decode_cache", noting)
    policy.cache_gb = share * needed / 1e9 + 1e-12
    parts = policy.sample(batch, numbers, temperature=1.0)
    assert decoded == rows
    assert torch.equal(parts.tokens, whole.tokens)
    torch.testing.assert_close(parts.logps, whole.logps)


def test_temperature_zero_takes_the_most_likely_token(policy: Any, pictures: list[Any]) -> None:
    prompt = policy.batch([policy.encode("x", pictures[:1])])
    greedy = policy.sample(prompt, torch.rand(1, 5, dtype=torch.float64), temperature=0.0)
    vocabulary = range(policy.model.config.get_text_config().vocab_size)
    for place, token in enumerate(greedy.tokens[0].tolist()):
        so_far = greedy.tokens[0, :place].tolist()
        continuations = policy.completions_of([[*so_far, option] for option in vocabulary])
        logps = policy.logps(prompt, continuations, temperature=1.0)[:, place]
        logps[policy.suppressed] = -torch.inf
        assert token == logps.argmax()


def test_draw_by_hand() -> None:
    """Probabilities 1/2, 1/4, 1/4: the first token below 1/2, the second below 3/4."""
    logits = torch.tensor([[4.0, 2.0, 2.0]]).log().expand(5, -1)
    uniforms = torch.tensor([0.0, 0.499, 0.501, 0.749, 1 - 2**-53], dtype=torch.float64)
    tokens, logps = draw(logits, uniforms, temperature=1.0, suppressed=NOTHING)
    assert tokens.tolist() == [0, 0, 1, 1, 2]
    torch.testing.assert_close(logps.exp(), torch.tensor([0.5, 0.5, 0.25, 0.25, 0.25]))
    tokens, logps = draw(logits, uniforms, temperature=0.5, suppressed=NOTHING)  # 16 : 4 : 4
    assert tokens.tolist() == [0, 0, 0, 1, 2]
    torch.testing.assert_close(logps.exp(), torch.tensor([2 / 3, 2 / 3, 2 / 3, 1 / 6, 1 / 6]))


def test_draw_skips_suppressed_tokens_at_both_ends() -> None:
    logits = torch.tensor([[9.0, 1.0, 1.0, 9.0]]).expand(3, -1)
    uniforms = torch.tensor([0.0, 0.5, 1 - 2**-53], dtype=torch.float64)
    tokens, logps = draw(logits, uniforms, temperature=1.0, suppressed=torch.tensor([0, 3]))
    assert tokens.tolist() == [1, 2, 2]
    torch.testing.assert_close(logps, logits.log_softmax(-1)[:, 1])
    assert draw(logits, torch.zeros(3), temperature=0.0, suppressed=torch.tensor([0, 3]))[
        0
    ].tolist() == [1, 1, 1]


def test_scored_without_markers_they_have_no_probability(policy: Any, batch: Any) -> None:
    """Scores rise by minus the logarithm of what is left, and afterwards are as before."""
    responses = policy.completions_of([[A, B], [B], [A]])

    def scores() -> Tensor:
        with torch.no_grad(), policy.evaluating():
            return policy.logps(batch, responses, temperature=1.0)

    marker = policy.completions_of([[policy.suppressed[0], A]] * 3)
    before = scores()
    with policy.markers_excluded():
        inside = scores()
        with torch.no_grad():
            never = policy.logps(batch, marker, temperature=1.0)[:, 0]
    assert bool((never == -torch.inf).all())
    assert bool((inside >= before)[responses.mask].all())
    assert bool((inside != before)[responses.mask].any())
    assert torch.equal(scores(), before)
