"""The equations of training, on numbers worked out by hand."""

import math

import pytest
import torch
from torch import Tensor, tensor
from torch.nn.functional import pad

from mmie.errors import InputError
from mmie.losses import (
    group_advantages,
    grpo_loss,
    kl_divergence,
    sft_loss,
    token_logps,
    zero_variance,
)

LN2, LN3 = math.log(2), math.log(3)
NAN, INF = math.nan, math.inf


def double(values: object, *, grad: bool = False) -> Tensor:
    return tensor(values, dtype=torch.float64, requires_grad=grad)


# token_logps


def test_token_logps() -> None:
    # softmax of (0, ln 3) is (1/4, 3/4)
    logits = double([[[0, LN3], [0, LN3]]])
    got = token_logps(logits, tensor([[0, 1]]), temperature=1.0)
    torch.testing.assert_close(got, double([[0.25, 0.75]]).log())


def test_temperature_divides_the_logits() -> None:
    # at 0.5 they are (0, ln 9): (1/10, 9/10)
    got = token_logps(double([[0, LN3]]), tensor([1]), temperature=0.5)
    torch.testing.assert_close(got, double([0.9]).log())


def test_token_logps_are_float32_at_least() -> None:
    logits = torch.randn(3, 7, generator=torch.Generator().manual_seed(0)).bfloat16()
    tokens = tensor([0, 3, 6])
    got = token_logps(logits, tokens, temperature=0.8)
    assert got.dtype == torch.float32
    assert torch.equal(got, token_logps(logits.float(), tokens, temperature=0.8))


def test_forbidden_tokens_leave_the_others_finite() -> None:
    got = token_logps(double([[0, -INF, 0]]), tensor([2]), temperature=1.0)
    torch.testing.assert_close(got, double([-LN2]))


# eq. 1


def test_sft_loss_is_the_mean_over_response_tokens() -> None:
    # tokens 1, 2 and 6: (1 + 2 + 6) / 3 = 3; a mean of row means would be (1.5 + 6) / 2
    logps = double([[-1, -2, NAN], [-6, -INF, 5]], grad=True)
    loss = sft_loss(logps, tensor([[1, 1, 0], [1, 0, 0]]))
    loss.backward()
    assert loss.item() == pytest.approx(3)
    torch.testing.assert_close(logps.grad, double([[-1 / 3, -1 / 3, 0], [-1 / 3, 0, 0]]))


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32])
def test_sft_loss_without_response_tokens_is_zero(dtype: torch.dtype) -> None:
    logps = double([[-1, NAN]], grad=True)
    loss = sft_loss(logps, torch.zeros(1, 2, dtype=dtype))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logps.grad, double([[0, 0]]))


# eq. 6


@pytest.mark.parametrize(
    ("unbiased", "std"),
    [(True, math.sqrt(2)), (False, 1.0)],  # squares 1 + 1, divided by 1 or by 2
)
def test_advantages_are_standardised(unbiased: bool, std: float) -> None:
    got = group_advantages(double([[0, 2]]), eps=0.25, unbiased=unbiased)
    torch.testing.assert_close(got, double([[-1, 1]]) / (std + 0.25))


def test_advantages_of_four() -> None:
    # mean 1; squares 1 + 1 + 1 + 9 = 12; 12 / 3 = 4, std 2
    got = group_advantages(double([[0, 0, 0, 4]]), eps=0, unbiased=True)
    torch.testing.assert_close(got, double([[-0.5, -0.5, -0.5, 1.5]]))


def test_groups_do_not_mix() -> None:
    rewards = double([[0, 2], [5, 5], [1, 0]])
    got = group_advantages(rewards, eps=1e-4, unbiased=True)
    rows = [group_advantages(row[None], eps=1e-4, unbiased=True) for row in rewards]
    assert torch.equal(got, torch.cat(rows))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "group", [[0.1 + 0.2] * 3, [0.1 + 0.2, 0.3, 0.3], [0.0] * 4, [1 / 3] * 7, [-1.3] * 6, [0.7]]
)
@pytest.mark.parametrize("eps", [0.0, 1e-4])
def test_equal_rewards_give_exactly_zero(
    dtype: torch.dtype, group: list[float], eps: float
) -> None:
    for unbiased in (True, False):
        got = group_advantages(tensor([group], dtype=dtype), eps=eps, unbiased=unbiased)
        assert torch.equal(got, torch.zeros(1, len(group), dtype=dtype))


