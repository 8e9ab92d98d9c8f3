"""`Sweep`: the product of axes minus named exclusions, written as TOML or on the command line.

A sweep file:

    description = "one line"
    network = "resnext50"        # optional; the blocks are this network's layers
    device = ["cpu", "cuda:0"]   # optional; one run on each

    [[block]]                    # a block is a product; a sweep is the union of its blocks
    name = "conv2"               # optional; a layer's name
    count = 4                    # optional; how often the layer occurs in its network
    groups = [1, 2]              # every other key is an axis
    channels = "64..256:x2"

    [[exclude]]
    reason = "why"               # every case matching all the other keys is left out, by name
    groups = 64
"""

from __future__ import annotations

import itertools
import math
import tomllib
from typing import TYPE_CHECKING, Any

import msgspec

from gconvbench.cases.axes import SAME_PADDING, Axis, Value, axis_named, parse_values, settings
from gconvbench.cases.case import Case
from gconvbench.cases.descriptor import case_id
from gconvbench.errors import UsageError, refused_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Block", "Excluded", "Exclusion", "Expansion", "NamedCase", "Sweep", "parse_sweep"]

_MOST_CASES = 100_000


class Block(msgspec.Struct, frozen=True):
    """A product of axes; `axes` maps names to values."""

    axes: dict[str, tuple[Value, ...]] = {}
    name: str = ""
    count: int = 1


class Exclusion(msgspec.Struct, frozen=True):
    """Cases left out on purpose: all that match every axis of `where`."""

    reason: str
    where: dict[str, tuple[Value, ...]]


class NamedCase(msgspec.Struct, frozen=True):
    """A case of a sweep with its layer's name (`forum/conv2`) and occurrence count."""

    case: Case
    name: str = ""
    count: int = 1


class Excluded(msgspec.Struct, frozen=True):
    """A combination that does not run, and why."""

    combination: str
    reason: str


class Expansion(msgspec.Struct, frozen=True):
    """What a sweep amounts to: nothing is dropped silently."""

    cases: tuple[NamedCase, ...] = ()
    excluded: tuple[Excluded, ...] = ()


class Sweep(msgspec.Struct, frozen=True):
    """Blocks and exclusions.

    Attributes:
        name: as given on the command line.
        description: one line.
        network: where the blocks are the layers of a network, its name.
        blocks: the products whose union this is.
        exclusions: what to leave out of them.
        devices: empty where the sweep leaves the device open.
    """

    name: str = ""
    description: str = ""
    network: str = ""
    blocks: tuple[Block, ...] = (Block(),)
    exclusions: tuple[Exclusion, ...] = ()
    devices: tuple[str, ...] = ()

    def override(self, axis: Axis, values: tuple[Value, ...]) -> Sweep:
        """The same sweep with `axis` replaced in every block, whatever axes set its fields."""
        blocks = tuple(_override(block, axis, values) for block in self.blocks)
        return msgspec.structs.replace(self, blocks=blocks)

    def expand(self) -> Expansion:
        """Every case of the sweep once, and every combination that is left out.

        Raises:
            UsageError: more combinations than could ever be run.
        """
        size = sum(math.prod(len(v) for v in block.axes.values()) for block in self.blocks)
        if size > _MOST_CASES:
            message = f"the sweep has {size} combinations, at most {_MOST_CASES} are allowed; "
            raise UsageError(message + "narrow an axis")
        cases: dict[Case, NamedCase] = {}
        excluded: list[Excluded] = []
        for block, values in self._combinations():
            outcome = self._one(block, values)
            if isinstance(outcome, Excluded):
                excluded.append(outcome)
            else:
                cases.setdefault(outcome.case, outcome)
        return Expansion(tuple(cases.values()), tuple(excluded))

    def _combinations(self) -> Iterator[tuple[Block, dict[str, Value]]]:
        for block in self.blocks:
            for combination in itertools.product(*block.axes.values()):
                yield block, dict(zip(block.axes, combination, strict=True))

    def _one(self, block: Block, values: dict[str, Value]) -> NamedCase | Excluded:
        try:
            case = Case(**settings(values))
        except UsageError as error:
            return Excluded(_spelt(block, values), str(error))
        for exclusion in self.exclusions:
            if _matches(case, exclusion.where):
                return Excluded(case_id(case), exclusion.reason)
        name = f"{self.network}/{block.name}" if self.network and block.name else block.name
        return NamedCase(case, name, block.count)


