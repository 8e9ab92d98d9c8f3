from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gconvbench.cases import Case
from gconvbench.report import format as fmt

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (fmt.change_text, 0.104, "+10.4 %"),
        (fmt.change_text, -0.0321, "-3.2 %"),
        (fmt.change_text, -0.0004, "+0.0 %"),
        (fmt.change_text, 0.9996, "+100 %"),
        (fmt.change_text, 12.34, "+1234 %"),
        (fmt.p_text, None, ""),
        (fmt.p_text, 0.000612, "0.00061"),
        (fmt.p_text, 0.00009, "<0.0001"),
        (fmt.p_text, 1.0, "1"),
        (fmt.seconds, 12.34, "12.3 s"),
        (fmt.seconds, 1.0, "1.00 s"),
        (fmt.seconds, 0.5, "500 ms"),
        (fmt.seconds, 1.234e-3, "1.23 ms"),
        (fmt.seconds, 12.34e-6, "12.3 µs"),
        (fmt.seconds, 123.4e-9, "123 ns"),
        (fmt.seconds, 2e-11, "0.02 ns"),
        (fmt.seconds, 0.0, "0.00 ns"),
        (fmt.duration, 0.4, "0 s"),
        (fmt.duration, 45.2, "45 s"),
        (fmt.duration, 59.7, "1 min 00 s"),
        (fmt.duration, 110, "1 min 50 s"),
        (fmt.duration, 3599.7, "1 h 00 min"),
        (fmt.duration, 7530, "2 h 05 min"),
        (fmt.duration, 90_000, "25 h 00 min"),
        (fmt.flops_text, 4_512_000_000, "4.51 GFLOP"),
        (fmt.flops_text, 2e15, "2000 TFLOP"),
        (fmt.flops_text, 1000, "1.00 kFLOP"),
        (fmt.flops_text, 18, "18.0 FLOP"),
        (fmt.bytes_text, 3 * 2**19, "1.50 MiB"),
        (fmt.bytes_text, 1024, "1.00 KiB"),
        (fmt.bytes_text, 1023, "1023 B"),
        (fmt.share, 0.0214, "2.1 %"),
        (fmt.share, 0.215, "22 %"),
        (fmt.share, 1.5, "150 %"),
        (fmt.share, 0.0, "0.0 %"),
        (fmt.half_width_text, 0.021, "± 2.1 %"),
        (fmt.half_width_text, 0.25, "×/÷ 1.28"),
        (fmt.half_width_text, 5.14, "×/÷ >10"),
        (fmt.half_width_text, 5140.0, "×/÷ >10"),
        (fmt.half_width_text, 0.0, "± 0.0 %"),
        (fmt.half_width_text, None, ""),
        (fmt.about_seconds, 12.34e-3, "12 ms"),
        (fmt.about_seconds, 345e-6, "340 µs"),
        (fmt.about_seconds, 1.26e-9, "1.3 ns"),
        (fmt.memory_text, 1_500_000, "1.4 MiB"),
        (fmt.memory_text, 0, "0.0 B"),
        (fmt.error_text, 1.234e-7, "1.2e-07"),
        (fmt.error_text, 0.0, "0.0e+00"),
        (fmt.error_text, None, "not finite"),
    ],
)
def test_numbers_are_written_for_people(
    function: Callable[[object], str], value: object, text: str
) -> None:
    assert function(value) == text


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (
            Case(groups=2, batch=8, in_channels=96, out_channels=192, kernel_size=(3, 5)),
            "conv fprop float32, 8x96x28x28 to 192, groups 2, kernel 3x5",
        ),
        (
            Case(
                operation="conv_shuffle", direction="training", stride=(2, 1), dilation=(1, 2),
                math_mode="tf32", memory_format="channels_last",
            ),
            (
                "conv_shuffle training float32, 1x64x28x28 to 64, groups 1, kernel 3x3, "
                "stride 2x1, dilation 1x2, tf32, channels_last"
            ),
        ),
    ],
)  # fmt: skip
def test_a_case_is_said_in_one_line_without_what_is_usual(case: Case, text: str) -> None:
    assert fmt.case_text(case) == text


@pytest.mark.parametrize(
    ("value", "half_width", "text"),
    [
        (584.4e-6, 0.019, "584 µs"),  # 11 µs: two digits of it count
        (584.4e-6, 0.06, "584 µs"),  # 35.06 µs, still two
        (584.4e-6, 0.0606, "584 µs"),  # 35.41 µs, likewise
        (584.4e-6, 0.0607, "580 µs"),  # 35.47 µs: one
        (584.4e-6, 0.09, "580 µs"),
        (584.4e-6, 0.165, "580 µs"),  # 96.4 µs count as 100: two digits
        (584.4e-6, 0.5, "580 µs"),
        (584.4e-6, 0.9, "600 µs"),
        (584.4e-6, 50.0, "600 µs"),
        (584.4e-6, 0.001, "584.4 µs"),
        (584.4e-6, 0.0, "584.4 µs"),
        (1.2345e-3, 0.01, "1.234 ms"),
        (1.2345e-3, 0.05, "1.23 ms"),
        (9.996e-3, 0.05, "10.0 ms"),
        (584.4e-6, None, "580 µs"),
        (12.5, None, "12 s"),
    ],
)
def test_a_time_has_the_digits_that_its_interval_bears(
    value: float, half_width: float | None, text: str
) -> None:
    assert fmt.measured_seconds(value, half_width) == text


@pytest.mark.parametrize(
    ("value", "half_width", "text"),
    [(1.3164, 0.05, "1.32x"), (0.0321, 0.02, "0.0321x"), (12.34, 0.3, "12x"),
     (1.3164, None, "1.3x"), (None, None, "")],
)  # fmt: skip
def test_a_speedup_has_the_digits_that_its_interval_bears(
    value: float | None, half_width: float | None, text: str
) -> None:
    assert fmt.speedup_text(value, half_width) == text


def test_memory_that_cannot_be_told_from_none_is_less_than_that() -> None:
    assert fmt.memory_text(100_000, 2**18) == "<256 KiB"


def test_the_ends_of_an_interval_share_their_unit() -> None:
    assert fmt.change_interval_text(-0.001, 0.009) == "-0.1 to +0.9 %"