def test_small_differences_still_count() -> None:
    assert group_advantages(tensor([[1.0, 1.0 + 1e-5]]), eps=0, unbiased=False).abs().min() > 0.9


# KL


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        # log π_ref − log π = ln 2 at the first token, −ln 2 at the second
        ("k1", [-LN2, LN2]),
        ("k2", [LN2**2 / 2, LN2**2 / 2]),
        ("k3", [2 - LN2 - 1, 0.5 + LN2 - 1]),
    ],
)
def test_kl_estimators(estimator: str, expected: list[float]) -> None:
    got = kl_divergence(double([[-2, -1]]), double([[-2 + LN2, -1 - LN2]]), estimator=estimator)
    torch.testing.assert_close(got, double([expected]))


@pytest.mark.parametrize("estimator", ["k2", "k3"])
def test_kl_is_never_negative(estimator: str) -> None:
    differences = torch.cat([torch.logspace(-12, 1, 200), -torch.logspace(-12, 1, 200)])[None]
    for dtype in (torch.float32, torch.float64):
        zero = torch.zeros_like(differences, dtype=dtype)
        assert (kl_divergence(zero, differences.to(dtype), estimator=estimator) >= 0).all()
        assert (kl_divergence(zero, zero, estimator=estimator) == 0).all()


@pytest.mark.parametrize("estimator", ["k1", "k3"])
def test_kl_estimators_are_unbiased(estimator: str) -> None:
    # under π = (1/4, 3/4) against (1/2, 1/2): KL = 1/4·ln(1/2) + 3/4·ln(3/2)
    p, q = double([0.25, 0.75]), double([0.5, 0.5])
    expectation = (p * kl_divergence(p.log()[None], q.log()[None], estimator=estimator)).sum()
    assert expectation.item() == pytest.approx(-0.25 * LN2 + 0.75 * math.log(1.5))


@pytest.mark.parametrize(("estimator", "gradient"), [("k1", 1.0), ("k2", -LN2), ("k3", -1.0)])
def test_gradients_of_the_kl_estimators(estimator: str, gradient: float) -> None:
    # with d = log π_ref − log π = ln 2: d/dlogp of −d, d²/2, e^d − d − 1 is 1, −d, 1 − e^d
    logps = double([[-1]], grad=True)
    kl_divergence(logps, double([[-1 + LN2]]), estimator=estimator).sum().backward()
    torch.testing.assert_close(logps.grad, double([[gradient]]))


def test_k3_is_bounded() -> None:
    # d = 1: e − 2. d = 20: e^20 − 21 = 485,165,174.4; the same beyond that, with gradient 0.
    logps = tensor([-1.0, -21.0, -90.0, -1e4], requires_grad=True)
    kl = kl_divergence(logps, torch.zeros(4), estimator="k3")
    assert kl.tolist() == pytest.approx([0.718281828, *[485165174.4] * 3], rel=1e-6)
    kl.sum().backward()
    torch.testing.assert_close(logps.grad, tensor([1 - math.e, 0, 0, 0]))


def test_unknown_estimator_names_its_key() -> None:
    with pytest.raises(InputError, match=r"^grpo\.kl_estimator: 'k4'.*k1, k2, k3"):
        kl_divergence(double([[0]]), double([[0]]), estimator="k4")


# eq. 7


def test_grpo_loss_averages_within_responses_first() -> None:
    # Ratios 1: response means 1 and −4, mean −1.5, loss 1.5.
    # A token mean would give −(1 + 1 − 4) / 3.
    logps = double([[-1, -2], [-3, -9]])
    loss = grpo_loss(logps, logps, None, double([1, -4]), tensor([[1, 1], [1, 0]]), kl_coef=0.0)
    assert loss.item() == pytest.approx(1.5)


