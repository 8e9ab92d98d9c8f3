"""Repeated launches, digests, and memory that is full of NaN."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest
import torch

from gconvbench.accuracy import Proof, prove
from gconvbench.accuracy.steadiness import digest, poisoned_memory, repeat, same_bits
from gconvbench.cases import DIRECTIONS, DTYPES, Case
from gconvbench.implementations.native import Native

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from gconvbench.implementations import Launch, Operands

TINY = Case(groups=2, in_channels=4, out_channels=4, height=5, width=5)


@pytest.mark.parametrize(
    ("flops", "launches"),
    [
        (0, 12),
        (2, 12),  # as many as there may be
        (1 << 27, 8),  # 2^30 in all
        (1 << 29, 2),
        (1 << 33, 2),  # as few as there may be
    ],
)
def test_there_are_fewer_launches_of_larger_problems(flops: int, launches: int) -> None:
    result = (torch.ones(2),)
    counted = []

    def launch() -> tuple[Tensor, ...]:
        counted.append(result)
        return result

    assert repeat(launch, result, flops=flops) == (launches, ())
    assert len(counted) == launches


def test_the_results_that_differ_are_handed_out() -> None:
    """As they were, though the next launch writes to the same memory."""
    buffer, turns = torch.zeros(3), iter(range(12))
    repeats = repeat(lambda: (buffer.fill_(next(turns) % 3),), (torch.zeros(3),), flops=1)
    assert repeats.launches == 12
    assert [one.tolist() for (one,) in repeats.different] == [[1.0] * 3, [2.0] * 3] * 4
    smallest = torch.tensor([0, 0, 2**-149])
    assert len(repeat(lambda: (smallest,), (torch.zeros(3),), flops=1).different) == 12


def test_bits_are_the_same_only_if_they_are_in_all_results() -> None:
    one, other = torch.ones(2), torch.tensor([1, 1 + 2**-23])
    assert same_bits((one, one), (one.clone(), one.clone()))
    assert not same_bits((one, one), (one, other))
    assert not same_bits((torch.tensor([0.0]),), (torch.tensor([-0.0]),))
    assert same_bits((torch.tensor(torch.nan),), (torch.tensor(torch.nan),))


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_are_the_same_whatever_their_layout(dtype: str) -> None:
    plain = torch.randn(2, 6, 5, 4).to(getattr(torch, dtype))
    assert same_bits((plain,), (plain.contiguous(memory_format=torch.channels_last),))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_digest_is_of_the_values_whatever_their_layout(dtype: str) -> None:
    plain = torch.randn(2, 6, 5, 4).to(getattr(torch, dtype))
    nhwc = plain.contiguous(memory_format=torch.channels_last)
    sliced = torch.zeros(2, 8, 5, 4, dtype=plain.dtype)[:, 1:7].copy_(plain)
    assert digest(plain) == digest(nhwc) == digest(sliced)
    assert len(digest(plain)) == 16
    assert int(digest(plain), 16) >= 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("at", [0, 57, 119])
def test_a_digest_differs_for_one_flipped_bit(dtype: str, at: int) -> None:
    values = torch.randn(2, 3, 5, 4).to(getattr(torch, dtype))
    bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[values.element_size()]
    for bit in range(8 * values.element_size() - 1):
        flipped = values.clone()
        flipped.view(bits).view(-1)[at] ^= 1 << bit
        assert digest(flipped) != digest(values)


def test_a_digest_tells_the_two_zeros_apart_and_exists_for_nothing() -> None:
    assert digest(torch.tensor([0.0])) != digest(torch.tensor([-0.0]))
    assert len(digest(torch.empty(0, 3, 2, 2))) == 16


def test_a_digest_is_that_of_a_result_with_a_gradient_too() -> None:
    values = torch.randn(4)
    assert digest(values.clone().requires_grad_()) == digest(values)


@pytest.fixture
def plain_settings() -> Iterator[None]:
    """Deterministic algorithms off, before and after."""
    torch.use_deterministic_algorithms(mode=False)
    yield
    torch.use_deterministic_algorithms(mode=False)


SOURCES: dict[str, Any] = {
    "empty": lambda: torch.empty(1000),
    "empty_like": lambda: torch.empty_like(torch.ones(10, 10, dtype=torch.float16)),
    "empty_strided": lambda: torch.empty_strided((10, 10), (10, 1), dtype=torch.bfloat16),
    "new_empty": lambda: torch.ones(3).new_empty(100),
    "resize_": lambda: torch.empty(0).resize_(100),
}


@pytest.mark.usefixtures("plain_settings")
@pytest.mark.parametrize("source", SOURCES)
def test_new_memory_is_full_of_nan_within_the_block(source: str) -> None:
    for _ in range(2):
        with poisoned_memory():
            assert SOURCES[source]().isnan().all()


@pytest.mark.usefixtures("plain_settings")
def test_new_memory_is_as_the_system_gives_it_outside_the_block() -> None:
    """Recycled with the ones of before, or new from the kernel with zeros."""
    size = 1 << 24
    for _ in range(2):
        with poisoned_memory():
            kept = torch.empty(size)
        assert kept.isnan().all()
        del kept
        torch.empty(size).fill_(1)
        assert not torch.empty(size).isnan().all()


def settings() -> tuple[bool, bool, bool]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        bool(torch.utils.deterministic.fill_uninitialized_memory),  # type: ignore[attr-defined]
    )


@pytest.mark.usefixtures("plain_settings")
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize(
    ("mode", "fills"), [(False, True), (True, True), (False, False), (True, False)]
)
def test_settings_are_what_they_were_even_after_an_exception(
    monkeypatch: pytest.MonkeyPatch, *, mode: bool, fills: bool, fails: bool
) -> None:
    torch.use_deterministic_algorithms(mode=mode)
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", fills)
    before = settings()
    try:
        with poisoned_memory():
            assert settings() == (True, True, True)
            if fails:
                raise KeyError  # noqa: TRY301 (where it is raised is the point)
    except KeyError:
        assert fails
    assert settings() == before


@pytest.mark.usefixtures("plain_settings")
def test_operations_without_a_deterministic_form_run_and_do_not_warn() -> None:
    with poisoned_memory(), warnings.catch_warnings():
        torch.nn.functional.max_unpool2d(torch.ones(1, 1, 1), torch.zeros(1, 1, 1).long(), (2, 2))


class Unsteady(Native):
    """Every n-th launch is altered."""

    name = "unsteady"

    def __init__(self, every: int, factor: float) -> None:
        self._every, self._factor = every, factor

    def launch(self, case: Case, operands: Operands) -> Launch:
        right = super().launch(case, operands)
        launches = iter(range(1, 1000))

        def launch() -> tuple[Tensor, ...]:
            factor = self._factor if next(launches) % self._every == 0 else 1
            return tuple(result * factor for result in right())

        return launch


class Unfilled(Native):
    """The last channel is left as the memory was."""

    name = "unfilled"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        y = super().forward(case, x, weight, bias)
        filled = torch.empty_like(y)
        filled[:, :-1] = y[:, :-1]
        return filled


class Padded(Native):
    """Reads memory that nobody wrote, times zero."""

    name = "padded"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        unwritten = torch.empty_like(x)
        if not torch.are_deterministic_algorithms_enabled():
            unwritten.zero_()  # as luck would have it
        return super().forward(case, x + 0 * unwritten, weight, bias)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_steady_implementation_has_the_same_bits_each_time(direction: str) -> None:
    case = Case(groups=2, in_channels=4, out_channels=4, height=5, width=5, direction=direction)
    accuracy = prove(Native(), Proof.of(case, device="cpu", seed=0))
    assert accuracy.repeatability == "same bits in 12 launches more"
    assert accuracy.deterministic == "same bits"
    assert not accuracy.faults


def test_other_bits_within_the_limit_are_a_label() -> None:
    accuracy = prove(Unsteady(4, 1 + 2**-23), Proof.of(TINY, device="cpu", seed=0))
    assert accuracy.repeatability == "other bits in 3 of 12 launches more"
    assert not accuracy.faults


def test_a_launch_that_is_wrong_only_sometimes_is_wrong() -> None:
    accuracy = prove(Unsteady(4, 1.01), Proof.of(TINY, device="cpu", seed=0))
    assert accuracy.repeatability == "other bits in 3 of 12 launches more"
    (fault,) = accuracy.faults
    assert fault.startswith("in 3 of 12 launches more output has error 0.0")


def test_what_is_left_unwritten_shows_in_fresh_memory() -> None:
    proof = Proof.of(TINY, device="cpu", seed=0)
    for implementation in (Padded(), Unfilled()):
        accuracy = prove(implementation, proof)
        assert accuracy.deterministic == "other bits", implementation.name
        assert accuracy.faults
    fault = prove(Padded(), proof).faults[0]
    assert fault == "with fresh memory full of NaN output is not finite where the reference is"


def test_deterministic_algorithms_may_give_other_bits() -> None:
    class Deterministic(Native):
        name = "deterministic"

        def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            y = super().forward(case, x, weight, bias)
            return y * (1 + 2**-23) if torch.are_deterministic_algorithms_enabled() else y

    accuracy = prove(Deterministic(), Proof.of(TINY, device="cpu", seed=0))
    assert accuracy.deterministic == "other bits"
    assert not accuracy.faults


@pytest.mark.usefixtures("plain_settings")
def test_warnings_only_stay_warnings_only() -> None:
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    with poisoned_memory():
        pass
    assert torch.is_deterministic_algorithms_warn_only_enabled()
