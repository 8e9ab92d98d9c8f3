"""What follows from a layer's groups: a second layer, launches, devices, times."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gconvbench.cases import DTYPES, parse_case
from gconvbench.report import format as fmt
from gconvbench.report.explanation.words import TWO, Line, inputs_text, launched_text, span_text

if TYPE_CHECKING:
    from gconvbench.cases import Case
    from gconvbench.records import Explanation, Launches, LayerTimes

__all__ = ["mixing_lines", "use_lines"]


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
        also = ", with groups and without" if case.groups > 1 else ""
        return [Line("time", hint.replace(" it here", f" it here{also}"))] if hint else []
    lines = [Line("time", _time_text(found.times, case))]
    return [*lines, *([Line("advice", found.times.advice)] if found.times.advice else [])]


def _two_layers_text(found: Explanation, case: Case) -> str:
    two = found.two_layers
    assert two is not None  # noqa: S101 (asked before)
    start = (
        f"a second layer (1x1, {case.groups} groups) right behind it sees "
        f"{span_text(two.without)} of the {inputs_text(case.in_channels)}; with a channel shuffle "
        "between them"
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
        every = "both groups" if case.groups == TWO else f"all {case.groups} groups"
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
    share = "a group each" if case.groups == TWO else f"{case.groups - second} and {second} groups"
    return (
        f"not needed. With {share} the second would be sent {fmt.bytes_text(sent)} of the input "
        f"and send back {fmt.bytes_text(returned)} of the output in each forward pass, for the "
        "same result; AlexNet did so in 2012, as the 3 GB of one card were too little"
    )


def _time_text(times: LayerTimes, case: Case) -> str:
    if times.grouped_s is None or times.ungrouped_s is None:
        return times.note or "not measured"
    grouped = fmt.measured_seconds(times.grouped_s, times.grouped_half_width)
    whole = fmt.measured_seconds(times.ungrouped_s, times.ungrouped_half_width)
    if case.groups == 1:
        return f"native takes {grouped} a launch, in {times.rounds} round(s) of fresh processes"
    ratio, verdict = "", ""
    if times.ratio is not None:
        interval = fmt.half_width_text(times.ratio_half_width)
        ratio = f", {fmt.ratio_text(times.ratio, times.ratio_half_width)} times"
        ratio += f" ({interval}, 95 %)" if interval else ""
        verdict = _verdict(times.ratio, times.ratio_half_width)
    return (
        f"native takes {grouped} with {case.groups} groups against {whole} with 1{ratio}, in "
        f"{times.rounds} round(s) of fresh processes{verdict}"
    )


def _verdict(ratio: float, half_width: float | None) -> str:
    """Whether the groups pay here, as far as the interval tells."""
    if half_width is None:
        return ""
    if abs(math.log(ratio)) <= half_width:
        return ": no clear difference"
    return ": here the groups save time" if ratio < 1 else ": here the groups cost time"
