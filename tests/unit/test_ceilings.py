"""Ceilings: which sizes, which of them counts, what ends the search, what is left out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import torch

import gconvbench.ceilings
from gconvbench.ceilings import measure_ceilings
from gconvbench.ceilings.search import Highest, Stopwatch, Timed, highest
from gconvbench.ceilings.work import Work, copies, products
from gconvbench.protocol import CeilingsMeasured, Refused
from gconvbench.timing import HostClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MIB = 2**20


class ScriptedHost:
    """Time passes only while something is launched: each size takes as long as it is told."""

    def __init__(self, *seconds: float, room: int = 10**9) -> None:
        self.now_s = 0.0
        self.prepared: list[int] = []
        self._seconds = dict(enumerate(seconds, start=1))
        self._room = room
        self.slips: Iterator[float] = iter(())

    def now(self) -> float:
        return self.now_s

    def prepare(self, size: int) -> Callable[[], object]:
        if size > self._room:
            message = "CUDA out of memory. Tried to allocate 2.00 GiB"
            raise torch.OutOfMemoryError(message)
        self.prepared.append(size)

        def launch() -> None:
            self.now_s += self._seconds[size] * next(self.slips, 1.0)

        return launch

    @property
    def work(self) -> Work:
        """A size does a hundred times itself."""
        return Work("scripted", tuple(self._seconds), lambda size: 100.0 * size, self.prepare)


class ScriptedClock:
    """Its labels are those of the size that was launched last."""

    def __init__(
        self, host: ScriptedHost, labels: dict[int, tuple[str, ...]] | None = None
    ) -> None:
        self._host = host
        self._labels = labels or {}
        self.tick_s = 0.0

    def begin(self, launch: Callable[[], object], launch_s: float) -> int:
        return 1

    def chunk(self, launch: Callable[[], object], launches: int) -> Sequence[float]:
        before = self._host.now_s
        launch()
        return (self._host.now_s - before,)

    def labels(self) -> tuple[str, ...]:
        return self._labels.get(self._host.prepared[-1], ())

    def facts(self) -> None:
        return None


def watch_of(host: ScriptedHost) -> Stopwatch:
    return Stopwatch(ScriptedClock(host), lambda: None, 0.02, host.now)


def search(host: ScriptedHost, budget_s: float = 100.0) -> Highest | None:
    return highest(host.work, watch_of(host), budget_s=budget_s)


def rounded(found: Highest | None) -> tuple[float, int]:
    assert found
    return round(found.per_s, 6), found.size


# The search.


def test_the_highest_rate_counts_with_its_size_not_the_largest() -> None:
    host = ScriptedHost(1.0, 1.6, 2.9, 4.8)  # 100, 125, 103, 83 a second
    assert rounded(search(host)) == (125.0, 2)


def test_growing_goes_on_after_one_size_that_brings_nothing() -> None:
    host = ScriptedHost(1.0, 2.0, 2.0)  # 100, 100, 150
    assert rounded(search(host)) == (150.0, 3)


def test_two_sizes_in_a_row_that_bring_nothing_end_it() -> None:
    host = ScriptedHost(1.0, 2.0, 2.99, 1.0)  # 100, 100, 100.3, 400
    found = search(host)
    assert host.prepared == [1, 2, 3]
    assert found
    assert found.per_s == pytest.approx(100 * 3 / 2.99)  # a little more counts, though it ends it


def test_no_size_is_begun_that_would_end_after_the_budget_but_the_first() -> None:
    host = ScriptedHost(1.0, 1.0, 1.0)
    assert search(host, budget_s=0.001)
    assert host.prepared == [1]
    # The first takes five launches; eight of the second were to end by 5 + 8 * 2 at its rate, and
    # of the third, after five more, by 10 + 8 * 1.5.
    for budget_s, sizes in ((20.5, [1]), (21.5, [1, 2]), (22.5, [1, 2, 3])):
        longer = ScriptedHost(1.0, 1.0, 1.0)
        search(longer, budget_s=budget_s)
        assert longer.prepared == sizes


def test_out_of_memory_ends_it_and_is_no_error() -> None:
    host = ScriptedHost(1.0, 1.0, 1.0, room=2)
    assert rounded(search(host)) == (200.0, 2)
    assert search(ScriptedHost(1.0, room=0)) is None


def test_any_other_error_is_one() -> None:
    def prepare(_: int) -> Any:
        message = "CUDA error: an illegal memory access was encountered"
        raise RuntimeError(message)

    host = ScriptedHost(1.0)
    with pytest.raises(RuntimeError, match="illegal"):
        highest(Work("bad", (1,), float, prepare), watch_of(host), budget_s=1.0)


def test_a_rate_is_that_of_the_median_sample() -> None:
    host = ScriptedHost(1.0)
    host.slips = iter((1.0, 1.0, 3.0, 1.0, 0.5))  # the first, one to warm up, three samples
    assert watch_of(host).time(host.prepare(1)).median_s == pytest.approx(1.0)
    assert host.now_s == pytest.approx(6.5)


@pytest.mark.parametrize(
    ("labels", "earned"),
    [({}, ()), ({2: ("host_bound",)}, ("host_bound",)), ({1: ("host_bound",)}, ())],
)
def test_the_highest_rate_has_the_labels_of_its_own_samples(
    labels: dict[int, tuple[str, ...]], earned: tuple[str, ...]
) -> None:
    host = ScriptedHost(1.0, 1.6, 2.9)
    watch = Stopwatch(ScriptedClock(host, labels), lambda: None, 0.02, host.now)
    found = highest(host.work, watch, budget_s=100.0)
    assert rounded(found) == (125.0, 2)
    assert found is not None
    assert found.labels == earned


# What is launched.


def test_copies_begin_at_eight_times_the_cache_and_end_with_a_quarter_of_free_memory() -> None:
    work = copies("cuda", cache_bytes=50 * MIB, free=8192 * MIB)
    assert [size // MIB for size in work.sizes] == [400, 800, 1600]
    assert copies("cuda", cache_bytes=50 * MIB, free=10**15).sizes[-1] == 3200 * MIB
    assert work.amount(400 * MIB) == 800 * MIB  # read and written


def test_a_cache_of_hundreds_of_megabytes_is_exceeded_twice_at_the_least() -> None:
    sizes = copies("cpu", cache_bytes=480 * MIB, free=64 * 1024 * MIB).sizes
    assert [size // MIB for size in sizes] == [1024]
    sizes = copies("cpu", cache_bytes=1200 * MIB, free=64 * 1024 * MIB).sizes
    assert [size // MIB for size in sizes] == [2400]


def test_where_only_what_a_cache_holds_would_fit_nothing_is_copied() -> None:
    assert copies("cpu", cache_bytes=100 * MIB, free=799 * MIB).sizes == ()
    assert [s // MIB for s in copies("cpu", cache_bytes=100 * MIB, free=800 * MIB).sizes] == [200]
    assert copies("cpu", cache_bytes=None, free=3 * MIB).sizes == ()


def test_a_copy_moves_normal_numbers_of_its_very_size() -> None:
    launch = copies("cpu", cache_bytes=None, free=10**10).prepare(12 * MIB)
    copied: Any = launch()
    assert copied.nbytes == 12 * MIB
    assert float(copied.mean()) == pytest.approx(0, abs=0.01)
    assert float(copied.std()) == pytest.approx(1, abs=0.01)


def test_matrices_take_half_of_free_memory_at_the_most() -> None:
    work, *_ = products("float32", "cuda", free=2 * 3 * 4 * 4096**2)
    assert work.sizes == (2048, 4096)
    assert products("float64", "cuda", free=2 * 3 * 4 * 4096**2)[0].sizes == (2048,)
    assert work.amount(2048) == 2 * 2048**3


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_products_are_of_normal_numbers_in_their_dtype(dtype: str) -> None:
    for work in products(dtype, "cpu", free=10**10):
        result: Any = work.prepare(64)()
        assert result.dtype == getattr(torch, dtype)
        # A sum of so many products of normal numbers; 576 for the convolution of 64 channels.
        terms = 576 if "convolution" in work.name else 64
        assert float(result.double().std()) == pytest.approx(terms**0.5, rel=0.1)


def test_the_convolution_is_counted_by_the_rows_that_it_has() -> None:
    (work,) = [one for one in products("float32", "cpu", free=10**10) if "convo" in one.name]
    result: Any = work.prepare(64)()
    assert work.amount(64) == 2 * result.numel() * 64 * 9


def test_no_convolution_takes_part_on_a_gpu() -> None:
    names = [work.name for work in products("float32", "cuda", free=10**10)]
    assert names == ["product", "transposed product"]


# All of it.


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates need not be right here."""
    monkeypatch.setattr(gconvbench.ceilings.search, "_SAMPLING_S", 0.01)
    monkeypatch.setattr(gconvbench.ceilings.search, "_WARM_UP_S", 0.001)
    monkeypatch.setattr(gconvbench.ceilings, "last_cache_bytes", lambda _: 4 * MIB)


