"""Whatever is written down: cases read back, and anything else is refused in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gconvbench.cases import (
    AXES,
    DIRECTIONS,
    DTYPES,
    MEMORY_FORMATS,
    OPERATIONS,
    Case,
    case_id,
    flops,
    parse_axis,
    parse_case,
    parse_descriptor,
    parse_sweep,
)
from gconvbench.errors import UsageError
from gconvbench.records import Record, decode_line, encode_line
from gconvbench.store import load_run
from tests.fakes import make_record, make_records, store_run

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

# The same examples every time: a failure seen once is seen by everyone.
REPEATABLE = settings(deadline=None, derandomize=True, database=None)

SIDES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    groups = draw(st.integers(1, 64))
    kernel, dilation, extra = draw(SIDES), draw(SIDES), draw(SIDES)
    padding = draw(st.tuples(st.integers(0, 9), st.integers(0, 9)))
    height, width = (
        max(1, dilation[i] * (kernel[i] - 1) - 2 * padding[i]) + extra[i] for i in (0, 1)
    )
    dtype = draw(st.sampled_from(sorted(DTYPES)))
    return Case(
        operation=draw(st.sampled_from(OPERATIONS)),
        groups=groups,
        batch=draw(st.integers(1, 2**31 - 1)),
        in_channels=groups * draw(st.integers(1, 99)),
        out_channels=groups * draw(st.integers(1, 99)),
        height=height,
        width=width,
        kernel_size=kernel,
        stride=draw(SIDES),
        padding=padding,
        dilation=dilation,
        bias=draw(st.booleans()),
        dtype=dtype,
        math_mode=draw(st.sampled_from(("ieee", "tf32"))) if dtype == "float32" else "ieee",
        memory_format=draw(st.sampled_from(MEMORY_FORMATS)),
        direction=draw(st.sampled_from(DIRECTIONS)),
    )


@REPEATABLE
@given(cases())
def test_every_case_reads_back_from_its_id(case: Case) -> None:
    assert parse_case(case_id(case)) == case
    assert case_id(parse_case(case_id(case))) == case_id(case)


@REPEATABLE
@given(cases(), cases())
def test_different_cases_have_different_ids(one: Case, other: Case) -> None:
    assert (case_id(one) == case_id(other)) == (one == other)


@REPEATABLE
@given(cases(), st.integers(1, 8))
def test_groups_divide_the_work_but_not_that_of_the_layers_behind(case: Case, factor: int) -> None:
    alone = replace(case, operation="conv")
    ungrouped = replace(alone, groups=1)
    assert flops(alone) * case.groups == flops(ungrouped)
    wider = replace(alone, out_channels=case.out_channels * factor)
    assert flops(wider) == flops(alone) * factor
    behind = flops(replace(case, groups=1)) - flops(ungrouped)
    assert flops(case) - flops(alone) == behind


@REPEATABLE
@given(cases(), st.integers(0, 999), st.text("abc/ -:", max_size=9))
def test_shorthand_in_any_order_stands_for_the_same_case(case: Case, seed: int, name: str) -> None:
    p, q = case.output_size
    tokens = [
        f"g{case.groups}", f"mb{case.batch}", f"ic{case.in_channels}", f"oc{case.out_channels}",
        f"ih{case.height}", f"iw{case.width}", f"oh{p}", f"ow{q}",
        f"kh{case.kernel_size[0]}", f"kw{case.kernel_size[1]}",
        f"sh{case.stride[0]}", f"sw{case.stride[1]}", f"ph{case.padding[0]}",
        f"pw{case.padding[1]}", f"dh{case.dilation[0] - 1}", f"dw{case.dilation[1] - 1}",
    ]  # fmt: skip
    turned = tokens[seed % len(tokens) :] + tokens[: seed % len(tokens)]
    rest = case_id(case).partition(":")[2]
    parsed = parse_descriptor(f'{"_".join(turned)}n"{name}*{seed + 1}":{rest}')
    assert (parsed.case, parsed.name, parsed.count) == (case, name, seed + 1)


@REPEATABLE
@given(cases())
def test_an_output_size_stands_for_padding_that_yields_it(case: Case) -> None:
    p, q = case.output_size
    text = case_id(case).replace(f"ph{case.padding[0]}pw{case.padding[1]}", f"_oh{p}ow{q}")
    parsed = parse_case(text)
    assert parsed.output_size == (p, q)
    assert replace(parsed, padding=case.padding) == case
    assert all(parsed.padding[i] <= case.padding[i] for i in (0, 1))


@REPEATABLE
@given(st.integers(1, 999), st.integers(0, 999), st.integers(1, 99))
def test_an_added_range_is_that_of_python(low: int, more: int, step: int) -> None:
    axis, values = parse_axis(f"batch={low}..{low + more}:+{step}")
    assert axis is AXES["batch"]
    assert list(values) == list(range(low, low + more + 1, step))


@REPEATABLE
@given(st.integers(1, 999), st.integers(0, 99999), st.integers(2, 9))
def test_a_multiplied_range_ends_just_before_its_limit(low: int, more: int, factor: int) -> None:
    _, values = parse_axis(f"batch={low}..{low + more}:x{factor}")
    expected = [low * factor**i for i in range(20)]
    assert list(values) == [value for value in expected if value <= low + more]


def parses_or_refuses(action: Callable[[], object]) -> bool:
    try:
        action()
    except UsageError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 (either ending is right)
        return False
    return True


TOKENS = st.tuples(
    st.sampled_from(["g", "mb", "ic", "ih", "iw", "oc", "oh", "kh", "kw", "sh", "ph", "dh", "id"]),
    st.integers(0, 300),
    st.sampled_from(["", "_", " "]),
).map(lambda token: "".join(map(str, token)))
TAILS = st.sampled_from(["", ":", ":conv", ":conv:float16:contiguous:fprop:tf32", '*2"', 'n"a*3"'])
ID_LIKE = st.tuples(st.just("ic64oc64ih9"), st.lists(TOKENS, max_size=5).map("".join), TAILS)


@REPEATABLE
@given(st.text() | ID_LIKE.map("".join) | st.text('gicohkw0123_:*n"', max_size=20))
def test_any_text_is_an_id_or_refused_in_one_line(text: str) -> None:
    parses_or_refuses(lambda: parse_descriptor(text))


NUMBERS = st.integers(-2, 200).map(str)
AXIS_LIKE = st.tuples(
    st.sampled_from([*AXES, "kernel", "grups"]),
    st.just("="),
    st.lists(
        NUMBERS
        | st.tuples(NUMBERS, st.just(".."), NUMBERS, st.sampled_from(["", ":x2", ":+0"])).map(
            "".join
        )
        | st.sampled_from(["", "3x3", "same", "true", "float32", "1.5"]),
        max_size=4,
    ).map(",".join),
).map("".join)


@REPEATABLE
@given(st.text() | AXIS_LIKE)
def test_any_text_is_an_axis_or_refused_in_one_line(text: str) -> None:
    parses_or_refuses(lambda: parse_axis(text))


VALUES = st.sampled_from(
    ["1", "[1, 2]", '"2..8:x2"', '"3x5"', "0", "-1", "1.5", "true", '"same"', '"float16"', "[]",
     '["conv", 3]', "{a = 1}", "1979-05-27", "inf", '"', "[[1]]", "'''\n'''", ""]
)  # fmt: skip
KEYS = st.sampled_from(
    [*AXES, "kernel", "name", "reason", "description", "network", "device", "block", "exclude"]
)
LINES = st.sampled_from(["[[block]]", "[[exclude]]", "[block]", "# x", ""]) | st.builds(
    "{} = {}".format, KEYS, VALUES
)


@settings(REPEATABLE, max_examples=300)
@given(st.text() | st.lists(LINES, max_size=8).map("\n".join))
def test_any_text_is_a_sweep_or_refused_in_one_line(text: str) -> None:
    parses_or_refuses(lambda: parse_sweep(text, "any").expand())


RECORDS = (*make_records("native", 1e-3, 2e-3), make_record("split_concat", outcome="crashed"))


@REPEATABLE
@given(st.data())
def test_a_run_cut_at_any_byte_keeps_what_came_before(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = store_run(tmp_path_factory.mktemp("cut"), RECORDS)
    whole = path.read_bytes()
    ends = [i for i, byte in enumerate(whole) if byte == ord("\n")]
    cut = data.draw(st.integers(0, len(whole)) | st.sampled_from([*ends, *(i + 1 for i in ends)]))
    path.write_bytes(whole[:cut])
    lines = sum(end <= cut for end in ends)  # a line counts with or without its newline
    assert parses_or_refuses(lambda: load_run(path)) == (lines > 0)
    if lines:
        run = load_run(path)
        assert run.records == RECORDS[: lines - 1]
        assert run.is_complete == (lines == len(ends))
        assert run.unreadable == (cut not in {*ends, *(end + 1 for end in ends)})


@REPEATABLE
@given(st.data())
def test_no_changed_byte_of_a_run_goes_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = store_run(tmp_path_factory.mktemp("changed"), RECORDS)
    whole = bytearray(path.read_bytes())
    footer = whole.rindex(b'{"kind":"footer"')
    at, byte = data.draw(st.integers(0, footer - 1)), data.draw(st.integers(0, 255))
    assume(whole[at] != byte)
    whole[at] = byte
    path.write_bytes(whole)
    if parses_or_refuses(lambda: load_run(path)):
        assert not load_run(path).is_complete


@REPEATABLE
@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_a_line_of_a_run_or_refused_in_one_line(data: bytes) -> None:
    parses_or_refuses(lambda: decode_line(data))


@REPEATABLE
@given(st.text(min_size=1), st.floats(1e-12, 1e6), st.integers(1, 10**6))
def test_every_record_reads_back_from_its_line(detail: str, time_s: float, number: int) -> None:
    records = [
        make_record(time_s=time_s, number=number, detail=detail),
        make_record(outcome="failed", detail=detail, first_launch_s=time_s),
    ]
    for record in records:
        read = decode_line(encode_line(record))
        assert isinstance(read, Record)
        assert read == record