def test_grpo_loss_with_ratio_and_kl() -> None:
    # response 1: ratios 2 and 1, Â 1, KL (1 − ln 2) and 0 → ((2 − γ(1 − ln 2)) + 1) / 2
    # response 2: ratio 1/2, Â −2, KL ln 2 − 1/2 → −1 − γ(ln 2 − 1/2)
    logps = double([[-1, -1], [-2, -1]])
    old = double([[-1 - LN2, -1], [-2 + LN2, -1]])
    ref = double([[-1 + LN2, -1], [-2 - LN2, -1]])
    gamma = 0.1
    first, second = (3 - gamma * (1 - LN2)) / 2, -1 - gamma * (LN2 - 0.5)
    loss = grpo_loss(logps, old, ref, double([1, -2]), tensor([[1, 1], [1, 0]]), kl_coef=gamma)
    assert loss.item() == pytest.approx(-(first + second) / 2)


def test_kl_estimator_is_passed_on() -> None:
    # k1 = −ln 2 where log π_ref − log π = ln 2: loss = γ·k1
    zero, options = double([[0]]), {"kl_coef": 0.5, "kl_estimator": "k1"}
    loss = grpo_loss(zero, zero, zero + LN2, double([0]), tensor([[1]]), **options)
    assert loss.item() == pytest.approx(-0.5 * LN2)


@pytest.mark.parametrize(
    ("ratio", "advantage", "clip", "expected"),
    [
        (1.5, 1, None, 1.5),
        (1.5, 1, 0.2, 1.2),
        (1.5, 1, (0.2, 0.28), 1.28),
        (1.5, -1, 0.2, -1.5),
        (0.5, 1, 0.2, 0.5),
        (0.5, -1, 0.2, -0.8),
        (0.5, -1, (0.3, 0.2), -0.7),
        # DAPO's bounds: 1.25 lies within them, where 0.2 on both sides would cut it. Each bound
        # holds for one sign of the advantage only.
        (1.25, 1, (0.2, 0.28), 1.25),
        (1.5, -1, (0.2, 0.28), -1.5),
        (0.5, 1, (0.2, 0.28), 0.5),
        (0.5, -1, (0.2, 0.28), -0.8),
        (1.1, 1, 0.2, 1.1),
    ],
)
def test_clip(ratio: float, advantage: float, clip, expected: float) -> None:
    logps, old, advantages = double([[math.log(ratio)]]), double([[0]]), double([advantage])
    loss = grpo_loss(logps, old, None, advantages, tensor([[1]]), kl_coef=0.0, clip=clip)
    assert loss.item() == pytest.approx(-expected)


def test_the_ratio_is_bounded() -> None:
    # log ratios 0 and 100, Â 1 and 0: −(1·1 + e^20·0) / 2; with e^100 it would be NaN in float32
    logps, old, mask = tensor([[-1.0], [0.0]]), tensor([[-1.0], [-100.0]]), torch.ones(2, 1)
    loss = grpo_loss(logps, old, None, tensor([1.0, 0.0]), mask, kl_coef=0.0)
    assert loss.item() == pytest.approx(-0.5)


@pytest.mark.parametrize("ratio", ["token", "sequence"])
@pytest.mark.parametrize(
    ("logp", "advantage", "gradient"),
    [(LN2, 1, 0.0), (LN2, -1, 2.0), (-LN2, 1, -0.5), (-LN2, -1, 0.0)],
)
def test_clipped_ratios_have_no_gradient(
    ratio: str, logp: float, advantage: float, gradient: float
) -> None:
    # Ratios 2 and 1/2 lie outside 0.8 … 1.28. Where the bound does not hold, the gradient is
    # −ratio·Â.
    logps, advantages = double([[logp]], grad=True), double([advantage])
    options = {"kl_coef": 0, "clip": (0.2, 0.28), "ratio": ratio}
    grpo_loss(logps, double([[0]]), None, advantages, tensor([[1]]), **options).backward()
    torch.testing.assert_close(logps.grad, double([[gradient]]))


def test_gradient_on_policy_is_the_weighted_advantage() -> None:
    # −Â_i / (N·|o_i|): −3 / (2·2) twice, 1 / (2·1)
    logps = double([[-1, -2], [-3, -4]], grad=True)
    grpo_loss(logps, logps, None, double([3, -1]), tensor([[1, 1], [1, 0]]), kl_coef=0.0).backward()
    torch.testing.assert_close(logps.grad, double([[-0.75, -0.75], [0.5, 0]]))


