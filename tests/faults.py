"""Faults planted on purpose, in any implementation: each must be caught by the proof.

A fault stands around an implementation and spoils what goes into it or comes out of it. Whatever
can be spoilt on the way forward is spoilt there, so that autograd spoils the gradients as a
kernel's own mistake would. Which results are wrong, each fault says by a rule of its own
(`spoilt`), which knows the case and not the verdict.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from gconvbench.accuracy import result_limit
from gconvbench.implementations import Implementation, result_names
from gconvbench.implementations.folded_shuffle import FoldedShuffle
from gconvbench.implementations.merged_groups import MergedGroups
from gconvbench.implementations.native import Native

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations import Launch, Operands

Plant = Callable[[Implementation], "Fault"]
"""Plants a fault in an implementation."""
Map = Callable[["Tensor"], "Tensor"]

NATIVE = Native()
PRODUCTS = ("output", "grad_input", "grad_weight")
"""The results that operands are multiplied for."""
RESULTS = (*PRODUCTS, "grad_bias")


class Fault(Implementation):
    """An implementation as it is, for faults to deviate from.

    Attributes:
        wrong: the results that this fault makes wrong, where it does anything.
        inner: the implementation that it is planted in.
    """

    idea = "a planted fault"
    wrong: tuple[str, ...] = RESULTS

    def __init__(self, inner: Implementation = NATIVE) -> None:
        self.inner = inner
        self.operations = inner.operations

    def why_unsupported(self, case: Case, device: str) -> str | None:
        return self.inner.why_unsupported(case, device)

    def roundings(self, case: Case, tensor: str, device: str) -> int:
        return self.inner.roundings(case, tensor, device)

    def prepare(self, case: Case, operands: Operands) -> Operands:
        return self.inner.prepare(case, operands)

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return self.inner.forward(case, x, weight, bias)

    def matters(self, case: Case) -> bool:
        """Whether the fault does anything to this problem, whatever the direction."""
        return True

    def spoilt(self, case: Case) -> tuple[str, ...]:
        """The results of `case` that are wrong; none where the fault is harmless."""
        return tuple(n for n in result_names(case) if n in self.wrong and self.matters(case))


class GroupsSwapped(Fault):
    """Each group gets its neighbour's inputs."""

    name = "groups_swapped"
    wrong = PRODUCTS

    def matters(self, case: Case) -> bool:
        return case.groups > 1

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return self.inner.forward(case, x.roll(case.group_in_channels, 1), weight, bias)


def _first_channels(case: Case, x: Tensor, count: int) -> Tensor:
    kept = torch.arange(case.in_channels, device=x.device) < count
    return x * kept.view(1, -1, 1, 1).to(x.dtype)


