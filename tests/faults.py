"""Faults planted on purpose: each must be caught by the proof that precedes timing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812

from gconvbench.accuracy import error_limit
from gconvbench.implementations import Implementation, result_names

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations import Launch, Operands


class _Grouped(Implementation):
    """The right way, for the faults to deviate from."""

    idea = "a planted fault"
    operations = ("conv", "conv_shuffle")

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        y = F.conv2d(x, weight, bias, case.stride, case.padding, case.dilation, case.groups)
        return y if case.operation == "conv" else torch.channel_shuffle(y, case.groups)


class GroupsSwapped(_Grouped):
    """Each group gets its neighbour's inputs."""

    name = "groups_swapped"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super().forward(case, x.roll(case.group_in_channels, 1), weight, bias)


class HalfDropped(_Grouped):
    """The forum's fear come true: half of the input channels never arrive."""

    name = "half_dropped"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        kept = torch.arange(case.in_channels, device=x.device) < case.in_channels // 2
        return super().forward(case, x * kept.view(1, -1, 1, 1).to(x.dtype), weight, bias)


class LastGroupDropped(_Grouped):
    """Wrong in the last group only."""

    name = "last_group_dropped"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        kept = torch.arange(case.in_channels, device=x.device)
        kept = kept < case.in_channels - case.group_in_channels
        return super().forward(case, x * kept.view(1, -1, 1, 1).to(x.dtype), weight, bias)


class ResultsOff(_Grouped):
    """Every result too large by max(1 %, 3 tau)."""

    name = "results_off"

    def launch(self, case: Case, operands: Operands) -> Launch:
        right = super().launch(case, operands)
        factors = [
            1 + max(0.01, 3 * error_limit(case, name, device="cpu", roundings=2))
            for name in result_names(case)
        ]
        return lambda: tuple(r * f for r, f in zip(right(), factors, strict=True))


class OneGroupOff(_Grouped):
    """Too large by 1 % in one group, which a norm over all groups would dilute."""

    name = "one_group_off"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        scale = torch.ones(case.out_channels, 1, 1, 1, dtype=x.dtype)
        scale[: case.group_out_channels] = 1.01
        scaled = None if bias is None else bias * scale.flatten()
        return super().forward(case, x, weight * scale, scaled)


class Transposed(_Grouped):
    """Rows and columns of the filter exchanged."""

    name = "transposed"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super().forward(case, x, weight.transpose(2, 3), bias)


class BiasForgotten(_Grouped):
    """Without the bias; its gradient is then zero."""

    name = "bias_forgotten"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super().forward(case, x, weight, None if bias is None else bias * 0)


class Leaking(_Grouped):
    """Right to the last bit for finite data, yet zero times every input is added."""

    name = "leaking"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super().forward(case, x, weight, bias) + 0 * x.sum() * weight.sum()


class ShuffleFolded(_Grouped):
    """The shuffle folded into the grouped convolution's own rows, which cannot be done."""

    name = "shuffle_folded"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        order = torch.arange(case.out_channels).view(case.groups, -1).T.flatten()
        rows = None if bias is None else bias[order]
        return F.conv2d(
            x, weight[order], rows, case.stride, case.padding, case.dilation, case.groups
        )


class ShuffleInverse(_Grouped):
    """shuffle(C / g), the inverse of shuffle(g)."""

    name = "shuffle_inverse"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        y = F.conv2d(x, weight, bias, case.stride, case.padding, case.dilation, case.groups)
        return torch.channel_shuffle(y, case.group_out_channels)


class ShuffleForgotten(_Grouped):
    """No shuffle at all."""

    name = "shuffle_forgotten"

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.conv2d(x, weight, bias, case.stride, case.padding, case.dilation, case.groups)


FAULTS = (
    GroupsSwapped(),
    HalfDropped(),
    LastGroupDropped(),
    ResultsOff(),
    OneGroupOff(),
)
"""Wrong for both operations."""
CONV_FAULTS = (Transposed(), BiasForgotten())
SHUFFLE_FAULTS = (ShuffleFolded(), ShuffleInverse(), ShuffleForgotten())