def test_gradient_of_k3_pulls_towards_the_reference() -> None:
    # d/dlogp of e^d − d − 1 with d = ref − logp = ln 2 is 1 − e^d = −1; times γ / (N·|o|) = 0.1 / 1
    logps, ref = double([[-1]], grad=True), double([[-1 + LN2]], grad=True)
    grpo_loss(logps, logps.detach(), ref, double([0]), tensor([[1]]), kl_coef=0.1).backward()
    torch.testing.assert_close(logps.grad, double([[-0.1]]))
    assert ref.grad is None


def random_batch(*, n: int = 4, t: int = 5) -> tuple[list[Tensor], Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logps = [-torch.rand(n, t, generator=generator, dtype=torch.float64) * 3 for _ in range(3)]
    lengths = tensor([5, 1, 3, 2])[:n, None]
    advantages = torch.randn(n, generator=generator, dtype=torch.float64)
    return logps, advantages, torch.arange(t)[None] < lengths


@pytest.mark.parametrize("garbage", [0.0, 1e30, -INF, INF, NAN])
@pytest.mark.parametrize("clip", [None, 0.2])
def test_padding_reaches_neither_loss_nor_gradient(garbage: float, clip: float | None) -> None:
    (logps, old, ref), advantages, mask = random_batch()
    expected_leaf = logps.clone().requires_grad_()
    expected = grpo_loss(expected_leaf, old, ref, advantages, mask, kl_coef=0.1, clip=clip)
    expected.backward()

    wide = pad(mask, (0, 3))
    leaf, *others = [pad(x, (0, 3)).masked_fill(~wide, garbage) for x in (logps, old, ref)]
    leaf.requires_grad_()
    loss = grpo_loss(leaf, *others, advantages, wide, kl_coef=0.1, clip=clip)
    loss.backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(leaf.grad[:, :5], expected_leaf.grad)
    assert torch.equal(leaf.grad[~wide], torch.zeros_like(leaf.grad[~wide]))


def test_padding_does_not_change_the_sft_gradient() -> None:
    (logps, _, _), _, mask = random_batch()
    expected, leaf = logps.clone().requires_grad_(), logps.masked_fill(~mask, -INF).requires_grad_()
    sft_loss(expected, mask).backward()
    sft_loss(leaf, mask).backward()
    torch.testing.assert_close(leaf.grad, expected.grad)
    assert expected.grad.abs().sum() == pytest.approx(1)


def test_gradient_of_eq_7_agrees_with_finite_differences() -> None:
    (logps, old, ref), advantages, mask = random_batch()
    for estimator in ("k1", "k2", "k3"):
        options = {"kl_coef": 0.3, "kl_estimator": estimator, "clip": 0.2}

        def loss(x: Tensor, options: dict = options) -> Tensor:
            return grpo_loss(x, old, ref, advantages, mask, **options)

        assert torch.autograd.gradcheck(loss, logps.requires_grad_())


def test_halves_of_a_batch_average_to_the_whole() -> None:
    (logps, old, ref), advantages, mask = random_batch()
    whole = grpo_loss(logps, old, ref, advantages, mask, kl_coef=0.1)
    halves = []
    for half in (slice(0, 2), slice(2, 4)):
        tensors = [values[half] for values in (logps, old, ref, advantages, mask)]
        halves.append(grpo_loss(*tensors, kl_coef=0.1))
    torch.testing.assert_close(sum(halves) / 2, whole)


def test_empty_response_adds_nothing_and_still_counts() -> None:
    # one response of mean 1 among two: −(1 + 0) / 2
    logps = double([[-1, -1], [NAN, NAN]], grad=True)
    loss = grpo_loss(logps, logps, logps, double([1, 7]), tensor([[1, 1], [0, 0]]), kl_coef=0.1)
    loss.backward()
    assert loss.item() == pytest.approx(-0.5)
    assert torch.equal(logps.grad[1], double([0, 0]))


def test_missing_reference_is_refused_only_where_it_is_used() -> None:
    zero = double([[0]])
    assert grpo_loss(zero, zero, None, double([1]), tensor([[1]]), kl_coef=0).item() == -1
    with pytest.raises(ValueError, match="ref_logps is None"):
        grpo_loss(zero, zero, None, double([1]), tensor([[1]]), kl_coef=0.01)


# Later variants of GRPO


def test_advantages_without_the_std() -> None:
    # mean 1: only centred, whatever eps; equal rewards stay exactly 0
    rewards = double([[0, 0, 0, 4], [0.1 + 0.2, 0.3, 0.3, 0.3]])
    got = group_advantages(rewards, eps=0.5, unbiased=True, scale="none")
    assert torch.equal(got, double([[-1, -1, -1, 3], [0, 0, 0, 0]]))


def test_groups_of_equal_rewards() -> None:
    rewards = double([[0.1 + 0.2, 0.3], [1, 1 + 1e-9], [0, 0], [0, 1e-300]])
    assert zero_variance(rewards).tolist() == [True, False, True, False]
    assert zero_variance(tensor([[-2.0], [5.0]])).tolist() == [True, True]


THREE = tensor([[1, 1], [1, 0], [0, 0]])


def test_token_mean_of_all_responses() -> None:
    # ratios 1: tokens 3, 3, −1 of three tokens; the empty response adds nothing: −5/3
    zero = torch.zeros(3, 2, dtype=torch.float64)
    loss = grpo_loss(zero, zero, None, double([3, -1, 7]), THREE, kl_coef=0, normalise="token")
    assert loss.item() == pytest.approx(-5 / 3)


def test_division_by_a_constant() -> None:
    # sums 6, −1, 0 over 3 responses and a length limit of 10: −5/30
    zero, advantages = torch.zeros(3, 2, dtype=torch.float64), double([3, -1, 7])
    options = {"kl_coef": 0, "normalise": "constant"}
    loss = grpo_loss(zero, zero, None, advantages, THREE, **options, normaliser=10)
    assert loss.item() == pytest.approx(-1 / 6)
    with pytest.raises(ValueError, match="normaliser is None"):
        grpo_loss(zero, zero, None, advantages, THREE, **options)


@pytest.mark.parametrize(
    ("options", "divisor"),
    [
        ({"normalise": "token"}, 3),
        ({"normalise": "token", "normaliser": 1.5}, 1.5),
        ({"normalise": "constant", "normaliser": 10}, 30),
    ],
)
def test_gradients_of_the_other_means(options: dict, divisor: float) -> None:
    # Every token weighs −Â_i over the number of tokens (3 here, or as given) or over
    # N·constant = 3·10. The empty response has no token.
    logps = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
    grpo_loss(logps, logps, None, double([3, -1, 7]), THREE, kl_coef=0, **options).backward()
    torch.testing.assert_close(logps.grad, double([[-3, -3], [1, 0], [0, 0]]) / divisor)


def test_a_micro_batch_without_tokens() -> None:
    # 2 tokens in 2 micro-batches: normaliser 1. The losses are −(3 + 3) / 1 and 0, and their mean
    # is −3 = −(3 + 3) / 2.
    zero = double([[0, 0]])
    options = {"kl_coef": 0, "normalise": "token", "normaliser": 1.0}
    for mask, expected in (([1, 1], -6), ([0, 0], 0)):
        loss = grpo_loss(zero, zero, None, double([3]), tensor([mask]), **options)
        assert loss.item() == expected


def test_nothing_but_empty_responses() -> None:
    nothing = torch.full((2, 2), NAN, dtype=torch.float64)
    advantages, mask = double([1, 2]), torch.zeros(2, 2)
    for options in ({"normalise": "sequence"}, {"normalise": "token"}, {"ratio": "sequence"}):
        loss = grpo_loss(nothing, nothing, None, advantages, mask, kl_coef=0, **options)
        assert loss.item() == 0


def test_token_mean_with_kl() -> None:
    # KL (k3, d = ln 2) is 1 − ln 2 at two tokens of one response and at one of the other:
    # γ(1 − ln 2)·3/3.
    zero, mask = torch.zeros(2, 2, dtype=torch.float64), tensor([[1, 1], [1, 0]])
    options = {"kl_coef": 0.5, "normalise": "token"}
    loss = grpo_loss(zero, zero, zero + LN2, double([0, 0]), mask, **options)
    assert loss.item() == pytest.approx(0.5 * (1 - LN2))


@pytest.mark.parametrize("normalise", ["token", "constant"])
def test_micro_batches_average_to_the_whole_step(normalise: str) -> None:
    (logps, old, ref), advantages, mask = random_batch()
    of_step = {"token": float(mask.sum()), "constant": 7.0}[normalise]
    of_micro_batch = of_step / 2 if normalise == "token" else of_step
    options = {"kl_coef": 0.1, "normalise": normalise}
    leaf = logps.clone().requires_grad_()
    whole = grpo_loss(leaf, old, ref, advantages, mask, **options, normaliser=of_step)
    whole.backward()
    halves = logps.clone().requires_grad_()
    parts = []
    for half in (slice(0, 2), slice(2, 4)):
        tensors = [values[half] for values in (halves, old, ref, advantages, mask)]
        parts.append(grpo_loss(*tensors, **options, normaliser=of_micro_batch))
    (sum(parts) / 2).backward()
    torch.testing.assert_close(sum(parts) / 2, whole)
    torch.testing.assert_close(halves.grad, leaf.grad)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"normalise": "token"},
        {"normalise": "constant", "normaliser": 1},
        {"ratio": "sequence"},
    ],
)
def test_one_response_of_one_token_is_the_same_in_every_mean(options: dict) -> None:
    # N = 1, |o| = 1: −2·Â, Â = 3
    logps, old = double([[LN2, NAN]]), double([[0, NAN]])
    loss = grpo_loss(logps, old, None, double([3]), tensor([[1, 0]]), kl_coef=0, **options)
    assert loss.item() == pytest.approx(-6)