def parse_sweep(text: str, name: str) -> Sweep:
    """Read a sweep file's text.

    Raises:
        UsageError: not TOML, or a key or value that is not allowed; names the sweep.
    """
    try:
        return _sweep(tomllib.loads(text), name)
    except (ValueError, RecursionError) as error:  # numbers or nesting beyond all measure, too
        message = f"sweep {name!r} is not TOML: {str(error).splitlines()[0]}"
        raise UsageError(message) from None
    except UsageError as error:
        message = f"sweep {name!r}: {error}"
        raise UsageError(message) from None


def _sweep(table: Mapping[str, Any], name: str) -> Sweep:
    allowed = ("description", "network", "device", "block", "exclude")
    for key in table:
        if key not in allowed:
            raise UsageError(refused_name("key", key, allowed))
    for key in ("block", "exclude"):
        if not all(isinstance(item, dict) for item in _listed(table, key)):
            message = f"key {key!r} must be written as [[{key}]] tables"
            raise UsageError(message)
    return Sweep(
        name=name,
        description=str(table.get("description", "")),
        network=str(table.get("network", "")),
        blocks=tuple(_block(block) for block in _listed(table, "block")) or (Block(),),
        exclusions=tuple(_exclusion(item) for item in _listed(table, "exclude")),
        devices=tuple(str(device) for device in _listed(table, "device")),
    )


def _listed(table: Mapping[str, Any], key: str) -> list[Any]:
    value = table.get(key, [])
    return value if isinstance(value, list) else [value]


def _block(table: Mapping[str, Any]) -> Block:
    count = table.get("count", 1)
    if type(count) is not int or count < 1:
        message = f"count ({count!r}) must be a whole number from 1"
        raise UsageError(message)
    block = Block(name=str(table.get("name", "")), count=count)
    for axis, values in _axes(table, ("name", "count")).items():
        if clash := [name for name in block.axes if set(axis.sets) & set(axis_named(name).sets)]:
            message = f"axes {clash[0]!r} and {axis.name!r} set the same fields; give one of them"
            raise UsageError(message)
        block = _override(block, axis, values)
    return block


def _exclusion(table: Mapping[str, Any]) -> Exclusion:
    if not table.get("reason"):
        message = "an [[exclude]] table needs a reason"
        raise UsageError(message)
    where = _axes(table, ("reason",))
    if composed := [axis.name for axis in where if axis.sets != (axis.name,)]:
        message = f"[[exclude]] takes fields of a case, not the composed axis {composed[0]!r}"
        raise UsageError(message)
    if any(SAME_PADDING in values for values in where.values()):
        message = f"[[exclude]] takes padding as numbers, not {SAME_PADDING!r}"
        raise UsageError(message)
    return Exclusion(str(table["reason"]), {axis.name: values for axis, values in where.items()})


def _axes(table: Mapping[str, Any], other: tuple[str, ...]) -> dict[Axis, tuple[Value, ...]]:
    if "device" in table:
        message = "device belongs to the whole sweep; write it above the first block"
        raise UsageError(message)
    named = [(axis_named(key), raw) for key, raw in table.items() if key not in other]
    axes: dict[Axis, tuple[Value, ...]] = {}
    for axis, raw in named:
        if axis in axes:
            message = f"axis {axis.name!r} is given twice, under two names; give it once"
            raise UsageError(message)
        axes[axis] = parse_values(axis, raw)
    return axes


def _override(block: Block, axis: Axis, values: tuple[Value, ...]) -> Block:
    kept = {
        name: old
        for name, old in block.axes.items()
        if name == axis.name or not set(axis_named(name).sets) & set(axis.sets)
    }
    return msgspec.structs.replace(block, axes=kept | {axis.name: values})


def _matches(case: Case, where: Mapping[str, tuple[Value, ...]]) -> bool:
    return all(getattr(case, field) in values for field, values in where.items())


def _spelt(block: Block, values: Mapping[str, Value]) -> str:
    words = [f"{name}={_spell(value)}" for name, value in values.items()]
    return " ".join([*([block.name] if block.name else []), *words])


def _spell(value: Value) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()