class HalfDropped(Fault):
    """The forum's fear come true: half of the input channels never arrive."""

    name = "half_dropped"
    wrong = PRODUCTS

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return self.inner.forward(
            case, _first_channels(case, x, case.in_channels // 2), weight, bias
        )


class LastGroupDropped(Fault):
    """Wrong in the last group only."""

    name = "last_group_dropped"
    wrong = PRODUCTS

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        kept = case.in_channels - case.group_in_channels
        return self.inner.forward(case, _first_channels(case, x, kept), weight, bias)


class _LastOfOdd(Fault):
    """Two groups at a time; the last, without a partner, is taken for the first.

    Groups are counted as the inner implementation computes them, merged ones as one.
    """

    wrong = PRODUCTS

    def _groups(self, case: Case) -> int:
        merged = self.inner._merged if isinstance(self.inner, MergedGroups) else 1
        return case.groups // merged

    def matters(self, case: Case) -> bool:
        groups = self._groups(case)
        return groups > 1 and groups % 2 == 1

    def _last_is_first(self, case: Case, tensor: Tensor, dimension: int) -> Tensor:
        if not self.matters(case):
            return tensor
        parts = tensor.chunk(self._groups(case), dimension)
        return torch.cat([*parts[:-1], parts[0]], dimension)


class LastGroupMisread(_LastOfOdd):
    """Where the groups are odd, the last gets the first one's inputs."""

    name = "last_group_misread"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return self.inner.forward(case, self._last_is_first(case, x, 1), weight, bias)


class LastGroupMisweighted(_LastOfOdd):
    """Where the groups are odd, the last gets the first one's weights."""

    name = "last_group_misweighted"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return self.inner.forward(case, x, self._last_is_first(case, weight, 0), bias)


class OneGroupOff(Fault):
    """Too large by 1 % in one group, which a norm over all groups would dilute."""

    name = "one_group_off"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        scale = torch.ones(case.out_channels, 1, 1, 1, dtype=x.dtype, device=x.device)
        scale[: case.group_out_channels] = 1.01
        scaled = None if bias is None else bias * scale.flatten()
        return self.inner.forward(case, x, weight * scale, scaled)


class Transposed(Fault):
    """Rows and columns of the filter exchanged."""

    name = "transposed"
    wrong = PRODUCTS

    def matters(self, case: Case) -> bool:
        return case.kernel_size != (1, 1)

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return self.inner.forward(case, x, weight.transpose(2, 3), bias)


class _BiasTimes(Fault):
    wrong = ("output", "grad_bias")
    factor: int

    def matters(self, case: Case) -> bool:
        return case.bias

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return self.inner.forward(case, x, weight, None if bias is None else bias * self.factor)


class BiasForgotten(_BiasTimes):
    """Without the bias; its gradient is then zero."""

    name = "bias_forgotten"
    factor = 0


class BiasAddedTwice(_BiasTimes):
    """By the kernel and by the epilogue; its gradient is then twice as large."""

    name = "bias_added_twice"
    factor = 2


class BorderUnwritten(Fault):
    """The last row and column of the output are never written, and nothing flows back from them."""

    name = "border_unwritten"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _without_border(self.inner.forward(case, x, weight, bias))


def _without_border(right: Tensor, memory: Tensor | None = None) -> Tensor:
    """New memory, or what is given, with all but the last row and column written."""
    written = torch.empty_like(right) if memory is None else memory
    written[..., :-1, :-1] = right[..., :-1, :-1]
    return written


class Leaking(Fault):
    """Right to the last bit for finite data, yet zero times every input is added."""

    name = "leaking"
    wrong = ()

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return self.inner.forward(case, x, weight, bias) + 0 * x.sum() * weight.sum()

    def shows(self, case: Case) -> bool:
        """Whether NaN reaches a result that it must not; a dense layer lets it reach most."""
        return not case.following or "grad_weight" in result_names(case)


class _Through(torch.autograd.Function):
    """One function on the way forward, another on the way back."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, there: Map, back: Map) -> Tensor:
        ctx.back = back
        return there(value)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return ctx.back(grad), None, None


class _Rounded(Fault):
    """Every operand of a product is rounded before it, the gradient from above too.

    Attributes:
        precision: what the proof has to call it.
    """

    precision: str

    @staticmethod
    @abstractmethod
    def rounded(tensor: Tensor) -> Tensor: ...

    def matters(self, case: Case) -> bool:
        return case.dtype == "float32" and case.math_mode != self.precision

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x, weight = (_through(operand, self.rounded, torch.clone) for operand in (x, weight))
        return _through(self.inner.forward(case, x, weight, bias), torch.clone, self.rounded)


def _through(value: Tensor, there: Map, back: Map) -> Tensor:
    return _Through.apply(value, there, back)  # type: ignore[no-untyped-call]


class Tf32Answer(_Rounded):
    """An answer in TF32 where IEEE was asked for: operands of 11 significand bits of 24."""

    name = "tf32_answer"
    precision = "tf32"

    @staticmethod
    def rounded(tensor: Tensor) -> Tensor:
        dropped = 13
        bits = tensor.contiguous().view(torch.int32)
        to_even = (1 << dropped - 1) - 1 + (bits >> dropped & 1)
        return (bits + to_even >> dropped << dropped).view(torch.float32)


class HalfAnswer(_Rounded):
    """An answer in half precision where more was asked for: operands rounded to bfloat16."""

    name = "half_answer"
    precision = "half"

    @staticmethod
    def rounded(tensor: Tensor) -> Tensor:
        return tensor.to(torch.bfloat16).to(tensor.dtype)


class _Altered(Fault):
    """Results altered one by one, after a right launch."""

    def launch(self, case: Case, operands: Operands) -> Launch:
        right = super().launch(case, operands)

        def launch() -> tuple[Tensor, ...]:
            named = zip(result_names(case), right(), strict=True)
            return tuple(
                self.altered(case, name, result) if name in self.wrong else result
                for name, result in named
            )

        return launch

    @abstractmethod
    def altered(self, case: Case, name: str, result: Tensor) -> Tensor: ...


class ResultsOff(_Altered):
    """Every result too large by max(1 %, 3 tau)."""

    name = "results_off"

    def altered(self, case: Case, name: str, result: Tensor) -> Tensor:
        tau = result_limit(case, name, self.inner, device=str(result.device))
        return result * (1 + max(0.01, 3 * tau))


class GradientOff(ResultsOff):
    """One gradient alone too large by as much; the output is right."""

    def __init__(self, inner: Implementation = NATIVE, *, gradient: str = "grad_weight") -> None:
        super().__init__(inner)
        self.name = f"{gradient}_off"
        self.wrong = (gradient,)


def _middle(tensor: Tensor) -> tuple[int, ...]:
    return tuple(side // 2 for side in tensor.shape)


class OnePixelOff(_Altered):
    """A quarter too large in one pixel: next to nothing in the norm of a large result."""

    name = "one_pixel_off"

    def altered(self, case: Case, name: str, result: Tensor) -> Tensor:
        off = result.clone()
        image, *place = _middle(off)
        pixel = off[image]
        for side in place[1:]:
            pixel = pixel.select(1, side)
        pixel *= 1.25
        return off


class PoisonSwallowed(_Altered):
    """Right for finite data; whatever is not finite is lost on the way."""

    name = "poison_swallowed"

    def altered(self, case: Case, name: str, result: Tensor) -> Tensor:
        return torch.nan_to_num(result)


class GradientBorderUnwritten(_Altered):
    """The last row and column of the input's gradient are never written."""

    name = "gradient_border_unwritten"
    wrong = ("grad_input",)

    def altered(self, case: Case, name: str, result: Tensor) -> Tensor:
        return _without_border(result)


class BorderRecycled(_Altered):
    """A border is never written, but the memory still holds what a right launch left there.

    Memory that PyTorch fills on purpose holds nothing of the kind.
    """

    name = "border_recycled"
    wrong = ("output", "grad_input")

    def altered(self, case: Case, name: str, result: Tensor) -> Tensor:
        is_filled = torch.are_deterministic_algorithms_enabled()
        return _without_border(result, None if is_filled else result.clone())


class _Racing(Fault):
    """One element in the middle of each result is wrong in some launches."""

    def launch(self, case: Case, operands: Operands) -> Launch:
        right = super().launch(case, operands)
        turns = itertools.count(1)

        def launch() -> tuple[Tensor, ...]:
            results = right()
            if self._is_lost(next(turns)):
                with torch.no_grad():
                    for result in results:
                        result[_middle(result)] += 1
            return results

        return launch

    @abstractmethod
    def _is_lost(self, turn: int) -> bool: ...


class WrongEveryThirdTime(_Racing):
    """In every third launch on the same operands."""

    name = "wrong_every_third_time"

    def _is_lost(self, turn: int) -> bool:
        return turn % 3 == 0


class WrongOneTimeInFour(_Racing):
    """At random, with a probability of 0.25."""

    name = "wrong_one_time_in_four"

    def __init__(self, inner: Implementation = NATIVE) -> None:
        super().__init__(inner)
        self._generator = torch.Generator().manual_seed(0)

    def _is_lost(self, turn: int) -> bool:
        return torch.rand((), generator=self._generator).item() < 0.25


class WrongEveryThirdTimeInOneBuffer(WrongEveryThirdTime):
    """The same, with results that each launch writes over those of the one before."""

    name = "wrong_every_third_time_in_one_buffer"

    def launch(self, case: Case, operands: Operands) -> Launch:
        racing = super().launch(case, operands)
        buffers: list[Tensor] = []

        def launch() -> tuple[Tensor, ...]:
            results = racing()
            if not buffers:
                buffers.extend(torch.empty_like(result) for result in results)
            for buffer, result in zip(buffers, results, strict=True):
                buffer.copy_(result)
            return tuple(buffers)

        return launch


class StaleResult(Fault):
    """Computes once, and hands out that result in every launch, on whatever operands."""

    name = "stale_result"

    def __init__(self, inner: Implementation = NATIVE) -> None:
        super().__init__(inner)
        self._first: tuple[Tensor, ...] = ()

    def launch(self, case: Case, operands: Operands) -> Launch:
        right = super().launch(case, operands)

        def launch() -> tuple[Tensor, ...]:
            self._first = self._first or right()
            return self._first

        return launch


class InputOverwritten(Fault):
    """Every launch leaves zeros in an operand that the direction does not depend on."""

    name = "input_overwritten"
    not_needed: ClassVar = {"fprop": "grad_output", "dgrad": "x", "wgrad": "weight"}

    def matters(self, case: Case) -> bool:
        return case.direction in self.not_needed

    def launch(self, case: Case, operands: Operands) -> Launch:
        right = super().launch(case, operands)
        named = operands.named()

        def launch() -> tuple[Tensor, ...]:
            results = right()
            if self.matters(case):
                named[self.not_needed[case.direction]].data.zero_()  # no kernel tells autograd
            return results

        return launch


class Misread(Fault):
    """One operand is read as if it lay plainly in memory, which is right where it does."""

    needed_by: ClassVar = {
        "x": ("output", "grad_weight"),
        "weight": ("output", "grad_input"),
        "grad_output": ("grad_input", "grad_weight", "grad_bias"),
    }

    def __init__(self, inner: Implementation = NATIVE, *, operand: str = "x") -> None:
        super().__init__(inner)
        self.name = f"{operand}_misread"
        self.wrong = self.needed_by[operand]
        self._operand = operand

    def prepare(self, case: Case, operands: Operands) -> Operands:
        tensor: Tensor = getattr(operands, self._operand)
        plain = torch.empty(tensor.shape).stride()
        misread: dict[str, Any] = {self._operand: tensor.as_strided(tensor.shape, plain)}
        return self.inner.prepare(case, replace(operands, **misread))


class _Reordered(Fault):
    """The shuffled channels come in another order.

    An implementation that folds the shuffle has no shuffled channels: there the weights of the
    layers behind are permuted so that they take the channels in that order.
    """

    @abstractmethod
    def order(self, case: Case) -> Tensor:
        """`(K,)`: the shuffled channel that stands where each should."""

    def matters(self, case: Case) -> bool:
        return case.shuffles and not torch.equal(self.order(case), torch.arange(case.out_channels))

    def prepare(self, case: Case, operands: Operands) -> Operands:
        if isinstance(self.inner, FoldedShuffle):
            back = torch.argsort(self.order(case))
            following = tuple(
                weight[back] if layer.groups > 1 else weight[:, back]
                for layer, weight in zip(case.following, operands.following, strict=True)
            )
            operands = replace(operands, following=following)
        return self.inner.prepare(case, operands)

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        y = self.inner.forward(case, x, weight, bias)
        return y if isinstance(self.inner, FoldedShuffle) else y[:, self.order(case)]


def _shuffled(case: Case) -> Tensor:
    """`(K,)`: the channel that each channel of the shuffled output comes from."""
    return torch.arange(case.out_channels).view(case.groups, -1).T.flatten()


class ShuffleForgotten(_Reordered):
    """No shuffle at all."""

    name = "shuffle_forgotten"

    def order(self, case: Case) -> Tensor:
        return torch.argsort(_shuffled(case))


class ShuffleInverse(_Reordered):
    """shuffle(K / g), the inverse of shuffle(g); folded, the weights behind permuted that way."""

    name = "shuffle_inverse"

    def order(self, case: Case) -> Tensor:
        back = torch.argsort(_shuffled(case))
        return back[back]


class ShuffleFolded(ShuffleForgotten):
    """The shuffle folded into the grouped convolution's own rows, which cannot be done."""

    name = "shuffle_folded"
    wrong = PRODUCTS  # each bias still gets to its channel

    def matters(self, case: Case) -> bool:
        here = torch.arange(case.out_channels) // case.group_out_channels
        return case.shuffles and not torch.equal(here, here[_shuffled(case)])

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        rows = _shuffled(case)
        return super().forward(case, x, weight[rows], None if bias is None else bias[rows])


class FollowerLeftAsItWas(Fault):
    """The shuffle folded into the last layer behind it, and not into the depthwise one before."""

    name = "follower_left_as_it_was"

    def matters(self, case: Case) -> bool:
        return len(case.following) > 1 and case.group_out_channels > 1 < case.groups

    def prepare(self, case: Case, operands: Operands) -> Operands:
        ready = self.inner.prepare(case, operands)
        return replace(ready, following=(*operands.following[:-1], ready.following[-1]))


FAULTS: tuple[Plant, ...] = (
    GroupsSwapped,
    HalfDropped,
    LastGroupDropped,
    LastGroupMisread,
    LastGroupMisweighted,
    OneGroupOff,
    Transposed,
    BiasForgotten,
    BiasAddedTwice,
    BorderUnwritten,
    GradientBorderUnwritten,
    BorderRecycled,
    OnePixelOff,
    PoisonSwallowed,
    ResultsOff,
    *(partial(GradientOff, gradient=name) for name in ("grad_input", "grad_weight", "grad_bias")),
    WrongEveryThirdTime,
    WrongEveryThirdTimeInOneBuffer,
    WrongOneTimeInFour,
    Tf32Answer,
    HalfAnswer,
    StaleResult,
    InputOverwritten,
)
"""For every operation."""
SHUFFLE_FAULTS: tuple[Plant, ...] = (
    ShuffleForgotten,
    ShuffleInverse,
    ShuffleFolded,
)
"""For operations that shuffle."""
FOLDED_FAULTS: tuple[Plant, ...] = (FollowerLeftAsItWas,)
"""For implementations that fold the shuffle into what follows."""
LAYOUT_FAULTS: tuple[Plant, ...] = tuple(
    partial(Misread, operand=name) for name in ("x", "weight", "grad_output")
)
"""Right on operands that lie plainly in memory."""


class Touched(Native):
    """Native, with a change made to one of its results in place."""

    name = "touched"

    def __init__(self, change: Callable[[Tensor], None], index: int = 0) -> None:
        self._change = change
        self._index = index

    def launch(self, case: Case, operands: Operands) -> Launch:
        right = super().launch(case, operands)

        def launch() -> tuple[Tensor, ...]:
            results = tuple(result.clone() for result in right())
            self._change(results[self._index])
            return results

        return launch