def test_one_ratio_per_response() -> None:
    # log ratios ln 8 and 0 of two tokens: √8 for both; one token of ln 2: 2. −(√8·1 + 2·(−3)) / 2
    logps, old = double([[3 * LN2, 0], [LN2, NAN]]), double([[0, 0], [0, NAN]])
    mask = tensor([[1, 1], [1, 0]])
    loss = grpo_loss(logps, old, None, double([1, -3]), mask, kl_coef=0, ratio="sequence")
    assert loss.item() == pytest.approx(-(math.sqrt(8) - 6) / 2)
    # clipped to 1.5 where that lowers it, and not where the advantage is negative
    loss = grpo_loss(logps, old, None, double([1, -3]), mask, kl_coef=0, ratio="sequence", clip=0.5)
    assert loss.item() == pytest.approx(-(1.5 - 6) / 2)


def test_gradient_of_one_ratio_per_response() -> None:
    # d/dlogp_t of s·Â with s = exp(mean log ratio) = 2 is s·Â / |o| = 2·3 / 2 at both tokens; N = 1
    logps, old, mask = double([[2 * LN2, 0]], grad=True), torch.zeros(1, 2), tensor([[1, 1]])
    loss = grpo_loss(logps, old, None, double([3]), mask, kl_coef=0, ratio="sequence")
    loss.backward()
    torch.testing.assert_close(logps.grad, double([[-3, -3]]))


