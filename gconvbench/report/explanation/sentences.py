"""What a layer is, costs and equals, and what reaches what: other sights make other words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from gconvbench.cases import flops, min_bytes, parameters, parse_case
from gconvbench.records import channels_of
from gconvbench.report import format as fmt
from gconvbench.report.explanation.seen import Seen
from gconvbench.report.explanation.words import (
    Line,
    against,
    bytes_against,
    exact_text,
    inputs_text,
    part_text,
    shape_text,
    span_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gconvbench.cases import Case
    from gconvbench.records import Explanation

__all__ = ["headline", "proof_lines"]


def headline(found: Explanation) -> str:
    """The answer in a sentence."""
    case = parse_case(found.case)
    if not found.connections.numbers:
        return f"What reaches what was not seen: {found.connections.note}."
    seen = Seen(case, found.connections.numbers)
    if not seen.is_block_diagonal:
        return _strange_text(seen, case)
    inputs = inputs_text(case.in_channels)
    if case.groups == 1:
        return f"An ordinary convolution, without groups: every output sees all {inputs}."
    part = part_text(case.groups)
    return (
        "Nothing is lost to the groups: every input channel reaches outputs. Each output sees "
        f"{span_text(seen.per_output)} of the {inputs}, for {part} of the weights and {part} of "
        f"the work.{_skipping_text(case)}"
    )


def _skipping_text(case: Case) -> str:
    """What a layer passes over for another reason than its groups."""
    if all(step <= side for step, side in zip(case.stride, case.kernel_size, strict=True)):
        return ""
    return " Its stride skips pixels that no window looks at, with groups or without."


def _strange_text(seen: Seen, case: Case) -> str:
    lost = f"{seen.lost} of {inputs_text(case.in_channels)} reach no output; " if seen.lost else ""
    leaks = f"{seen.leaking} outputs see inputs of another group; " if seen.leaking else ""
    start = "Information is lost" if seen.lost else "This is not a grouped convolution"
    return (
        f"{start}: {lost}{leaks}outputs see {span_text(seen.per_output)} of the "
        f"{inputs_text(case.in_channels)}, where {case.group_in_channels} is right."
    )


def proof_lines(found: Explanation) -> list[Line]:
    """Before the picture: what the layer is, costs and equals, and what reaches what."""
    case = parse_case(found.case)
    lines = [Line("asked for", _asked_text(found.asked, case))] if found.asked else []
    lines += [Line("weight", _weight_text(case)), Line("cost", _cost_text(case))]
    if found.equality is not None:
        lines += [Line("same as", text) for text in _equality_texts(found, case)]
    if found.connections.numbers:
        lines.append(Line("who sees", _poison_text(found, case)))
    return lines


def _asked_text(asked: str, case: Case) -> str:
    shuffle = "; a shuffle under 'two layers'" if case.groups > 1 else ""
    return f"{parse_case(asked).operation}: its convolution is explained{shuffle}"


def _weight_text(case: Case) -> str:
    shape = shape_text(case.weight_shape)
    window = " x ".join(map(str, case.weight_shape[1:]))
    kind = "depthwise, " if case.groups > 1 and case.group_in_channels == 1 else ""
    filters = f"{kind}{case.out_channels} filters of {window}: shape {shape}"
    if case.groups == 1:
        return filters
    channels = inputs_text(case.group_in_channels)
    return (
        f"{filters}, as a state dict shows it, since each filter looks at {case.in_channels}/"
        f"{case.groups} = {channels}; without groups "
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
            f"they differ by {fmt.error_text(equality.largest_difference)} at most, where results "
            f"reach {fmt.number_text(equality.largest_magnitude)}"
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
        where = f"on {probe.height}x{probe.width} pixels instead of its own size"
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
    own = f"its own group's {case.group_in_channels}"
    if found.connections.finite is not None:
        why = ", since the kernel multiplies neighbours by zero and 0 x NaN is NaN"
        return (
            f"{start}: not exactly its group{why if poisoned.leaking else ''}. A one among zeros "
            f"reaches {span_text(seen.per_input)}: every input reaches some, and an output's "
            f"number depends on {own} alone"
        )
    others = case.in_channels - case.group_in_channels
    return (
        f"{start}: every input reaches some. An output sees {own} (output 0: "
        f"{_first_inputs(found)}); the other {others} it cannot see"
    )


def _first_inputs(found: Explanation) -> str:
    """What the first output sees."""
    text = found.connections.rows[0]
    return f"inputs {text}" if len(channels_of(text)) > 1 else f"input {text}"
