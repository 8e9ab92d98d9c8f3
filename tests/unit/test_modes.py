"""Settings of torch that an implementation is measured with: who turns them, where, and when."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch
from msgspec.structs import replace

from gconvbench import implementations
from gconvbench.accuracy import Proof, prove
from gconvbench.cases import DIRECTIONS, DTYPES, OPERATIONS, Case, case_id
from gconvbench.comparing.incomparable import other_modes
from gconvbench.device import (
    reset_settings,
    set_switches,
    why_device_lacks,
    why_switches_lack,
)
from gconvbench.engine import Engine
from gconvbench.implementations import BUILT_IN, Implementation, load_table
from gconvbench.implementations.in_mode import InMode
from gconvbench.implementations.native import Native
from gconvbench.planning import modes_of
from gconvbench.protocol import AskSupport, Description, Measure, Ready, Refused, SetUp
from gconvbench.records import Environment, Job, KernelLine, Method, Plan, Record
from gconvbench.runner import execute, jobs_of, round_order
from gconvbench.runner.estimate import estimate_duration
from gconvbench.runner.order import by_modes
from gconvbench.runner.schedule import WithinBudget
from gconvbench.runner.workers import why_other_environment
from gconvbench.start import start_engine
from gconvbench.store import RunWriter, load_run
from gconvbench.switches import SWITCHES, parse_switch, setting_text, why_no_settings
from tests.fakes import MACHINE, SMALL, make_header, make_plan, make_record, make_telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from gconvbench.records import Header

METHOD = Method(clock="host", cache_modes=("hot",), target=0.5, max_samples=12, min_time_s=0.0,
                warmup_time_s=0.0)  # fmt: skip
IN_MODES = {one.name: one for one in BUILT_IN if one.modes}
CASE = Case(groups=2, in_channels=4, out_channels=6, height=6, width=5, padding=(1, 1), bias=True)
DEPTHWISE = replace(CASE, groups=4, out_channels=4)
WITHOUT = Job(case_id(CASE), "native_without_onednn")
ASKED = "needs a process with onednn_enabled=false from its start, which gconvbench run gives it"


@pytest.fixture(autouse=True)
def settings_of_a_fresh_process() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    reset_settings(threads)


def test_the_table_s_modes_are_settings_measured_on_request() -> None:
    assert list(IN_MODES) == [
        "native_benchmark",
        "native_deterministic",
        "native_benchmark_deterministic",
        "native_depthwise_cudnn",
        "native_depthwise_native",
        "native_without_onednn",
    ]
    for one in IN_MODES.values():
        assert one.on_request
        assert not one.is_compiled
        assert why_no_settings(one.modes) is None
        assert all(setting_text(*setting) in one.idea for setting in one.modes.items())
        assert one.operations == Native.operations


@pytest.mark.parametrize(
    ("name", "case", "device", "reason"),
    [
        ("native_benchmark", CASE, "cpu", "cudnn_benchmark is a setting of CUDA devices"),
        ("native_benchmark", CASE, "cuda", None),
        ("native_benchmark_deterministic", CASE, "cuda", None),
        ("native_without_onednn", CASE, "cuda", "onednn_enabled is a setting of the CPU"),
        ("native_without_onednn", CASE, "cpu", None),
        ("native_depthwise_cudnn", CASE, "cuda",
         "in_channels (4) must equal groups (2), and be more than 1"),
        ("native_depthwise_cudnn", DEPTHWISE, "cuda", None),
        ("native_depthwise_native", Case(in_channels=1), "cuda",
         "in_channels (1) must equal groups (1), and be more than 1"),
    ],
)  # fmt: skip
def test_a_setting_that_does_nothing_there_is_unsupported(
    monkeypatch: pytest.MonkeyPatch, name: str, case: Case, device: str, reason: str | None
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "depthwise_kernel", "auto", raising=False)
    assert IN_MODES[name].why_unsupported(case, device) == reason


class OlderTorch:
    """Its `torch.backends.cudnn`, without the choice of depthwise kernels."""

    enabled = True
    benchmark = deterministic = False


def test_a_torch_without_the_setting_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends, "cudnn", OlderTorch())
    reason = IN_MODES["native_depthwise_cudnn"].why_unsupported(DEPTHWISE, "cuda")
    assert reason == f"torch {torch.__version__} has no torch.backends.cudnn.depthwise_kernel"
    switches: dict[str, bool | str] = {"cudnn_depthwise_kernel": "native"}
    assert why_switches_lack(switches)
    engine, reply = start_engine(SetUp("cpu", METHOD, switches), announce=str)
    assert engine is None
    assert isinstance(reply, Refused)
    assert "cudnn_depthwise_kernel cannot be set: torch" in reply.reason
    reset_settings(torch.get_num_threads())
    assert not hasattr(torch.backends.cudnn, "depthwise_kernel")


needs_choice = pytest.mark.skipif(
    not hasattr(torch.backends.cudnn, "depthwise_kernel"),
    reason="this torch has no torch.backends.cudnn.depthwise_kernel",
)


@needs_choice
def test_the_choice_of_depthwise_kernels_is_turned_and_turned_back() -> None:
    assert why_switches_lack({"cudnn_depthwise_kernel": "native"}) is None
    for value in SWITCHES["cudnn_depthwise_kernel"]:
        set_switches({"cudnn_depthwise_kernel": value})
        assert torch.backends.cudnn.depthwise_kernel == value
    reset_settings(torch.get_num_threads())
    assert torch.backends.cudnn.depthwise_kernel == "auto"


def test_every_setting_can_be_turned() -> None:
    for name, values in SWITCHES.items():
        for value in values:
            if not why_switches_lack({name: value}):
                set_switches({name: value})
            assert parse_switch(setting_text(name, value)) == (name, value)


@pytest.mark.parametrize(
    ("modes", "reason"),
    [
        ({"onednn_enabled": False, "cudnn_depthwise_kernel": "native"}, None),
        ({}, None),
        (None, "None is no mapping of settings to values"),
        ({"onednn": True}, "'onednn' is no setting; allowed: cudnn_benchmark, "),
        ({"cudnn_benchmark": 1}, "cudnn_benchmark is 1; allowed: false, true"),
        ({"cudnn_depthwise_kernel": True}, "is True; allowed: auto, cudnn, native"),
    ],
)
def test_modes_of_an_implementation_from_outside_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, modes: Any, reason: str | None
) -> None:
    class Outside(Native):
        name = "outside"

    Outside.modes = modes

    class Entry:
        name = value = "outside"
        dist = None

        def load(self) -> type[Implementation]:
            return Outside

    monkeypatch.setattr(implementations, "entry_points", lambda group: [Entry()])
    problem = load_table().problems.get("outside", "")
    assert (reason or "") in problem
    assert bool(problem) == bool(reason)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_without_onednn_it_is_right(operation: str, dtype: str) -> None:
    one = IN_MODES["native_without_onednn"]
    set_switches(one.modes)
    for direction in DIRECTIONS:
        case = replace(CASE, operation=operation, dtype=dtype, direction=direction, batch=3)
        assert why_device_lacks(case, "cpu") is None
        accuracy = prove(one, Proof.of(case, device="cpu", seed=0), thorough=True)
        assert not accuracy.faults
        assert {*accuracy.layouts.values()} == {"right"}


def test_pytorch_s_own_gradients_are_rounded_more_often_where_onednn_is_off() -> None:
    case = replace(CASE, dtype="bfloat16")
    set_switches({"onednn_enabled": False})
    assert IN_MODES["native_without_onednn"].roundings(case, "grad_input", "cpu") == 1 + 9


def test_a_process_without_the_mode_refuses_to_measure_it() -> None:
    engine = Engine("cpu", METHOD, load_table())
    record = engine.measure(Measure(WITHOUT, 1))
    assert (record.outcome, record.detail, record.timings) == ("unsupported", ASKED, ())
    assert engine.support(AskSupport((WITHOUT,))).reasons == (ASKED,)


def test_before_a_run_that_is_no_reason_and_others_still_are() -> None:
    engine = Engine("cpu", METHOD, load_table())
    benchmark = Job(case_id(CASE), "native_benchmark")
    reasons = engine.support(AskSupport((WITHOUT, benchmark), modes_apart=True)).reasons
    assert reasons == (None, "cudnn_benchmark is a setting of CUDA devices")


@pytest.mark.parametrize("is_off", [False, True])
def test_a_process_that_was_set_up_for_it_measures_it(*, is_off: bool) -> None:
    switches = {"onednn_enabled": not is_off, "cudnn_benchmark": True}
    engine = Engine("cpu", METHOD, load_table(), switches=switches)
    record = engine.measure(Measure(WITHOUT, 1))
    assert (record.outcome == "measured") == is_off, record.detail
    if is_off:
        assert record.dispatch is not None
        assert not [one for one in record.dispatch.operators if "mkldnn" in one]


def test_settings_are_what_an_implementation_adds_to_those_of_its_inner_one() -> None:
    one = InMode(Native(), "careful", {"cudnn_deterministic": True, "cudnn_benchmark": False})
    assert one.name == "native_careful"
    assert one.idea == (
        "native with cudnn_deterministic=true, cudnn_benchmark=false, in processes of its own"
    )


def described(name: str, modes: dict[str, bool | str] | None = None) -> Description:
    return Description(name, "", ("conv",), "built in", modes=modes or {})


def test_a_plan_has_the_modes_of_what_was_chosen() -> None:
    known = [described("a"), described("b", {"onednn_enabled": False}), described("c")]
    assert modes_of(("a", "b"), known) == {"b": {"onednn_enabled": False}}
    assert modes_of(("a", "c"), known) == {}


OFF: dict[str, bool | str] = {"onednn_enabled": False}
FAST: dict[str, bool | str] = {"cudnn_benchmark": True, "cudnn_deterministic": True}
CASES = [replace(SMALL, batch=batch) for batch in (1, 2, 3)]


def plan_with_modes(**changes: Any) -> Plan:
    names = ("native", "off", "fast", "split_concat")
    plan = make_plan(CASES, implementations=names, rounds=changes.pop("rounds", 2))
    return replace(plan, modes={"off": OFF, "fast": FAST}, twins=("off",), **changes)


def test_a_round_keeps_its_order_within_what_one_process_measures() -> None:
    plan = plan_with_modes()
    order = round_order(plan, seed=3, number=1)
    groups = by_modes(plan, order)
    assert {modes: {job.implementation for job in jobs} for modes, jobs in groups.items()} == {
        (): {"native", "split_concat"},
        tuple(OFF.items()): {"off"},
        tuple(sorted(FAST.items())): {"fast"},
    }
    for jobs in groups.values():
        assert jobs == [job for job in order if job in jobs]
    assert len(groups[tuple(OFF.items())]) == 6  # the twins, too
    assert sorted(map(str, sum(groups.values(), []))) == sorted(map(str, jobs_of(plan)))  # noqa: RUF017


def test_modes_in_another_order_are_the_same_process() -> None:
    plan = make_plan(implementations=("a", "b"))
    modes = {"a": FAST, "b": dict(reversed(FAST.items()))}
    assert len(by_modes(replace(plan, modes=modes), jobs_of(plan))) == 1


class Worker:
    """Measures at once; all of them write down what they do."""

    def __init__(self, log: list[Any], modes: Mapping[str, bool | str]) -> None:
        self.log = log
        self.modes = modes
        self.is_closed = False
        identity = {"onednn_enabled": True, "cudnn_benchmark": False, "cudnn_deterministic": False}
        environment = Environment(identity=identity | dict(modes), under_test={}, soft={})
        self.ready = Ready(environment, MACHINE, ())

    def measure(self, job: Job, number: int, *, timeout_s: float) -> Record:
        assert not self.is_closed
        self.log.append((self, job, number))
        return make_record(job.implementation, case=job.case, number=number, job=job)

    def close(self, *, kill: bool = False) -> None:
        self.is_closed = True


class Silent:
    """Watches."""

    def job_started(self, job: Job, number: int) -> None:
        """Nothing."""

    def job_done(self, record: Record) -> None:
        """Nothing."""

    def kernels_seen(self, line: KernelLine) -> None:
        """Nothing."""


class Started:
    """What was started and done in a run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, faulty: bool = False) -> None:
        self.log: list[tuple[Worker, Job, int]] = []
        self.first = Worker(self.log, {})
        self.workers = [self.first]

        def start(_device: str, _method: object, _side: object, modes: Any) -> Worker:
            assert self.workers[-1].is_closed  # one at a time
            self.workers.append(Worker(self.log, {} if faulty else modes))
            return self.workers[-1]

        monkeypatch.setattr(sys.modules["gconvbench.runner.workers"], "WorkerProcess", start)

    def carry_out(self, folder: Path, header: Header) -> None:
        writer = RunWriter.create(folder, header)
        self.go_on(writer)

    def go_on(self, writer: RunWriter) -> None:
        first: Any = self.first
        execute(load_run(writer.path), writer, Silent(), worker=first, timeout_s=1.0)

    def header(self, plan: Plan, **changes: Any) -> Header:
        return make_header(plan, environment=self.first.ready.environment, **changes)


