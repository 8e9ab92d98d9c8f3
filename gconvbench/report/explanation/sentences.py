"""One layer in a dozen lines, each made of what was seen: other sights make other words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from gconvbench.cases import DTYPES, flops, min_bytes, parameters, parse_case
from gconvbench.report import format as fmt
from gconvbench.report.explanation.seen import Seen
from gconvbench.report.explanation.words import (
    against,
    bytes_against,
    exact_text,
    launched_text,
    part_text,
    shape_text,
    span_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gconvbench.cases import Case
    from gconvbench.records import Explanation, Launches, LayerTimes

__all__ = ["Line", "headline", "lines_of", "mixing_lines", "proof_lines", "use_lines"]


_TWO = 2
"""Groups or devices that are called both."""


class Line(NamedTuple):
    """A short label and the sentence beside it."""

    label: str
    text: str


def headline(found: Explanation) -> str:
    """The answer in a sentence."""
    case = parse_case(found.case)
    if not found.connections.numbers:
        return f"What reaches what was not seen: {found.connections.note}."
    seen = Seen(case, found.connections.numbers)
    if not seen.is_block_diagonal:
        return _strange_text(seen, case)
    if case.groups == 1:
        return f"An ordinary convolution, without groups: every output sees all {_inputs(case)}."
    part = part_text(case.groups)
    return (
        "No information is lost: every input channel reaches outputs. Each output sees "
        f"{span_text(seen.per_output)} of the {_inputs(case)}, for {part} of the weights and "
        f"{part} of the work."
    )


def _strange_text(seen: Seen, case: Case) -> str:
    lost = f"{seen.lost} of {_inputs(case)} reach no output; " if seen.lost else ""
    leaks = f"{seen.leaking} outputs see inputs of another group; " if seen.leaking else ""
    start = "Information is lost" if seen.lost else "This is not a grouped convolution"
    return (
        f"{start}: {lost}{leaks}outputs see {span_text(seen.per_output)} of the {_inputs(case)}, "
        f"where {case.group_in_channels} is right."
    )


def lines_of(found: Explanation, hint: str = "") -> list[Line]:
    """Everything that is said of a layer beside the headline; `hint` stands where no time is."""
    return [*proof_lines(found), *mixing_lines(found), *use_lines(found, hint)]


def proof_lines(found: Explanation) -> list[Line]:
    """Before the picture: what the layer is, costs and equals, and what reaches what."""
    case = parse_case(found.case)
    lines = [Line("asked for", _asked_text(found.asked))] if found.asked else []
    lines += [Line("weight", _weight_text(case)), Line("cost", _cost_text(case))]
    if found.equality is not None:
        lines += [Line("same as", text) for text in _equality_texts(found, case)]
    if found.connections.numbers:
        lines.append(Line("who sees", _poison_text(found, case)))
    return lines


def mixing_lines(found: Explanation) -> list[Line]:
    """After the picture: further layers, and devices."""
    case = parse_case(found.case)
    lines = []
    if found.two_layers is not None:
        lines.append(Line("two layers", _two_layers_text(found, case)))
    lines.append(Line("one device", _launches_text(found, case)))
    if case.groups > 1:
        lines.append(Line("two devices", _devices_text(case)))
    return lines


def use_lines(found: Explanation, hint: str = "") -> list[Line]:
    """Times and advice, where they were asked for."""
    case = parse_case(found.case)
    if found.times is None:
        return [Line("time", hint)] if hint else []
    lines = [Line("time", _time_text(found.times, case))]
    return [*lines, *([Line("advice", found.times.advice)] if found.times.advice else [])]


def _inputs(case: Case) -> str:
    return f"{case.in_channels} inputs" if case.in_channels > 1 else "1 input"


def _asked_text(asked: str) -> str:
    operation = parse_case(asked).operation
    return f"{operation}: its convolution is explained; what a shuffle does is told below"


def _weight_text(case: Case) -> str:
    shape = shape_text(case.weight_shape)
    window = " x ".join(map(str, case.weight_shape[1:]))
    filters = f"{case.out_channels} filters of {window}: shape {shape}"
    if case.groups == 1:
        return filters
    return (
        f"{filters}, as a state dict shows it, since each filter looks at {case.in_channels}/"
        f"{case.groups} = {case.group_in_channels} channels; without groups "
        f"{shape_text(_ungrouped(case).weight_shape)}"
    )


def _ungrouped(case: Case) -> Case:
    return replace(case, groups=1)


def _cost_text(case: Case) -> str:
    whole = _ungrouped(case)
    costs = [(parameters(one), flops(one), min_bytes(one)) for one in (case, whole)]
    (own, work, moved), (all_own, all_work, all_moved) = costs
    if case.groups == 1:
        texts = fmt.flops_text(work), fmt.bytes_text(moved)
        return f"{own:,} parameters; {texts[0]}; at least {texts[1]} to read and write"
    number = against(own, all_own, f"{own:,} parameters", f"{all_own:,} without groups")
    operations = against(work, all_work, fmt.flops_text(work), fmt.flops_text(all_work))
    return f"{number}; {operations}; at least {bytes_against(moved, all_moved)} to read and write"


def _equality_texts(found: Explanation, case: Case) -> Iterator[str]:
    equality = found.equality
    assert equality is not None  # noqa: S101 (asked before)
    if equality.largest_difference is None or equality.largest_magnitude is None:
        far = "results are not finite"
    elif equality.largest_difference == 0:
        far = "results are the same, bit by bit"
    else:
        far = (
            f"they differ by {equality.largest_difference:.1e} at most, where results reach "
            f"{equality.largest_magnitude:.3g}"
        )
    native, split = exact_text(equality.native), exact_text(equality.split)
    way = f"splitting the channels, {case.groups} convolutions, concatenating"
    yield f"{way}: {far}; {_exact_sentence(native, split)}"
    for fault in equality.faults:
        yield f"but the proof finds the native result wrong: {fault}"


def _exact_sentence(native: str, split: str) -> str:
    if native == split == "equal":
        return "on integers, which need no rounding, both are bit-equal to the exact result"
    if native == split:
        return f"on integers both: {native}"
    return f"on integers native: {native}; split: {split}"


def _poison_text(found: Explanation, case: Case) -> str:
    seen = Seen(case, found.connections.numbers)
    poisoned = Seen(case, found.connections.rows)
    where = "at this layer's size"
    if not found.connections.is_own_size:
        probe = parse_case(found.connections.probe)
        where = f"on {probe.height}x{probe.width} pixels (its own size takes too long)"
    start = (
        f"NaN put into one input channel at a time, all {case.in_channels} in turn {where}, turns "
        f"{span_text(poisoned.per_input)} of {case.out_channels} outputs NaN"
    )
    if not seen.is_block_diagonal:
        return (
            f"{start}: {seen.lost} inputs reach none, and {seen.strange} of {case.out_channels} "
            "outputs do not see exactly the inputs of their group"
        )
    if case.groups == 1:
        return f"{start}: each output sees all inputs"
    if found.connections.finite is not None:
        return (
            f"{start}, more than its group's, since the kernel multiplies neighbours by zero and "
            f"0 x NaN is NaN. A one among zeros reaches {span_text(seen.per_input)}: none is lost, "
            f"and an output's number depends on its own group's {case.group_in_channels} alone"
        )
    others = case.in_channels - case.group_in_channels
    return (
        f"{start}: none is lost. An output sees its own group's {case.group_in_channels}; the "
        f"other {others} it cannot see"
    )


def _two_layers_text(found: Explanation, case: Case) -> str:
    two = found.two_layers
    assert two is not None  # noqa: S101 (asked before)
    start = (
        f"a second such layer (1x1, {case.groups} groups) right behind it sees "
        f"{span_text(two.without)} of the {_inputs(case)}; with a channel shuffle between them"
    )
    between, needed = case.out_channels, f"{case.groups} x {case.groups} groups"
    is_enough = between >= case.groups**2
    if two.shuffled.fewest == case.in_channels:
        rule = f": {between} channels between them are at least {needed}" if is_enough else ""
        return f"{start} all {case.in_channels}{rule}"
    rule = (
        f": it cannot mix all, as {between} channels between them are fewer than {needed}; an "
        "ordinary 1x1 layer can"
    )
    return f"{start} {span_text(two.shuffled)}{'' if is_enough else rule}"


def _launches_text(found: Explanation, case: Case) -> str:
    native = _one_launch_text(found.native)
    if found.split is None:
        return f"a launch runs {native}"
    start = _who_does_it(found.native, case)
    return f"{start}{native}. Split by hand: {_one_launch_text(found.split)}"


def _who_does_it(native: Launches, case: Case) -> str:
    """How PyTorch treats the groups, told from how often its convolutions ran."""
    counts = [one.count for one in native.operators or () if "conv" in one.name]
    if counts and max(counts) == 1:
        every = "both groups" if case.groups == _TWO else f"all {case.groups} groups"
        return f"one launch does {every}: "
    if counts and max(counts) >= case.groups:
        return "PyTorch itself splits the groups here, on one device: "
    return "a launch runs "


def _one_launch_text(launches: Launches) -> str:
    parts = []
    if launches.operators is not None:
        count = sum(one.count for one in launches.operators)
        names = launched_text(launches.operators)
        parts.append(f"{count} operator{'s' if count > 1 else ''} ({names})")
    if launches.kernels:
        count = sum(one.count for one in launches.kernels)
        names = launched_text(launches.kernels)
        parts.append(f"{count} oneDNN kernel{'s' if count > 1 else ''} ({names})")
    text = ", running ".join(parts) or "what cannot be seen"
    return f"{text} ({launches.note})" if launches.note else text


def _devices_text(case: Case) -> str:
    """What the second of two devices would be sent; Krizhevsky et al. (2012), section 3.2."""
    second = case.groups // 2
    size = DTYPES[case.dtype]
    sent = math.prod(case.input_shape) // case.groups * second * size
    returned = math.prod(case.output_shape) // case.groups * second * size
    share = "a group each" if case.groups == _TWO else f"{case.groups - second} and {second} groups"
    return (
        f"not needed. With {share} the second would be sent {fmt.bytes_text(sent)} of the input "
        f"and send back {fmt.bytes_text(returned)} of the output, for the same result; AlexNet did "
        "so in 2012, as one card's 3 GB of memory were too few"
    )


def _time_text(times: LayerTimes, case: Case) -> str:
    if times.grouped_s is None or times.ungrouped_s is None:
        return times.note or "not measured"
    grouped = fmt.measured_seconds(times.grouped_s, times.grouped_half_width)
    whole = fmt.measured_seconds(times.ungrouped_s, times.ungrouped_half_width)
    if case.groups == 1:
        return f"native takes {grouped} a launch, in {times.rounds} rounds of fresh processes"
    ratio = ""
    if times.ratio is not None:
        interval = fmt.half_width_text(times.ratio_half_width)
        ratio = f", {fmt.ratio_text(times.ratio, times.ratio_half_width)} times"
        ratio += f" ({interval}, 95 %)" if interval else ""
    return (
        f"native takes {grouped} with {case.groups} groups against {whole} with 1{ratio}, in "
        f"{times.rounds} round(s) of fresh processes"
    )
