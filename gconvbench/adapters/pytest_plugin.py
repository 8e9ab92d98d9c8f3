"""The pytest plugin: a fixture whose times come from our engine, and a gate. Imports no torch.

Loaded by its entry point in every pytest where gconvbench is installed, so it imports nothing of it
before a test asks for the fixture, and is silent where pytest-benchmark is missing.

    def test_my_layer(gconv_benchmark):
        gconv_benchmark(torch.nn.Conv2d(96, 192, 3, groups=2), input_shape=(8, 96, 27, 27))

pytest-benchmark's own options, tables and files work as ever; see
`pytest_fixture.GconvBenchmark`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gconvbench.adapters.pytest_fixture import GconvBenchmark
    from gconvbench.adapters.pytest_state import State
    from gconvbench.records import Comparison

__all__ = ["FIXTURE", "GATE_EXIT_CODE", "gconv_benchmark"]

FIXTURE = "gconv_benchmark"
GATE_EXIT_CODE = 10
"""Beyond pytest's own, which end with 6."""

_state: pytest.StashKey[State] = pytest.StashKey()
_found: pytest.StashKey[Comparison | str] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of ours; all others are pytest-benchmark's."""
    group = parser.getgroup("gconvbench", "grouped convolutions, timed by gconvbench")
    group.addoption(
        "--gconvbench-processes",
        type=_count,
        default=3,
        metavar="N",
        help="Fresh processes behind each time of a built-in implementation. Default: %(default)s",
    )
    group.addoption(
        "--gconvbench-gate",
        nargs="?",
        const="",
        metavar="COMMIT",
        help="After the tests, measure them on both sides in fresh processes and say what is "
        "slower than at COMMIT, by default where this branch left the main one, or the commit "
        f"before; exit code {GATE_EXIT_CODE} where the gate does not pass.",
    )
    group.addoption("--gconvbench-notes", metavar="FILE", help="For a gate's own processes.")


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100:  # noqa: PLR2004 (more would not start)
        message = f"--gconvbench-processes {text!r} must be a whole number from 1 to 100"
        raise pytest.UsageError(message)
    return int(text)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Before pytest-benchmark: a gate's own processes neither store nor compare."""
    if config.getoption("--gconvbench-notes"):
        for name in ("save", "autosave", "json", "compare_fail"):
            setattr(config.option, f"benchmark_{name}", None)
        for name in ("compare", "histogram", "cprofile_dump"):
            setattr(config.option, f"benchmark_{name}", [])


def pytest_sessionstart(session: pytest.Session) -> None:
    """A gate that cannot be held is refused before anything is measured.

    Raises:
        pytest.UsageError: no repository, no such commit, or nothing to compare with it.
    """
    if _gates(session.config):
        from gconvbench.adapters.pytest_gate import why_no_gate  # noqa: PLC0415

        if reason := why_no_gate(session.config):
            message = f"--gconvbench-gate: {reason}"
            raise pytest.UsageError(message)


def _gates(config: pytest.Config) -> bool:
    """Whether this process is to hold a gate: xdist's workers are not, nor is a mere collection."""
    is_asked = config.getoption("--gconvbench-gate") is not None
    return is_asked and not hasattr(config, "workerinput") and not config.option.collectonly


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give tests with our fixture its clock, with whatever else their marker says."""
    ours = [item for item in items if FIXTURE in getattr(item, "fixturenames", ())]
    for item in ours:
        marker = item.get_closest_marker("benchmark")
        given = dict(marker.kwargs) if marker else {}
        from gconvbench.adapters.replay import replayed_clock  # noqa: PLC0415 (not before)

        clock = pytest.mark.benchmark(**(given | {"timer": replayed_clock}))
        item.add_marker(clock, append=False)
    if notes := config.getoption("--gconvbench-notes"):
        from gconvbench.adapters.notes import asked_for  # noqa: PLC0415

        wanted = asked_for(notes)
        kept = [item for item in ours if wanted is None or item.nodeid in wanted]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def pytest_collection_finish(session: pytest.Session) -> None:
    """A gate's process says what it is about to run."""
    if notes := session.config.getoption("--gconvbench-notes"):
        from gconvbench.adapters.notes import Notes  # noqa: PLC0415

        Notes(notes).collected(tuple(item.nodeid for item in session.items))


@pytest.fixture
def gconv_benchmark(request: pytest.FixtureRequest, benchmark: Any) -> GconvBenchmark:  # noqa: ANN401
    """Proves and times grouped convolutions, and times any callable, by gconvbench's engine.

    See `gconvbench.adapters.pytest_fixture.GconvBenchmark` for its arguments.
    """
    from gconvbench.adapters.pytest_fixture import GconvBenchmark  # noqa: PLC0415
    from gconvbench.adapters.pytest_state import State  # noqa: PLC0415

    def state_of() -> State:
        stash = request.config.stash
        if _state not in stash:
            stash[_state] = State.of(request.config)
        return stash[_state]

    return GconvBenchmark(state_of, benchmark, request.node.nodeid)


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_benchmark_generate_machine_info(config: pytest.Config) -> dict[str, Any] | None:
    """The fingerprint, in a session that used the fixture."""
    state = config.stash.get(_state, None)
    return state.machine_info() if state else None


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_benchmark_compare_machine_info(
    machine_info: dict[str, Any], compared_benchmark: dict[str, Any]
) -> None:
    """Refuse times of another device, with the reason.

    A file that another program wrote is left to pytest-benchmark. pytest-benchmark asks before it
    has collected a test; what ours would say afterwards takes the place of what it has.

    Raises:
        pytest.UsageError: the machines or their settings differ.
    """
    theirs = compared_benchmark.get("machine_info", {})
    if not isinstance(theirs, dict) or "gconvbench" not in theirs:
        return
    from gconvbench.adapters.pytest_state import this_machine_info, why_other_machine  # noqa: PLC0415

    ours = this_machine_info()
    if reason := why_other_machine(theirs["gconvbench"], ours["gconvbench"]):
        raise pytest.UsageError(reason)
    machine_info.clear()
    machine_info.update(ours)


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Add the run, for `gconvbench import pytest-benchmark`."""
    if state := config.stash.get(_state, None):
        output_json["gconvbench"] = state.carried(output_json)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Iterator[None]:
    """After everything else: end the workers, then gate."""
    try:
        yield
    finally:
        if state := session.config.stash.get(_state, None):
            state.close()
    if not _gates(session.config) or exitstatus not in {0, 1}:
        return
    from gconvbench.adapters.pytest_gate import gate  # noqa: PLC0415

    found, passes = gate(session.config)
    session.config.stash[_found] = found
    if not passes and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = GATE_EXIT_CODE


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """What the gate found, after pytest-benchmark's tables."""
    if found := config.stash.get(_found, None):
        from gconvbench.adapters.pytest_gate import lines_of  # noqa: PLC0415

        terminalreporter.section("gconvbench gate")
        for line in lines_of(found, GATE_EXIT_CODE):
            terminalreporter.write_line(line)