def test_each_round_has_a_fresh_worker_per_mode_and_the_given_one_serves_the_plain_jobs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run, plan = Started(monkeypatch), plan_with_modes(rounds=3)
    run.carry_out(tmp_path, run.header(plan))
    assert len(run.workers) == 3 * 3
    for worker, job, _ in run.log:
        assert worker.modes == plan.modes.get(job.implementation, {})
    for worker in run.workers:
        (number,) = {number for one, _, number in run.log if one is worker}
        jobs = [job for one, job, _ in run.log if one is worker]
        assert jobs == [job for job in round_order(plan, seed=0, number=number) if job in jobs]
    assert run.log[0][0] is run.first
    assert len({(job, number) for _, job, number in run.log}) == len(run.log) == 3 * 15


def test_in_later_rounds_the_order_of_the_processes_is_left_to_chance(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = Started(monkeypatch)
    run.carry_out(tmp_path, run.header(plan_with_modes(rounds=8)))
    orders = {
        tuple(len(worker.modes) for worker in run.workers[3 * number : 3 * number + 3])
        for number in range(8)
    }
    assert len(orders) > 2


def test_where_all_have_modes_the_given_worker_is_not_kept_waiting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = Started(monkeypatch)
    plan = replace(make_plan(implementations=("off",), rounds=2), modes={"off": OFF})
    run.carry_out(tmp_path, run.header(plan))
    assert [worker.modes for worker in run.workers] == [{}, OFF, OFF]


def test_a_resumed_run_starts_only_what_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run, plan = Started(monkeypatch), plan_with_modes(rounds=1)
    writer = RunWriter.create(tmp_path, run.header(plan))
    for job in jobs_of(plan):
        if job.implementation != "off":
            writer.append(make_record(job.implementation, job=job))
    run.go_on(writer)
    assert [worker.modes for worker in run.workers] == [{}, OFF]
    assert {job.implementation for _, job, _ in run.log} == {"off"}


def test_a_worker_that_lacks_its_mode_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = Started(monkeypatch, faulty=True)
    with pytest.raises(Exception, match="in a worker that was set up with"):
        run.carry_out(tmp_path, run.header(plan_with_modes()))
    assert {worker.modes == {} for worker, _, _ in run.log} == {True}


def test_a_mode_excuses_its_own_fields_only() -> None:
    before = Environment(identity={"onednn_enabled": True, "threads": 1}, under_test={}, soft={})

    def after(**identity: int) -> Ready:
        return Ready(Environment(identity={**identity}, under_test={}, soft={}), MACHINE, ())

    ready = after(onednn_enabled=False, threads=1)
    assert why_other_environment(before, ready, OFF) is None
    assert why_other_environment(before, ready) == (
        "identity field 'onednn_enabled' is False now, the run began with True; start a new run"
    )
    other = after(onednn_enabled=False, threads=2)
    assert why_other_environment(before, other, OFF) == (
        "identity field 'threads' is 2 now, the run began with 1; start a new run"
    )
    assert why_other_environment(before, after(onednn_enabled=True, threads=1), OFF) == (
        "onednn_enabled is True in a worker that was set up with False"
    )


def test_a_budget_counts_the_starts_of_all_processes() -> None:
    """Of three cases that take 5 s each the second round has as many as fit beside 3 starts."""
    now_s = 100.0
    header = make_header(plan_with_modes(rounds=5), start_s=2.0)
    first_s = 3 * 2.0 + 15.0
    method = replace(header.method, budget_s=first_s + 3 * 2.0 + 12.0)
    schedule = WithinBudget(replace(header, method=method), [], now=lambda: now_s)
    assert len(schedule.round(1)) == 15
    for job in schedule.round(1):
        record = make_record(job.implementation, job=job)
        telemetry = make_telemetry(1.0)
        schedule.add(replace(record, telemetry=telemetry, waited_s=1.0))
    now_s += first_s - 2.0  # the first of these starts was before the schedule began
    assert len({job.case for job in schedule.round(2)}) == 2


def test_an_estimate_counts_the_starts_of_all_processes(tmp_path: Path) -> None:
    plan = plan_with_modes(rounds=2)
    jobs = jobs_of(plan)

    def seconds(supported: tuple[Job, ...]) -> float:
        return estimate_duration(
            plan, supported, results=tmp_path, machine=MACHINE, method=METHOD
        ).seconds

    assert seconds(jobs) == pytest.approx(2 * (15 * 0.2 + 3 * 3.0))
    plain = tuple(job for job in jobs if job.implementation not in plan.modes)
    assert seconds(plain) == pytest.approx(2 * (6 * 0.2 + 3.0))
    assert seconds(()) == pytest.approx(2 * 3.0)


def test_runs_in_which_a_name_meant_other_settings_are_not_comparable() -> None:
    plans = [
        Plan(
            cases=(), implementations=("native", "tuned"), rounds=1,
            modes={"tuned": {"cudnn_benchmark": is_on}},
        )
        for is_on in (True, False)
    ]  # fmt: skip
    (found,) = other_modes(*plans)
    assert found.kind == "other_settings"
    assert found.detail.startswith("tuned was measured with {'cudnn_benchmark': True}")
    assert other_modes(plans[0], plans[0]) == ()
