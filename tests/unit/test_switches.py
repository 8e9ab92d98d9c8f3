from __future__ import annotations

import pytest

from gconvbench.errors import UsageError
from gconvbench.switches import parse_switch


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cudnn_benchmark=false", ("cudnn_benchmark", False)),
        ("onednn_enabled = On", ("onednn_enabled", True)),
        ("threads=2", ("threads", 2)),
        ("ONEDNN_MAX_CPU_ISA=AVX2", ("ONEDNN_MAX_CPU_ISA", "AVX2")),
    ],
)
def test_a_setting_is_read(text: str, expected: tuple[str, object]) -> None:
    assert parse_switch(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cudnn_benchmark", "must be NAME=VALUE"),
        ("cudnn_bench=true", "did you mean 'cudnn_benchmark'"),
        ("cudnn_benchmark=maybe", "must be true or false"),
        ("threads=0", "a number from 1 to 1024"),
        ("=true", "must be NAME=VALUE"),
    ],
)
def test_what_is_no_setting_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_switch(text)
