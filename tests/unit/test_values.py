"""Shares, durations and cores as people write them."""

from __future__ import annotations

import os

import pytest

from gconvbench.cli.values import cores, seconds, share
from gconvbench.errors import UsageError
from gconvbench.planning import gate_method, make_method


@pytest.mark.parametrize(
    ("text", "value"), [("1%", 0.01), ("0.5 %", 0.005), (" 2% ", 0.02), ("0.01", 0.01)]
)
def test_a_share_may_be_in_per_cent(text: str, value: float) -> None:
    assert share(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["%", "", "one", "5 %%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no share; write it like 1% or 0\.01"):
        share(text)


@pytest.mark.parametrize("text", ["0", "1", "100%", "-1%", "nan", "inf"])
def test_a_target_that_is_no_proper_share_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"must be between 0 and 1, such as 0\.01 for 1 %"):
        make_method("cpu", target=share(text))


@pytest.mark.parametrize(
    ("text", "value_s"),
    [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("1H 30M 5S", 5405), ("0.5m", 30),
     ("1.5", 1.5), ("2h", 7200)],
)  # fmt: skip
def test_a_duration_has_units(text: str, value_s: float) -> None:
    assert seconds(text) == pytest.approx(value_s)


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "m", "5 minutes", "-5m", "5m1h", "1h30", "nan", "9999h"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write it like 90s, 5m or 1h30m"):
        seconds(text)


def test_cores_are_numbers() -> None:
    assert cores("1") == (1,)
    assert cores(" 3,2, 3") == (2, 3)


@pytest.mark.parametrize("text", ["", "a", "1-3", "-1", "1,,2", "²"])
def test_what_is_no_core_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="must be numbers with commas"):
        cores(text)


def test_cores_that_are_not_there_or_too_few_are_refused() -> None:
    there = min(os.sched_getaffinity(0))
    assert make_method("cpu", cores=(there,)).cores == (there,)
    with pytest.raises(UsageError, match=r"core 99999 cannot be used; allowed: \d"):
        make_method("cpu", cores=(99999,))
    with pytest.raises(UsageError, match=r"threads \(2\) are more than cores \(1\)"):
        make_method("cpu", cores=(there,), threads=2)


@pytest.mark.parametrize(
    ("device", "cache", "modes"),
    [
        ("cpu", None, ("hot",)),
        ("cuda", None, ("cold", "hot", "graph", "as_called")),
        ("cuda:1", "as_called,cold,as_called", ("as_called", "cold")),
    ],
)
def test_a_method_has_the_views_of_its_device_or_those_asked_for(
    device: str, cache: str | None, modes: tuple[str, ...]
) -> None:
    assert make_method(device, cache=cache).cache_modes == modes


def test_a_gate_has_the_views_of_the_device_alone() -> None:
    assert gate_method("cuda").cache_modes == ("cold", "hot")
    assert gate_method("cuda", cache="graph").cache_modes == ("graph",)
    assert gate_method("cpu").cache_modes == ("hot",)


@pytest.mark.parametrize(
    ("device", "cache", "message"),
    [
        ("cuda", "warm", "cache mode 'warm' is not known"),
        ("cpu", "graph", "cache mode 'graph' needs a CUDA device"),
        ("cpu", "hot,as_called", "cache mode 'as_called' needs a CUDA device"),
    ],
)
def test_a_view_that_there_is_not_is_refused(device: str, cache: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_method(device, cache=cache)
