"""Which case a module is, and which modules are none."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from gconvbench.cases import Case
from gconvbench.errors import UsageError
from gconvbench.modules import case_of_module, device_of_module

SHAPE = (2, 8, 9, 10)


def conv(
    in_channels: int = 8, out_channels: int = 12, kernel_size: Any = 3, **options: Any
) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel_size, device="meta", **options)


def channels_last(module: Any) -> nn.Conv2d:
    return module.to(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("module", "fields"),
    [
        (conv(), {"bias": True}),
        (conv(bias=False), {"bias": False}),
        (conv(groups=4), {"groups": 4}),
        (conv(8, 8, 3, groups=8), {"groups": 8, "out_channels": 8}),
        (conv(8, 12, (3, 5)), {"kernel_size": (3, 5)}),
        (conv(8, 12, 1), {"kernel_size": (1, 1)}),
        (conv(stride=2), {"stride": (2, 2)}),
        (conv(stride=(2, 3)), {"stride": (2, 3)}),
        (conv(padding=2), {"padding": (2, 2)}),
        (conv(padding=(0, 1)), {"padding": (0, 1)}),
        (conv(padding="valid"), {"padding": (0, 0)}),
        (conv(padding="same"), {"padding": (1, 1)}),
        (conv(8, 12, (3, 5), padding="same", dilation=(2, 1)),
         {"kernel_size": (3, 5), "padding": (2, 2), "dilation": (2, 1)}),
        (conv(8, 12, 2, padding="same", dilation=2),
         {"kernel_size": (2, 2), "padding": (1, 1), "dilation": (2, 2)}),
        (conv(dilation=2), {"dilation": (2, 2)}),
        (conv(dtype=torch.float64), {"dtype": "float64"}),
        (conv().half(), {"dtype": "float16"}),
        (conv().bfloat16(), {"dtype": "bfloat16"}),
        (channels_last(conv()), {"memory_format": "channels_last"}),
        (channels_last(conv(8, 12, 1)),
         {"kernel_size": (1, 1), "memory_format": "channels_last"}),
    ],
)  # fmt: skip
def test_a_module_is_the_case_that_it_computes(module: nn.Conv2d, fields: dict[str, Any]) -> None:
    plain = {"batch": 2, "in_channels": 8, "out_channels": 12, "height": 9, "width": 10}
    expected = Case(**(plain | {"bias": True} | fields))

    assert case_of_module(module, SHAPE) == expected
    assert module(torch.empty(SHAPE, device="meta", dtype=module.weight.dtype)).shape == (
        expected.output_shape
    )


def test_the_shape_of_a_tensor_will_do() -> None:
    assert case_of_module(conv(), torch.empty(SHAPE).shape).input_shape == SHAPE


def test_a_module_is_neither_called_nor_changed() -> None:
    module = nn.Conv2d(8, 12, 3)
    module.register_forward_hook(lambda *_: pytest.fail("it was called"))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}

    case_of_module(module, SHAPE)

    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


class Same(nn.Conv2d):
    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002
        return super().forward(nn.functional.pad(input, (0, 1, 0, 1)))


class Doubled(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return 2 * weight


def parametrized() -> nn.Conv2d:
    module = nn.Conv2d(8, 12, 3)
    parametrize.register_parametrization(module, "weight", Doubled())
    return module


def pruned() -> nn.Conv2d:
    module = conv()
    module.weight = nn.Parameter(module.weight[:6])
    return module


def strided() -> nn.Conv2d:
    module = conv()
    module.weight = nn.Parameter(module.weight.transpose(2, 3))
    return module


def mixed() -> nn.Conv2d:
    module = conv()
    module.weight = nn.Parameter(module.weight.half())
    return module


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (conv(padding=1, padding_mode="reflect"),
         "padding_mode 'reflect' is not measured; allowed: zeros; pad before the module"),
        (conv(8, 12, 4, padding="same"),
         r"padding 'same' of kernel_size \(4, 4\) with dilation \(1, 1\) adds more on one side"),
        (nn.LazyConv2d(12, 3), "LazyConv2d has no shape yet; call it once on an input"),
        (Same(8, 12, 3), "Same has a forward of its own; allowed is that of torch.nn.Conv2d"),
        (parametrized(), "ParametrizedConv2d computes its weight anew at each call"),
        (pruned(), r"weight has shape \(6, 8, 3, 3\), its attributes say \(12, 8, 3, 3\)"),
        (strided(), r"strides \(72, 9, 1, 3\); allowed: contiguous, channels_last; call"),
        (mixed(), "parameters are float16 and float32; allowed is one dtype"),
        (conv(dtype=torch.complex64), "dtype 'complex64' is not known;.* allowed: float64"),
        (conv(8, 12, 11), r"kernel_size \(11\) .* reaches over 11 pixels, but height \(9\)"),
    ],
)  # fmt: skip
def test_a_module_that_is_no_case_is_refused_in_one_line(module: nn.Conv2d, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        case_of_module(module, SHAPE)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((8, 9, 10), r"input_shape \(8, 9, 10\) must be four whole numbers \(N, C, H, W\)"),
        ((2, 8, 9, 10, 11), "must be four whole numbers"),
        ((2, 8, 9.5, 10), "must be four whole numbers"),
        ("2898", "must be four whole numbers"),
        (7, "must be four whole numbers"),
        ((2, 6, 9, 10), "has 6 channels, the module takes 8; give"),
        ((0, 8, 9, 10), r"batch \(0\) must be between 1 and"),
        ((2, 8, -1, 10), r"height \(-1\) must be between 1 and"),
    ],
)
def test_a_shape_that_is_none_is_refused(shape: Any, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        case_of_module(conv(), shape)


def test_a_module_on_the_cpu_is_measured_there() -> None:
    assert device_of_module(nn.Conv2d(2, 2, 1)) == "cpu"


def test_a_module_without_storage_is_on_no_device() -> None:
    with pytest.raises(UsageError, match="is on device 'meta'; allowed: cpu, cuda"):
        device_of_module(conv())


def test_a_module_on_two_devices_is_refused() -> None:
    module = nn.Conv2d(2, 2, 1)
    module.bias = nn.Parameter(torch.empty(2, device="meta"))

    with pytest.raises(UsageError, match="parameters are on cpu and meta; move it to one"):
        device_of_module(module)
