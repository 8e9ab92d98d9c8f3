"""The convolutions as tests of pytest-benchmark, all of whose settings are its own."""

import pytest
from convolutions import chosen, launch
from pytest_benchmark.fixture import BenchmarkFixture


@pytest.mark.parametrize("name", chosen())
def test_forward(benchmark: BenchmarkFixture, name: str) -> None:
    """What is timed."""
    benchmark(launch(name))
