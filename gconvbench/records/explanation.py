"""What was seen of one layer that is to be explained, and of a file's layers.

Whatever follows from the shape alone (weights, operations, bytes) is not in here: it is derived
from the case.
"""

from __future__ import annotations

from itertools import groupby

import msgspec

__all__ = [
    "Assumed",
    "Connections",
    "Equality",
    "Explanation",
    "FileExplanation",
    "FileLayer",
    "Launched",
    "Launches",
    "LayerTimes",
    "Span",
    "TwoLayers",
    "channels_of",
    "ranges_text",
]


class Equality(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The native results beside those of splitting, convolving and concatenating.

    Attributes:
        largest_difference: over all elements of all results; null where one is not finite.
        largest_magnitude: of the native results; likewise.
        native: per result `equal` where operands of integers give the exact result bit for bit,
            `different`, or why that was not checked.
        split: likewise.
        faults: what else the proof found wrong with the native results; empty where they are right.
    """

    largest_difference: float | None
    largest_magnitude: float | None
    native: dict[str, str]
    split: dict[str, str]
    faults: tuple[str, ...] = ()


class Connections(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which outputs turned NaN when one input channel alone was NaN, for every channel in turn.

    Attributes:
        rows: per output channel the inputs that reached it, as ranges: `0-47`, `0-2,6-8`, or empty.
        finite: likewise what a one among zeros reached; null unless NaN's reach was not exactly the
            groups, since NaN shows in what a kernel multiplies by zero, too.
        probe: the id of the case that was launched for it.
        is_own_size: whether that is the layer itself (one image of it), not a smaller input.
        note: why nothing was seen; else empty.
    """

    rows: tuple[str, ...]
    probe: str
    is_own_size: bool
    finite: tuple[str, ...] | None = None
    note: str = ""

    @property
    def numbers(self) -> tuple[str, ...]:
        """The rows as finite numbers reach outputs."""
        return self.rows if self.finite is None else self.finite


class Span(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fewest and the most input channels that any output sees."""

    fewest: int
    most: int


class TwoLayers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What outputs of a second grouped layer (1x1, as many groups) see of the first one's inputs.

    Attributes:
        without: the second layer directly behind the first.
        shuffled: with a channel shuffle between them.
    """

    without: Span
    shuffled: Span


class Launched(msgspec.Struct, frozen=True):
    """A name and how often it ran."""

    name: str
    count: int


class Launches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one launch ran.

    Attributes:
        operators: PyTorch's innermost ones that compute something; null where none were seen.
        kernels: of oneDNN behind them; null where they cannot be seen.
        note: why something is null; else empty.
    """

    operators: tuple[Launched, ...] | None
    kernels: tuple[Launched, ...] | None
    note: str = ""


class LayerTimes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a launch takes with groups and without, over rounds of fresh processes.

    Attributes:
        grouped_s: seconds of `native`; null where it has no time.
        grouped_half_width: of the 95 % interval on the log scale; null for one round.
        ungrouped_s: likewise with one group.
        ungrouped_half_width: likewise.
        ratio: of the two, with groups over without, paired by rounds.
        ratio_half_width: likewise on the log scale.
        rounds: how many.
        advice: which implementation to use for the layer.
        note: why a time is missing; else empty.
    """

    grouped_s: float | None
    grouped_half_width: float | None
    ungrouped_s: float | None
    ungrouped_half_width: float | None
    ratio: float | None
    ratio_half_width: float | None
    rounds: int
    advice: str
    note: str = ""


class Explanation(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="explanation",
    tag_field="kind",
):
    """What was seen of one layer.

    Attributes:
        case: the id of the convolution that is explained.
        device: `cpu`, `cuda` or `cuda:1`.
        device_name: of the processor or card.
        machine: as runs are filed by.
        torch: its version.
        connections: which outputs see which inputs.
        native: what a native launch runs.
        split: what splitting, convolving and concatenating runs; null with one group.
        equality: of the two; null with one group.
        two_layers: null with one group.
        times: null where they were not asked for.
        asked: the id that was asked for, where that is more than a convolution; else empty.
        name: of the layer; may be empty.
    """

    case: str
    device: str
    device_name: str
    machine: str
    torch: str
    connections: Connections
    native: Launches
    split: Launches | None = None
    equality: Equality | None = None
    two_layers: TwoLayers | None = None
    times: LayerTimes | None = None
    asked: str = ""
    name: str = ""


class Assumed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The groups that were assumed of a weight, and why.

    Attributes:
        groups: the number.
        kind: `first`, `previous`, `branch`, `given` or `impossible`.
        why: in words.
        possible: the numbers of groups that the shape allows, the smallest of them.
    """

    groups: int
    kind: str
    why: str
    possible: tuple[int, ...]


class FileLayer(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="layer",
    tag_field="kind",
):
    """One convolution's weight of a file.

    Attributes:
        name: of the weight.
        shape: (K, C / g, R, S).
        dtype: of its numbers.
        assumed: its groups.
        explanation: what was seen with the file's own weight; null for one group or where it
            cannot be computed.
        note: why it was not computed; else empty.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    assumed: Assumed
    explanation: Explanation | None = None
    note: str = ""


class FileExplanation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file holds.

    Attributes:
        path: as it was given.
        form: `torch` or `safetensors`.
        nested: under which key of the file the weights lie; empty for none.
        layers: in the order in which they were looked at.
        tensors: how many tensors the file has.
        ignored: entries that are no tensors.
    """

    path: str
    form: str
    nested: str
    layers: tuple[FileLayer, ...]
    tensors: int
    ignored: int


def ranges_text(channels: list[int]) -> str:
    """`0-2,6` of ascending numbers."""
    parts = []
    for _, run in groupby(enumerate(channels), key=lambda pair: pair[1] - pair[0]):
        numbers = [number for _, number in run]
        ends = dict.fromkeys((numbers[0], numbers[-1]))
        parts.append("-".join(map(str, ends)))
    return ",".join(parts)


def channels_of(ranges: str) -> list[int]:
    """The numbers of `ranges_text`."""
    channels: list[int] = []
    for part in filter(None, ranges.split(",")):
        first, _, last = part.partition("-")
        channels += range(int(first), int(last or first) + 1)
    return channels