def test_every_dtype_that_the_device_has_gets_a_rate_and_where_it_comes_from() -> None:
    answer = measure_ceilings("cpu", budget_s=0.01)
    assert isinstance(answer, CeilingsMeasured)
    found = answer.ceilings
    assert set(found.flops_per_s) == {"float32", "float16", "bfloat16", "float64"}
    assert set(found.sizes) == {"copy_bytes", *found.flops_per_s}
    assert set(found.work) == set(found.flops_per_s)
    assert found.launch_s
    assert found.replay_s is None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found.created)


class Labelled(HostClock):
    """A host's clock that finds fault with every sample."""

    def labels(self) -> tuple[str, ...]:
        return ("allocator grew", "host_bound")


def test_a_rate_whose_samples_were_labelled_is_not_stored_unmarked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = measure_ceilings("cpu", budget_s=0.01)
    assert isinstance(plain, CeilingsMeasured)
    assert plain.ceilings.labels == {}
    monkeypatch.setattr(gconvbench.ceilings, "_clock", lambda _: Labelled())
    answer = measure_ceilings("cpu", budget_s=0.01)
    assert isinstance(answer, CeilingsMeasured)
    earned = ("allocator grew", "host_bound")
    assert answer.ceilings.labels == dict.fromkeys(("copy", *answer.ceilings.flops_per_s), earned)


