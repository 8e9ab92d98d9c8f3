"""Each check of the host passes on a good one, and trips on one that has exactly that fault."""

from __future__ import annotations

import functools
import itertools
import os
from typing import TYPE_CHECKING, Any

import pytest
import torch
from msgspec.structs import replace

from gconvbench.environment.reading import Field
from gconvbench.examining import checks_of, examine, processor
from gconvbench.examining.aftermath import aftermath_of
from gconvbench.examining.host_clock import host_linearity, host_timer
from gconvbench.examining.noise import noise_of
from gconvbench.examining.processor import boost, contention_of, governor, threads
from gconvbench.examining.subject import Subject, duration, percent, state_of
from gconvbench.examining.surroundings import environment_variables, torch_settings
from gconvbench.labels import ALLOCATOR_GREW, HOST_BOUND, share_away
from gconvbench.planning import make_method
from gconvbench.protocol import Examine
from gconvbench.timing import HostClock
from tests.fakes import make_telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gconvbench.records import Check, Telemetry

METHOD = make_method("cpu")
SUBJECT = Subject("cpu", METHOD)
CARD = Subject("cuda", make_method("cuda"))


class ScriptedHost:
    """A clock whose readings cost time, and work that takes some."""

    def __init__(
        self, *, reading_s: float = 50e-9, tick_s: float = 0.0, gap_s: float = 0.0
    ) -> None:
        self.at_s = 1.0
        self.launch_s = 10e-6
        self._reading_s = reading_s
        self._tick_s = tick_s
        self._gap_s = gap_s
        self._was_read = False

    def now(self) -> float:
        self.at_s += self._reading_s
        self._was_read = True
        return self.at_s // self._tick_s * self._tick_s if self._tick_s else self.at_s

    def launch(self) -> None:
        """The first one after a reading is late by the gap."""
        self.at_s += self.launch_s + (self._gap_s if self._was_read else 0.0)
        self._was_read = False


@pytest.mark.parametrize(
    ("host", "state"),
    [
        ({}, "fine"),
        ({"reading_s": 0.9e-6}, "fine"),
        ({"reading_s": 2e-6}, "advice"),
        ({"tick_s": 2.0**-18}, "advice"),
        ({"tick_s": 2.0**-10}, "unfit"),
        ({"reading_s": 0.0}, "unfit"),
    ],
    ids=["good", "just", "dear", "coarse", "too coarse", "stopped"],
)
def test_the_host_s_timer_is_fine_and_cheap_or_not(host: dict[str, float], state: str) -> None:
    found = host_timer(SUBJECT, ScriptedHost(**host).now)
    assert found.state == state, found.found


@pytest.mark.parametrize(
    ("host", "state"),
    [({}, "fine"), ({"gap_s": 300e-6}, "advice"), ({"gap_s": 3e-3}, "unfit")],
    ids=["straight", "a late first launch", "much too late"],
)
def test_twice_the_work_takes_twice_the_time_or_not(host: dict[str, float], state: str) -> None:
    scripted = ScriptedHost(**host)
    found = host_linearity(SUBJECT, scripted.now, scripted.launch)
    assert found.state == state, found.found
    if state == "fine":
        assert found.figures["ratio"] == pytest.approx(1, abs=1e-3)


def test_a_clock_that_stands_still_is_not_straight() -> None:
    found = host_linearity(SUBJECT, lambda: 1.0, lambda: None)
    assert found.state == "unfit"


QUIET = replace(make_telemetry(0.1), main_s=0.1, waited_s=0.0, stolen_s=0.0)


@pytest.mark.parametrize(
    ("change", "state", "said"),
    [
        ({}, "fine", "a core for 100 % of the time"),
        ({"waited_s": 0.006}, "advice", "no core for 6 % of the time"),
        ({"main_s": 0.06}, "unfit", "no core for 40 % of the time"),
        ({"waited_s": 0.03}, "unfit", "no core for 30 % of the time"),
        ({"involuntary_switches": 10}, "advice", "no core for 7 % of the time"),
        ({"stolen_s": 0.13}, "unfit", "no core for 30 % of the time"),
        ({"load": 4.6}, "advice", "4.6 tasks wanted the 4 core(s)"),
    ],
)
def test_who_takes_the_cores_is_noticed(change: dict[str, Any], state: str, said: str) -> None:
    found = contention_of([QUIET, replace(QUIET, **change)], online_cores=4)
    assert (found.state, bool(found.advice)) == (state, state != "fine")
    assert said in found.found


