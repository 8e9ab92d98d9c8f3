"""`gconvbench explain`: a layer, a network, or a checkpoint."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from gconvbench import workloads
from gconvbench.cases import NamedCase, case_id, parse_case
from gconvbench.cli.output import tolerate_closed_pipe
from gconvbench.cli.run import stoppable
from gconvbench.cli.selection import select
from gconvbench.errors import ExitCode, UsageError, worst
from gconvbench.grouped_times import grouped_times
from gconvbench.planning import default_device, make_method, refuse_device
from gconvbench.report.explanation import (
    file_lines,
    is_wrong,
    layer_lines,
    network_lines,
    origin_line,
    short_lines,
    wrapped,
)
from gconvbench.runner import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gconvbench.records import Explanation, Method

__all__ = ["Asked", "start"]

_FORUM = "forum"
_HINT = "--time measures it here"
_QUESTION = (
    "Conv2d with groups=2 on one GPU: is half of the information lost, and what does it cost? "
    "First the layer that the question itself tries, then its network's conv2."
)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the options say.

    Attributes:
        ids: case ids.
        axes: as of `run`.
        model: a network's name.
        state_dict: a checkpoint.
        groups: `weight=number` of the checkpoint.
        device: where; with commas for several.
        threads: of the CPU.
        seed: of operands and order.
        rounds: of times; None where none are wanted.
        timeout_s: the most that one timed job may take, in seconds.
        json: documents instead of text.
    """

    ids: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()
    model: str | None = None
    state_dict: Path | None = None
    groups: tuple[str, ...] = ()
    device: str | None = None
    threads: int = 1
    seed: int = 0
    rounds: int | None = None
    timeout_s: float = 600.0
    json: bool = False


@stoppable
def start(asked: Asked) -> ExitCode:
    """Explain what was asked for; returns the exit code.

    Raises:
        UsageError: options that contradict each other, or something that does not exist.
    """
    _refuse_contradictions(asked)
    if asked.state_dict is not None:
        return _explain_file(asked, asked.state_dict)
    if asked.model is not None:
        return _explain_network(asked, asked.model)
    cases, devices = _cases(asked)
    return worst(_explain_cases(asked, cases, device) for device in devices)


def _refuse_contradictions(asked: Asked) -> None:
    given = {
        "--state-dict": asked.state_dict is not None,
        "--model": asked.model is not None,
        "--case and -a": bool(asked.ids or asked.axes),
    }
    if len(named := [name for name, is_given in given.items() if is_given]) > 1:
        message = f"{named[0]} and {named[1]} each name layers; give one of them"
        raise UsageError(message)
    if asked.groups and asked.state_dict is None:
        message = "--groups is about a file's weights; add --state-dict FILE, or -a groups=..."
        raise UsageError(message)
    if asked.rounds is not None and asked.state_dict is not None:
        message = "--time needs an input's size, which a file does not tell; time --case ID instead"
        raise UsageError(message)


def _cases(asked: Asked) -> tuple[Sequence[NamedCase], Sequence[str]]:
    if not asked.ids and not asked.axes:
        return [NamedCase(workloads.FORUM_EXAMPLE)], [_one_device(asked)]
    selection = select(ids=asked.ids, axes=asked.axes, device=asked.device)
    for item in selection.expansion.excluded:
        _note(f"left out {item.combination}: {item.reason}")
    return selection.expansion.cases, selection.devices or (default_device(),)


def _one_device(asked: Asked) -> str:
    name = asked.device or default_device()
    refuse_device(name)
    return name


def _method(asked: Asked, device: str) -> Method:
    return make_method(device, threads=asked.threads, seed=asked.seed)


def _explain_cases(asked: Asked, cases: Sequence[NamedCase], device: str) -> ExitCode:
    method, found = _method(asked, device), []
    with WorkerProcess(device, method) as worker:
        for i, one in enumerate(cases):
            seen = worker.explain(case_id(one.case), one.name)
            seen = _with_times(seen, device, method, asked)
            found.append(seen)
            _show(asked, [seen], ["", *layer_lines(seen, _HINT)] if i else layer_lines(seen, _HINT))
    _show(asked, (), wrapped(origin_line(found[0])))
    return _code(found)


def _explain_network(asked: Asked, name: str) -> ExitCode:
    """One layer in full, all grouped ones in a table; of the forum's its own example first."""
    network, device = workloads.network(name), _one_device(asked)
    method, found = _method(asked, device), []
    with WorkerProcess(device, method) as worker:
        if network.name == _FORUM:
            example = worker.explain(case_id(workloads.FORUM_EXAMPLE), "the question's own layer")
            found.append(example)
            _show(asked, [example], [*wrapped(_QUESTION), "", *short_lines(example)])
        layers = [worker.explain(case_id(one.case), one.name) for one in network.grouped]
        at = network.grouped.index(network.example)
        shown = layers[at] = _with_times(layers[at], device, method, asked)
    named = replace(shown, name=f"{network.name}/{shown.name}")
    hint = f"{_HINT}; gconvbench run --sweep {name} all layers" if network.is_whole else _HINT
    lines = [*layer_lines(named, hint), "", *network_lines(network, layers)]
    _show(asked, layers, lines)
    _show(asked, (), wrapped(origin_line(shown)))
    return _code([*found, *layers])


def _explain_file(asked: Asked, path: Path) -> ExitCode:
    device, groups = _one_device(asked), _groups(asked.groups)
    with WorkerProcess(device, _method(asked, device)) as worker:
        file = worker.explain_file(str(path), groups)
    seen = [one.explanation for one in file.layers if one.explanation is not None]
    lines = file_lines(file)
    _show(asked, file.layers, [*lines, *(wrapped(origin_line(seen[0])) if seen else ())])
    return _code(seen)


def _groups(texts: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        if not name or not number.isascii() or not number.isdecimal() or not int(number):
            message = f"groups {text!r} must be a weight's name and a number: layer1.conv2=32"
            raise UsageError(message)
        if name.strip() in found:
            message = f"groups of {name.strip()!r} are given twice; give them once"
            raise UsageError(message)
        found[name.strip()] = int(number)
    return found


def _with_times(seen: Explanation, device: str, method: Method, asked: Asked) -> Explanation:
    """With times, where they were asked for."""
    if asked.rounds is None:
        return seen
    case, rounds = parse_case(seen.case), asked.rounds
    what = f"{case.groups} groups against 1" if case.groups > 1 else "it"
    _note(f"measuring {what} in {rounds} round(s) of fresh processes, some seconds each")
    times = grouped_times(case, device, method, rounds=rounds, timeout_s=asked.timeout_s)
    return replace(seen, times=times)


def _show(asked: Asked, documents: Iterable[object], lines: Iterable[str]) -> None:
    with tolerate_closed_pipe():
        if asked.json:
            for one in documents:
                print(msgspec.json.encode(one).decode(), flush=True)
        else:
            print("\n".join(lines), flush=True)


def _code(found: Iterable[Explanation]) -> ExitCode:
    return ExitCode.WRONG if any(map(is_wrong, found)) else ExitCode.FINE


def _note(text: str) -> None:
    print(f"gconvbench: {text}", file=sys.stderr)
