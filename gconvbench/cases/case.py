"""`Case`: one grouped-convolution problem, and why some combinations are impossible."""

from __future__ import annotations

import itertools
import math

import msgspec

from gconvbench.errors import UsageError, refused_name

__all__ = [
    "DIRECTIONS",
    "DTYPES",
    "MATH_MODES",
    "MEMORY_FORMATS",
    "OPERATIONS",
    "SIGNIFICAND_BITS",
    "Case",
    "Pair",
]

Pair = tuple[int, int]
"""(height, width)."""

OPERATIONS = ("conv", "conv_shuffle", "conv_shuffle_dense", "conv_shuffle_depthwise")
"""Grouped convolution; then a channel shuffle; then layers that may absorb the shuffle: a dense 1x1
layer, or a depthwise 3x3 layer and a dense 1x1 layer."""
DIRECTIONS = ("fprop", "dgrad", "wgrad", "training")
DTYPES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
"""Storage types and their size in bytes."""
SIGNIFICAND_BITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}
"""Significand bits p, the leading one included; unit roundoff is 2^-p (IEEE 754-2019)."""
MATH_MODES = ("ieee", "tf32")
MEMORY_FORMATS = ("contiguous", "channels_last")

_LARGEST_SIZE = 2**31 - 1
_LARGEST_PLANE = 2**16
"""Rows or columns; beyond any image, and small enough to count pixels one by one."""
_DIVISORS_SHOWN = 8
_DIVISORS_TRIED = 4096
_CHOICES: dict[str, tuple[str, ...]] = {
    "operation": OPERATIONS,
    "direction": DIRECTIONS,
    "dtype": tuple(DTYPES),
    "math_mode": MATH_MODES,
    "memory_format": MEMORY_FORMATS,
}
_POSITIVE = ("groups", "batch", "in_channels", "out_channels")
_POSITIVE_PAIRS = ("kernel_size", "stride", "dilation")


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One problem: operation, shape, groups, dtype, memory format, direction.

    Fields are named as in `torch.nn.Conv2d`; pairs are (height, width). The input has shape
    `(batch, in_channels, height, width)`, the weight `(out_channels, in_channels / groups,
    kernel height, kernel width)`. `conv_shuffle` shuffles the output's channels with the same
    `groups`; `conv_shuffle_dense` and `conv_shuffle_depthwise` go on with the layers `following`,
    whose weights are given and not trained. Padding is with zeros.

    Raises:
        UsageError: the combination is impossible; the message names field, value and rule.
    """

    operation: str = "conv"
    groups: int = 1
    batch: int = 1
    in_channels: int = 64
    out_channels: int = 64
    height: int = 28
    width: int = 28
    kernel_size: Pair = (3, 3)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    bias: bool = False
    dtype: str = "float32"
    math_mode: str = "ieee"
    memory_format: str = "contiguous"
    direction: str = "fprop"

    def __post_init__(self) -> None:
        """Refuse an impossible combination."""
        if reason := _why_impossible(self):
            raise UsageError(reason)

    @property
    def group_in_channels(self) -> int:
        """C / g, the input channels that one output channel sees."""
        return self.in_channels // self.groups

    @property
    def group_out_channels(self) -> int:
        """K / g."""
        return self.out_channels // self.groups

    @property
    def shuffles(self) -> bool:
        """Whether the channels of the grouped convolution's output are shuffled."""
        return self.operation != "conv"

    @property
    def following(self) -> tuple[Case, ...]:
        """The layers behind the shuffle, each a case of its own; they keep the output's shape."""
        dense = {"conv_shuffle_dense", "conv_shuffle_depthwise"}
        layers = [(self.out_channels, 3)] if self.operation == "conv_shuffle_depthwise" else []
        layers += [(1, 1)] if self.operation in dense else []
        return tuple(self._layer(groups, kernel) for groups, kernel in layers)

    def _layer(self, groups: int, kernel: int) -> Case:
        rows, columns = self.output_size
        padding = (kernel - 1) // 2
        return msgspec.structs.replace(
            self,
            operation="conv",
            in_channels=self.out_channels,
            height=rows,
            width=columns,
            stride=(1, 1),
            dilation=(1, 1),
            bias=False,
            groups=groups,
            kernel_size=(kernel, kernel),
            padding=(padding, padding),
        )

    @property
    def reach(self) -> Pair:
        """Input rows and columns that one output looks at: dilation * (kernel - 1) + 1."""
        return _reach(self.kernel_size, self.dilation)

    @property
    def output_size(self) -> Pair:
        """(P, Q), by the formula in the documentation of `torch.nn.Conv2d`."""
        size = (self.height, self.width)
        rows, columns = (
            (size[i] + 2 * self.padding[i] - self.reach[i]) // self.stride[i] + 1 for i in (0, 1)
        )
        return rows, columns

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W)."""
        return self.batch, self.in_channels, self.height, self.width

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """(K, C / g, R, S)."""
        return self.out_channels, self.group_in_channels, *self.kernel_size

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        """(N, K, P, Q)."""
        return self.batch, self.out_channels, *self.output_size


def _reach(kernel_size: Pair, dilation: Pair) -> Pair:
    rows, columns = (d * (k - 1) + 1 for k, d in zip(kernel_size, dilation, strict=True))
    return rows, columns


def _why_impossible(case: Case) -> str | None:
    checks = (_why_bad_name, _why_bad_size, _why_bad_groups, _why_bad_window, _why_bad_math_mode)
    return next((reason for check in checks if (reason := check(case))), None)


def _why_bad_name(case: Case) -> str | None:
    for field, allowed in _CHOICES.items():
        value = getattr(case, field)
        if value not in allowed:
            return refused_name(field, value, allowed)
    return None


def _why_bad_size(case: Case) -> str | None:
    limits = [(field, 1, _LARGEST_SIZE, getattr(case, field)) for field in _POSITIVE]
    for field in _POSITIVE_PAIRS:
        limits += [(field, 1, _LARGEST_PLANE, value) for value in getattr(case, field)]
    limits += [("padding", 0, _LARGEST_PLANE, value) for value in case.padding]
    limits += [(field, 1, _LARGEST_PLANE, getattr(case, field)) for field in ("height", "width")]
    for field, least, most, value in limits:
        if not least <= value <= most:
            return f"{field} ({value}) must be between {least} and {most}"
    return None


def _why_bad_groups(case: Case) -> str | None:
    for field in ("in_channels", "out_channels"):
        channels = getattr(case, field)
        if channels % case.groups:
            common = math.gcd(case.in_channels, case.out_channels)
            divisors = (
                str(d) for d in range(1, min(common, _DIVISORS_TRIED) + 1) if common % d == 0
            )
            shown = ", ".join(itertools.islice(divisors, _DIVISORS_SHOWN))
            return (
                f"{field} ({channels}) must be a multiple of groups ({case.groups}); "
                f"groups that divide both channel counts begin {shown}"
            )
    return None


def _why_bad_window(case: Case) -> str | None:
    for i, field in enumerate(("height", "width")):
        padded = getattr(case, field) + 2 * case.padding[i]
        if case.reach[i] > padded:
            return (
                f"kernel_size ({case.kernel_size[i]}) with dilation ({case.dilation[i]}) reaches "
                f"over {case.reach[i]} pixels, but {field} ({getattr(case, field)}) with padding "
                f"({case.padding[i]}) has only {padded}"
            )
    return None


def _why_bad_math_mode(case: Case) -> str | None:
    if case.math_mode == "tf32" and case.dtype != "float32":
        return f"math_mode (tf32) applies to dtype float32 only, not to {case.dtype}"
    return None
