"""Small phrases that sentences are made of."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from gconvbench.report import format as fmt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gconvbench.cases import Case
    from gconvbench.records import Launched, Span

__all__ = [
    "TWO",
    "Line",
    "against",
    "bytes_against",
    "exact_text",
    "inputs_text",
    "launched_text",
    "layer_text",
    "name_text",
    "part_text",
    "shape_text",
    "sides_text",
    "span_text",
]

TWO = 2
"""Groups or devices that are called both."""
_ONEDNN = "onednn::"
_SHOWN = 3


class Line(NamedTuple):
    """A short label and the sentence beside it."""

    label: str
    text: str


def layer_text(case: Case) -> str:
    """As a program would write the layer, and what enters it."""
    words = [str(case.in_channels), str(case.out_channels), _side(case.kernel_size)]
    words += [f"stride={_side(case.stride)}"] if case.stride != (1, 1) else []
    words += [f"padding={_side(case.padding)}"] if case.padding != (0, 0) else []
    words += [f"dilation={_side(case.dilation)}"] if case.dilation != (1, 1) else []
    words += [f"groups={case.groups}"]
    words += [] if case.bias else ["bias=False"]
    entering = "x".join(map(str, case.input_shape))
    others = [case.dtype, *(["tf32"] if case.math_mode == "tf32" else [])]
    others += [case.memory_format] if case.memory_format != "contiguous" else []
    others += [case.direction] if case.direction != "fprop" else []
    return f"Conv2d({', '.join(words)}) on {entering}, {', '.join(others)}"


def shape_text(shape: Sequence[int]) -> str:
    """`(192, 48, 3, 3)`."""
    return f"({', '.join(map(str, shape))})"


def inputs_text(count: int) -> str:
    """`96 inputs`."""
    return f"{count} inputs" if count > 1 else "1 input"


def sides_text(shape: Sequence[int]) -> str:
    """`192x48x3x3`, for tables."""
    return "x".join(map(str, shape))


def name_text(name: str, most: int) -> str:
    """A layer's name for tables: of one that is longer than `most` the beginning and the end."""
    if len(name) <= most:
        return name
    half = (most - 1) // 2
    return f"{name[:half]}…{name[half - most + 1 :]}"


def part_text(groups: int) -> str:
    """`half` or `1/32`."""
    return "half" if groups == TWO else f"1/{groups}"


def span_text(span: Span) -> str:
    """`48`, or `0 to 48`."""
    return str(span.fewest) if span.fewest == span.most else f"{span.fewest} to {span.most}"


def against(value: float, other: float, text: str, other_text: str) -> str:
    """`1.2 MiB against 1.5 MiB (0.800)`."""
    return f"{text} against {other_text} ({fmt.fraction_text(value / other)})"


def exact_text(verdicts: Mapping[str, str]) -> str:
    """`equal`, `different`, or why it was not checked; several where results differ."""
    counts = Counter(verdicts.values())
    if len(counts) == 1:
        return next(iter(counts))
    return "; ".join(f"{name} {verdict}" for name, verdict in verdicts.items())


def launched_text(launched: Sequence[Launched]) -> str:
    """`2x _slow_conv2d_forward, cat`: without the library's name, convolutions first."""
    counts: Counter[str] = Counter()
    for one in launched:
        counts[_short(one.name)] += one.count
    ranked = sorted(counts.items(), key=lambda item: "conv" not in item[0])
    names = [f"{count}x {name}" if count > 1 else name for name, count in ranked[:_SHOWN]]
    names += [f"{len(ranked) - _SHOWN} more"] if len(ranked) > _SHOWN else []
    return ", ".join(names)


def _short(name: str) -> str:
    """Of kernels that are no convolution the kind alone: there are many forms of reorder."""
    if not name.startswith(_ONEDNN):
        return name.removeprefix("aten::")
    name = name.removeprefix(_ONEDNN)
    return name if name.startswith("conv") else name.partition("(")[0]


def _side(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else str(pair)


def bytes_against(value: int, other: int) -> str:
    """Bytes beside others."""
    return against(value, other, fmt.bytes_text(value), fmt.bytes_text(other))