@pytest.mark.parametrize("count", [1, 2])
def test_each_thread_computes_for_a_tenth_of_a_second(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """However long that takes it at the wall; of what each saw the verdict is made."""
    judged: list[Sequence[Telemetry]] = []

    def spy(seen: Sequence[Telemetry], *, online_cores: int) -> Check:
        judged.append(seen)
        return contention_of(seen, online_cores=online_cores)

    monkeypatch.setattr(processor, "contention_of", spy)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(4))
    found = processor.contention(Subject("cpu", make_method("cpu", threads=count)))
    (seen,) = judged
    assert len(seen) == count
    for one in seen:
        assert one.wall_s >= 0.1
        assert one.main_s is not None
        assert one.main_s > 0.001
    away = max(share_away(one, on_cpu=True, online_cores=os.cpu_count()) for one in seen)
    assert found.figures["share_away"] == round(away, 4)


def as_host(monkeypatch: pytest.MonkeyPatch, *, cores: int, quota: object) -> None:
    facts = {"cores": cores, "cpu_quota": quota, "virtual": True}
    fields = tuple(Field(name, "scripted", functools.partial(facts.get, name)) for name in facts)
    monkeypatch.setattr(processor, "HOST", fields)


@pytest.mark.parametrize(
    ("wanted", "used", "cores", "quota", "state", "advice"),
    [
        (2, 2, 2, "none", "fine", ""),
        (2, 2, 8, 2.0, "fine", ""),
        (2, 2, 8, None, "fine", ""),
        (3, 3, 2, "none", "unfit", "--threads 2"),
        (2, 2, 8, 1.5, "unfit", "--threads 1, or a larger quota"),
        (1, 1, 8, 0.5, "unfit", "--threads 1, or a larger quota"),
        (2, 7, 8, "none", "unfit", "find what sets them"),
    ],
)
def test_threads_are_held_against_cores_and_quota(  # noqa: PLR0913, PLR0917
    monkeypatch: pytest.MonkeyPatch,
    wanted: int, used: int, cores: int, quota: object, state: str, advice: str,
) -> None:  # fmt: skip
    as_host(monkeypatch, cores=cores, quota=quota)
    monkeypatch.setattr(torch, "get_num_threads", lambda: used)
    found = threads(Subject("cpu", make_method("cpu", threads=wanted)))
    assert found.state == state
    assert found.advice.startswith(advice)
    card = threads(Subject("cuda", make_method("cuda", threads=wanted)))
    assert card.state == ("advice" if state == "unfit" else "fine")


@pytest.mark.parametrize(
    ("value", "state"), [("performance", "fine"), ("powersave", "advice"), (None, "skipped")]
)
def test_a_governor_that_follows_the_load_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str | None, state: str
) -> None:
    monkeypatch.setattr(processor, "HOST_SOFT", (Field("governor", "scripted", lambda: value),))
    found = governor(SUBJECT)
    assert found.state == state
    assert (value or "not told here") in found.found


@pytest.mark.parametrize(
    ("file", "text", "state", "said"),
    [
        ("intel_pstate/no_turbo", "0", "advice", "boost on, SMT on"),
        ("intel_pstate/no_turbo", "1", "fine", "boost off"),
        ("cpufreq/boost", "1", "advice", "boost on"),
        ("cpufreq/boost", "0", "fine", "boost off"),
        ("cpufreq/other", "0", "skipped", "boost is not told here; SMT on"),
    ],
)
def test_boost_is_told_where_linux_tells(  # noqa: PLR0913, PLR0917
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str, text: str, state: str, said: str
) -> None:
    (tmp_path / file).parent.mkdir()
    (tmp_path / file).write_text(f"{text}\n")
    monkeypatch.setattr(processor, "_CPUS", tmp_path)
    monkeypatch.setattr(processor, "HOST_SOFT", (Field("smt", "scripted", lambda: True),))
    found = boost(SUBJECT)
    assert found.state == state
    assert said in found.found


