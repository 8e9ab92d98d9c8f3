"""From options to cases: ids, files of ids, sweeps and axes, and the devices to run on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gconvbench import workloads
from gconvbench.cases import (
    AXES,
    Block,
    Case,
    Expansion,
    NamedCase,
    Sweep,
    parse_axis,
    parse_descriptor,
)
from gconvbench.errors import UsageError
from gconvbench.planning import refuse_device

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gconvbench.cases import Axis, Value

__all__ = ["DEFAULT_SWEEP", "Selection", "select", "together"]

DEFAULT_SWEEP = "quick"


class Selection(msgspec.Struct, frozen=True):
    """What was chosen: cases, what was left out and why, sweeps' names, devices."""

    expansion: Expansion
    sweeps: tuple[str, ...]
    devices: tuple[str, ...]


def select(
    *,
    ids: Sequence[str] = (),
    files: Sequence[Path] = (),
    sweeps: Sequence[str] = (),
    axes: Sequence[str] = (),
    device: str | None = None,
) -> Selection:
    """The union of all that is named, with `axes` replacing values everywhere.

    Nothing named at all means the sweep `quick`; axes alone vary the default case.

    Raises:
        UsageError: something does not parse, or nothing possible is left.
    """
    named = _sweeps(ids, files, sweeps, with_axes=bool(axes))
    overrides, devices = _axes(axes)
    if device:
        devices = _names(device)
    devices = devices or tuple(dict.fromkeys(name for sweep in named for name in sweep.devices))
    for name in devices:
        refuse_device(name)
    for override in overrides:
        named = [sweep.override(*override) for sweep in named]
    expansion = _union([sweep.expand() for sweep in named])
    if not expansion.cases:
        first = f"; the first: {expansion.excluded[0].reason}" if expansion.excluded else ""
        message = f"no possible case is left of {len(expansion.excluded)}{first}"
        raise UsageError(message)
    return Selection(expansion, tuple(sweep.name for sweep in named if sweep.name), devices)


def together(selections: Sequence[Selection]) -> Selection:
    """All that any of them has; of one case, the first one's name."""
    return Selection(
        _union([one.expansion for one in selections]),
        tuple(dict.fromkeys(name for one in selections for name in one.sweeps)),
        tuple(dict.fromkeys(name for one in selections for name in one.devices)),
    )


def _sweeps(
    ids: Sequence[str], files: Sequence[Path], sweeps: Sequence[str], *, with_axes: bool
) -> list[Sweep]:
    lines = [*ids, *(line for file in files for line in _lines(file))]
    found = [workloads.load(name) for name in sweeps]
    if lines:
        found.append(Sweep(blocks=tuple(_block(line) for line in lines)))
    if not found:
        found.append(Sweep() if with_axes else workloads.load(DEFAULT_SWEEP))
    return found


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        message = f"cases file {str(file)!r} cannot be read: {error.strerror}"
        raise UsageError(message) from None
    except UnicodeDecodeError:
        message = f"cases file {str(file)!r} is not UTF-8 text"
        raise UsageError(message) from None
    lines = [line.split("#", 1)[0].strip() for line in text.splitlines()]
    found = [line for line in lines if line]
    if not found:
        message = f"cases file {str(file)!r} names no case; write one id per line"
        raise UsageError(message)
    return found


def _block(text: str) -> Block:
    """A block of one value per axis, so that axes can replace some of them."""
    descriptor = parse_descriptor(text)
    values = msgspec.structs.asdict(descriptor.case)
    axes: dict[str, tuple[Value, ...]] = {name: (values[name],) for name in AXES if name in values}
    return Block(axes, descriptor.name, descriptor.count)


def _axes(
    texts: Sequence[str],
) -> tuple[list[tuple[Axis, tuple[Value, ...]]], tuple[str, ...]]:
    overrides: list[tuple[Axis, tuple[Value, ...]]] = []
    devices: tuple[str, ...] = ()
    for text in texts:
        name, _, values = text.partition("=")
        if name.strip() == "device":
            devices = _names(values)
        else:
            overrides.append(parse_axis(text))
    return overrides, devices


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",")))


def _union(expansions: Sequence[Expansion]) -> Expansion:
    cases: dict[Case, NamedCase] = {}
    for expansion in expansions:
        for named in expansion.cases:
            cases.setdefault(named.case, named)
    excluded = tuple(item for expansion in expansions for item in expansion.excluded)
    return Expansion(tuple(cases.values()), excluded)
