"""Groups on several devices, as AlexNet had them on two (Krizhevsky et al. 2012, section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812

from gconvbench.implementations.base import Implementation, result_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations.base import Launch, Operands

__all__ = ["SplitDevices"]

_FEWEST_DEVICES = 2


class _Share(NamedTuple):
    """Some groups and their weights `(K', C / g, R, S)`, on the device that computes them."""

    groups: int
    weight: Tensor
    bias: Tensor | None


class SplitDevices(Implementation):
    """Each device convolves its share of the groups; the first one sends and gathers.

    Weights lie on their devices beforehand, as they would in a network that is split like this.
    Activations travel within every launch, there and back; so do the gradients of the weights,
    which training would leave where they are.

    A copy between devices waits for the current streams of both (torch, "CUDA semantics"), so the
    others begin after what was enqueued on the first one, and it goes on after they are done.

    The first device's cache is emptied, its clocks are read and its lock is held; nothing keeps
    others off the rest.

    Args:
        devices: the first is the one under test; all CUDA devices where none are named.
    """

    name = "split_devices"
    idea = "groups on several devices, a grouped convolution on each, gathered by torch.cat"
    on_request = True
    why_not_captured = "it runs on several devices"

    def __init__(self, devices: Sequence[str] = ()) -> None:
        self._devices = tuple(devices)

    def why_unsupported(self, case: Case, device: str) -> str | None:
        """There must be devices to split over, and groups to split."""
        if not self._devices and device == "cpu":
            return "groups are split over CUDA devices"
        if self._devices and torch.device(self._devices[0]).type != torch.device(device).type:
            return f"begins on {self._devices[0]}, not on {device}"
        count = len(self._devices) or torch.cuda.device_count()
        if count < _FEWEST_DEVICES:
            return f"needs {_FEWEST_DEVICES} devices, there is {count}"
        return "with groups=1 this would be native once more" if case.groups == 1 else None

    def forward(self, case: Case, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """With weights that travel, too."""
        return _gathered(case, x, self._shares(case, weight, bias))

    def launch_prepared(self, case: Case, ready: Operands) -> Launch:
        """Weights are sent here, once."""
        names = result_names(case)
        shares = self._shares(case, ready.weight, ready.bias)
        if case.direction == "fprop":
            return lambda: (_gathered(case, ready.x, shares),)
        x = ready.x.detach().requires_grad_("grad_input" in names)
        if "grad_weight" in names:
            shares = [_with_gradients(share) for share in shares]

        def gradients(y: Tensor, *, retain: bool) -> tuple[Tensor, ...]:
            return _gradients(y, x, shares, ready.grad_output, retain=retain)

        if case.direction == "training":

            def train() -> tuple[Tensor, ...]:
                y = _gathered(case, x, shares)
                return y.detach(), *gradients(y, retain=False)

            return train
        y = _gathered(case, x, shares)
        return lambda: gradients(y, retain=True)

    def _shares(self, case: Case, weight: Tensor, bias: Tensor | None) -> list[_Share]:
        """The groups in order, as evenly as they can be spread; each device has at least one."""
        devices = self._devices_from(weight.device)[: case.groups]
        fewest, more = divmod(case.groups, len(devices))
        counts = [fewest + (number < more) for number in range(len(devices))]
        channels = [count * case.group_out_channels for count in counts]
        rows = weight.split(channels)
        biases = bias.split(channels) if bias is not None else [None] * len(devices)
        return [
            _Share(count, some.to(device), None if added is None else added.to(device))
            for device, count, some, added in zip(devices, counts, rows, biases, strict=True)
        ]

    def _devices_from(self, first: torch.device) -> list[torch.device]:
        if self._devices:
            return [first, *map(torch.device, self._devices[1:])]
        found = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
        return [first, *(one for one in found if one != first)]


def _gathered(case: Case, x: Tensor, shares: Sequence[_Share]) -> Tensor:
    slices = x.split([share.groups * case.group_in_channels for share in shares], dim=1)
    parts = [
        F.conv2d(
            one.to(share.weight.device),
            share.weight,
            share.bias,
            case.stride,
            case.padding,
            case.dilation,
            share.groups,
        )
        for one, share in zip(slices, shares, strict=True)
    ]
    return torch.cat([part.to(x.device) for part in parts], dim=1)


def _with_gradients(share: _Share) -> _Share:
    weight = share.weight.detach().requires_grad_()
    return _Share(
        share.groups, weight, None if share.bias is None else share.bias.detach().requires_grad_()
    )


def _gradients(
    y: Tensor, x: Tensor, shares: Sequence[_Share], grad_output: Tensor, *, retain: bool
) -> tuple[Tensor, ...]:
    """Those of what requires one, in the order of `result_names`, on the first device."""
    columns: list[list[Tensor | None]] = [
        [x],
        [share.weight for share in shares],
        [share.bias for share in shares],
    ]
    wanted = [
        [one for one in column if one is not None and one.requires_grad] for column in columns
    ]
    leaves = [one for column in wanted for one in column]
    found = iter(torch.autograd.grad(y, leaves, grad_output, retain_graph=retain))
    parts = [[next(found).to(x.device) for _ in column] for column in wanted if column]
    return tuple(one[0] if len(one) == 1 else torch.cat(one) for one in parts)