@pytest.mark.usefixtures("scripted_replay")
def test_so_is_a_replayed_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = measure_ceilings("cpu:0", budget_s=0.01)
    assert isinstance(answer, CeilingsMeasured)
    assert answer.ceilings.replay_s == pytest.approx(1e-6)
    assert answer.ceilings.labels == {"replay": ("host_bound",)}


@pytest.fixture
def scripted_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor under another name, with a graph that the host held up."""
    monkeypatch.setattr(gconvbench.ceilings, "_clock", lambda _: HostClock())
    monkeypatch.setattr(gconvbench.ceilings, "synchronizer", lambda _: lambda: None)
    monkeypatch.setattr(gconvbench.ceilings, "why_device_lacks", lambda *_: None)
    monkeypatch.setattr(gconvbench.ceilings, "free_bytes", lambda _: 10**10)
    monkeypatch.setattr(gconvbench.ceilings, "set_math_mode", lambda *_: None)
    monkeypatch.setattr(
        gconvbench.ceilings, "_replay", lambda *_: Timed(200 * 1e-6, ("host_bound",))
    )


def test_a_dtype_that_the_device_lacks_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        gconvbench.ceilings,
        "why_device_lacks",
        lambda case, _: None if case.dtype == "float64" else "no such arithmetic",
    )
    answer = measure_ceilings("cpu", budget_s=0.01)
    assert isinstance(answer, CeilingsMeasured)
    assert set(answer.ceilings.flops_per_s) == {"float64"}


def test_without_room_it_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gconvbench.ceilings, "free_bytes", lambda _: 100 * MIB)
    monkeypatch.setattr(gconvbench.ceilings, "last_cache_bytes", lambda _: 32 * MIB)
    answer = measure_ceilings("cpu", budget_s=0.01)
    assert answer == Refused(
        "free memory of cpu (100 MiB) does not hold copies that are larger than its last-level "
        "cache (32 MiB); free some",
        was_tried=True,
    )
