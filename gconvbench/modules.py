"""`torch.nn.Conv2d` modules as cases."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import Conv2d
from torch.nn.parameter import is_lazy
from torch.nn.utils.parametrize import is_parametrized

from gconvbench.cases import DTYPES, Case
from gconvbench.errors import UsageError, refused_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from gconvbench.cases.case import Pair

__all__ = ["case_of_module", "device_of_module"]

_DIMENSIONS = 4


def case_of_module(module: Conv2d, input_shape: Sequence[int]) -> Case:
    """The case that a module computes of an input of shape (N, C, H, W), in direction `fprop`.

    Args:
        module: gives channels, window, groups, bias, and by its weight dtype and memory format.
        input_shape: of the input.

    Raises:
        UsageError: the module computes something that is no case, or not of such an input.
    """
    if reason := _why_no_case(module):
        raise UsageError(reason)
    batch, height, width = _input_size(module, input_shape)
    case = Case(
        groups=module.groups,
        batch=batch,
        in_channels=module.in_channels,
        out_channels=module.out_channels,
        height=height,
        width=width,
        kernel_size=_pair(module, "kernel_size"),
        stride=_pair(module, "stride"),
        padding=_padding(module),
        dilation=_pair(module, "dilation"),
        bias=module.bias is not None,
        dtype=_dtype(module),
        memory_format=_memory_format(module.weight),
    )
    if tuple(module.weight.shape) != case.weight_shape:
        message = (
            f"the module's weight has shape {tuple(module.weight.shape)}, its attributes say "
            f"{case.weight_shape}; make a new Conv2d"
        )
        raise UsageError(message)
    return case


def device_of_module(module: Conv2d) -> str:
    """`cpu`, or `cuda` with the number of the device on which the weight is.

    Raises:
        UsageError: another device, or more than one.
    """
    devices = {str(parameter.device) for parameter in module.parameters()}
    if len(devices) > 1:
        message = f"the module's parameters are on {' and '.join(sorted(devices))}; move it to one"
        raise UsageError(message)
    device = module.weight.device
    if device.type not in {"cpu", "cuda"}:
        message = f"the module is on device '{device}'; allowed: cpu, cuda; move it, or give device"
        raise UsageError(message)
    return "cpu" if device.type == "cpu" else str(device)


def _why_no_case(module: Conv2d) -> str | None:
    """What no case can express."""
    kind = type(module)
    if is_lazy(module.weight):
        return f"{kind.__name__} has no shape yet; call it once on an input"
    overridden = (
        kind.forward is not Conv2d.forward or kind._conv_forward is not Conv2d._conv_forward  # noqa: SLF001
    )
    if overridden:
        return f"{kind.__name__} has a forward of its own; allowed is that of torch.nn.Conv2d"
    if is_parametrized(module):
        return (
            f"{kind.__name__} computes its weight anew at each call, which is not measured; call "
            "torch.nn.utils.parametrize.remove_parametrizations first"
        )
    if module.padding_mode != "zeros":
        return (
            f"padding_mode {module.padding_mode!r} is not measured; allowed: zeros; pad before "
            "the module, and give the padded input_shape"
        )
    return None


def _input_size(module: Conv2d, input_shape: Sequence[int]) -> tuple[int, int, int]:
    """Batch, height and width."""
    try:
        shape = tuple(operator.index(size) for size in input_shape)
    except TypeError:
        shape = ()
    if len(shape) != _DIMENSIONS:
        message = (
            f"input_shape {input_shape!r} must be four whole numbers (N, C, H, W), such as "
            f"(8, {module.in_channels}, 27, 27)"
        )
        raise UsageError(message)
    batch, channels, height, width = shape
    if channels != module.in_channels:
        message = (
            f"input_shape {shape} has {channels} channels, the module takes {module.in_channels}; "
            f"give (N, C, H, W) with C = {module.in_channels}"
        )
        raise UsageError(message)
    return batch, height, width


def _padding(module: Conv2d) -> Pair:
    if module.padding == "valid":
        return 0, 0
    if module.padding != "same":
        return _pair(module, "padding")
    dilation, kernel = _pair(module, "dilation"), _pair(module, "kernel_size")
    wide = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if any(extra % 2 for extra in wide):
        message = (
            f"padding 'same' of kernel_size {kernel} with dilation {dilation} adds more on one "
            "side than on the other; allowed is the same on both; pad before the module, and give "
            "the padded input_shape"
        )
        raise UsageError(message)
    return wide[0] // 2, wide[1] // 2


def _pair(module: Conv2d, name: str) -> Pair:
    """An attribute that is a number or a pair of them."""
    value: Any = getattr(module, name)
    first, second = value if isinstance(value, tuple) else (value, value)
    return operator.index(first), operator.index(second)


def _dtype(module: Conv2d) -> str:
    found = {str(parameter.dtype).removeprefix("torch.") for parameter in module.parameters()}
    if len(found) > 1:
        message = f"the module's parameters are {' and '.join(sorted(found))}; allowed is one dtype"
        raise UsageError(message)
    name = found.pop()
    if name not in DTYPES:
        raise UsageError(refused_name("dtype", name, DTYPES))
    return name


def _memory_format(weight: Tensor) -> str:
    """By the strides, which tell a 1x1 kernel's formats apart, too."""
    plain = torch.empty(weight.shape, device="meta").stride()
    if weight.stride() == plain:
        return "contiguous"
    if weight.is_contiguous(memory_format=torch.channels_last):
        return "channels_last"
    if weight.is_contiguous():
        return "contiguous"
    message = (
        f"the module's weight has strides {weight.stride()}; allowed: contiguous, channels_last; "
        "call module.to(memory_format=torch.contiguous_format)"
    )
    raise UsageError(message)