@pytest.mark.parametrize(
    "options",
    [{"ratio": "sequence"}, {"normalise": "token"}, {"normalise": "constant", "normaliser": 9.0}],
)
@pytest.mark.parametrize("garbage", [1e30, -INF, NAN])
def test_padding_reaches_no_option(options: dict, garbage: float) -> None:
    (logps, old, ref), advantages, mask = random_batch()
    losses, gradients = [], []
    for filled in (0.0, garbage):
        leaf = logps.masked_fill(~mask, filled).requires_grad_()
        others = [value.masked_fill(~mask, filled) for value in (old, ref)]
        loss = grpo_loss(leaf, *others, advantages, mask, kl_coef=0.1, clip=0.2, **options)
        loss.backward()
        losses.append(loss.detach())
        gradients.append(leaf.grad)
    assert torch.equal(*losses)
    assert torch.equal(*gradients)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ratio": "word"}, r"^grpo\.ratio: 'word'.*token, sequence"),
        ({"normalise": "batch"}, r"^grpo\.normalise: 'batch'.*sequence, token, constant"),
    ],
)
def test_unknown_words_name_their_key(options: dict, message: str) -> None:
    zero = double([[0]])
    with pytest.raises(InputError, match=message):
        grpo_loss(zero, zero, None, double([1]), tensor([[1]]), kl_coef=0, **options)


def test_an_unknown_scale_names_its_key() -> None:
    with pytest.raises(InputError, match=r"^grpo\.advantage_scale: 'range'.*std, none"):
        group_advantages(double([[0]]), eps=0, unbiased=True, scale="range")