def test_nothing_is_told_of_boost_and_smt_where_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(processor, "_CPUS", tmp_path)
    monkeypatch.setattr(processor, "HOST_SOFT", (Field("smt", "scripted", lambda: None),))
    assert boost(SUBJECT).state == "skipped"


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable that counts is set."""
    from gconvbench.environment.variables import VARIABLES  # noqa: PLC0415 (only here)

    for field in VARIABLES:
        monkeypatch.delenv(field.name, raising=False)
    monkeypatch.delenv("LD_PRELOAD", raising=False)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("variable", "value", "on_card", "on_cpu"),
    [
        ("OMP_NUM_THREADS", "1", "fine", "fine"),
        ("CUDA_LAUNCH_BLOCKING", "1", "unfit", "fine"),
        ("CUDA_LAUNCH_BLOCKING", "0", "fine", "fine"),
        ("NVIDIA_TF32_OVERRIDE", "0", "advice", "fine"),
        ("NVIDIA_TF32_OVERRIDE", "1", "advice", "fine"),
        ("CUBLAS_WORKSPACE_CONFIG", ":4096:8", "advice", "fine"),
        ("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "1", "advice", "fine"),
        ("TORCH_CUDNN_V8_API_DISABLED", "1", "advice", "fine"),
        ("ONEDNN_MAX_CPU_ISA", "AVX2", "advice", "advice"),
        ("ONEDNN_DEFAULT_FPMATH_MODE", "bf16", "advice", "advice"),
        ("TORCH_COMPILE_DISABLE", "1", "advice", "advice"),
        ("ATEN_CPU_CAPABILITY", "default", "advice", "advice"),
        ("TRITON_INTERPRET", "1", "unfit", "unfit"),
        ("TRITON_INTERPRET", "True", "unfit", "unfit"),
        ("TRITON_INTERPRET", "0", "fine", "fine"),
        ("LD_PRELOAD", "/usr/lib/libasan.so.8", "unfit", "unfit"),
        ("LD_PRELOAD", "/usr/lib/libjemalloc.so.2", "fine", "fine"),
    ],
)
def test_variables_that_change_or_falsify_are_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, on_card: str, on_cpu: str
) -> None:
    monkeypatch.setenv(variable, value)
    found = environment_variables(CARD)
    assert (found.state, environment_variables(SUBJECT).state) == (on_card, on_cpu)
    if on_card != "fine":
        name = "preloaded" if variable == "LD_PRELOAD" else variable
        assert found.found.startswith(f"{name}=")
        assert f"unset {name}" in found.advice


@pytest.mark.usefixtures("bare")
def test_a_variable_that_is_switched_off_is_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "0")
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "0")
    assert environment_variables(CARD).state == "fine"


def test_a_switch_that_was_turned_at_import_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert torch_settings(SUBJECT).state == "fine"
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    found = torch_settings(SUBJECT)
    assert found.state == "advice"
    assert "cudnn_benchmark is True" in found.found


def noisy_clock(factors: list[float], *earned: tuple[str, ...]) -> Any:
    """A clock whose medians are a millisecond times these factors, in turn.

    Each launch earns the next of the labels, and is done with them when the clock begins anew.
    """

    class Clock(HostClock):
        turn = itertools.cycle(factors)
        begun = 0

        def begin(self, launch: Callable[[], object], launch_s: float) -> int:
            self.begun += 1
            return super().begin(launch, launch_s)

        def labels(self) -> tuple[str, ...]:
            return earned[self.begun - 1] if earned else ()

        def chunk(self, launch: Callable[[], object], launches: int) -> list[float]:
            launch()
            return [1e-3 * next(self.turn)] * 10

    return Clock()


@pytest.mark.parametrize(
    ("apart", "state"), [(0.0, "fine"), (0.019, "fine"), (0.03, "advice"), (0.12, "unfit")]
)
def test_the_same_work_twice_tells_the_noise(apart: float, state: str) -> None:
    times = itertools.count()
    found = noise_of(
        SUBJECT,
        dict.fromkeys(("short", "long"), lambda: None),
        noisy_clock([1.0, 1.0 + apart]),
        lambda: None,
        lambda: next(times) * 0.01,
    )
    assert found.state == state, found.found
    assert found.figures["short_apart"] == pytest.approx(apart, rel=0.1)


def test_the_noisiest_length_counts_and_half_of_the_pairs() -> None:
    times = itertools.count()

    def noise(factors: list[float]) -> str:
        return noise_of(
            SUBJECT,
            dict.fromkeys(("short", "long"), lambda: None),
            noisy_clock(factors),
            lambda: None,
            lambda: next(times) * 0.01,
        ).state

    assert noise([1.0] * 18 + [1.0, 1.2] * 9) == "unfit"
    assert noise([1.0, 1.2] * 4 + [1.0] * 10 + [1.0] * 18) == "fine"


@pytest.mark.parametrize(("apart", "state"), [(0.0, "advice"), (0.03, "advice"), (0.12, "unfit")])
def test_noise_of_samples_that_the_clock_labels_is_said_to_be_of_such(
    apart: float, state: str
) -> None:
    times = itertools.count()
    found = noise_of(
        SUBJECT,
        dict.fromkeys(("short", "medium", "long"), lambda: None),
        noisy_clock([1.0, 1.0 + apart], (HOST_BOUND,), (), (ALLOCATOR_GREW, HOST_BOUND)),
        lambda: None,
        lambda: next(times) * 0.01,
    )
    assert found.state == state, found.found
    assert found.found.endswith("; short is host_bound; long is allocator grew, host_bound")
    assert "not the device's alone" in found.advice
    assert ("--rounds" in found.advice) == (apart > 0)
    assert found.figures["short_labels"] == "host_bound"
    assert "medium_labels" not in found.figures


@pytest.mark.parametrize(("later_s", "state"), [(10.9e-6, "fine"), (15e-6, "advice")])
def test_a_profiler_that_leaves_launches_slower_is_seen(later_s: float, state: str) -> None:
    host = ScriptedHost()

    def look() -> None:
        host.launch_s = later_s

    found = aftermath_of(host.launch, lambda: None, look, host.now)
    assert found.state == state, found.found
    assert found.figures["ratio"] == pytest.approx(later_s / 10e-6, rel=1e-3)


def test_a_profiler_that_is_not_to_be_had_is_skipped() -> None:
    def look() -> None:
        raise RuntimeError("CUPTI is forbidden")  # noqa: EM101, TRY003

    host = ScriptedHost()
    found = aftermath_of(host.launch, lambda: None, look, host.now)
    assert (found.state, found.found) == ("skipped", "RuntimeError: CUPTI is forbidden")


def test_the_quick_examination_is_the_first_part_of_the_full_one() -> None:
    for device in ("cpu", "cuda"):
        method = make_method(device)
        quick, full = (checks_of(Subject(device, method, scope)) for scope in ("quick", "full"))
        assert full[: len(quick)] == quick
        assert len(full) > len(quick)
        assert full[-1].__name__ == "profiler_aftermath"


def test_what_is_asked_in_quick_is_answered() -> None:
    checks = examine(Examine("quick"), "cpu", METHOD).checks
    assert [check.name for check in checks] == [
        "environment_variables", "torch_settings", "threads", "contention", "host_timer",
        "governor", "boost_and_smt",
    ]  # fmt: skip


def test_states_and_words() -> None:
    assert [state_of(v, advice=1, unfit=2) for v in (1, 2, 2.1)] == ["fine", "advice", "unfit"]
    assert state_of(float("nan"), advice=1, unfit=2) == "unfit"
    texts = [duration(s) for s in (12.345e-6, 999.7e-6, 0.0123, 2.5, 0.0, -3e-6)]
    assert texts == ["12.3 µs", "1 ms", "12.3 ms", "2.5 s", "0 µs", "-3 µs"]
    assert percent(0.12345) == "12.3 %"
