"""What the page's script reads of a case. There are thousands, so they are written as arrays."""

from __future__ import annotations

import msgspec

__all__ = ["FIELDS", "PageCase", "PageRow", "PageTensor", "PageTime"]


class PageTime(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The time of a row in one cache mode.

    Attributes:
        mode: `hot` or `cold`.
        seconds: per launch, over rounds.
        text: the time.
        interval: its interval.
        of_floor: the case's least time over this one; null where no ceilings are known.
        of_floor_text: the same as a share.
        rounds: per round what one unit is, in seconds, and then the samples in whole units.
    """

    mode: str
    seconds: float
    text: str
    interval: str
    of_floor: float | None
    of_floor_text: str
    rounds: tuple[tuple[float, ...], ...]


class PageTensor(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The error of one result, the largest over rounds.

    Attributes:
        tensor: `output`, `grad_input`, ...
        length: the reduction length.
        error: the largest over groups; null where it is not finite.
        limit: what it may be.
        text: the error.
        limit_text: the limit.
        of_limit: the error's share of it.
        exact: the verdict on integers.
    """

    tensor: str
    length: int
    error: float | None
    limit: float
    text: str
    limit_text: str
    of_limit: str
    exact: str


class PageRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """An implementation of a case.

    Attributes:
        implementation: index into the machine's.
        outcome: how it ended, in words.
        detail: the reason, where it was not measured.
        times: by cache mode.
        speedup: native's time over this one's.
        speedup_half_width: of its interval on the log scale.
        speedup_text: the same with the digits that its interval bears.
        speedup_interval: its interval.
        first: of preparing and the first launch.
        memory: peak of a launch.
        flow: what poison showed.
        tensors: errors.
        labels: indices into the machine's.
        operators: of PyTorch, that a launch runs.
        kernels: of libraries behind them, how often and for what share of their time.
        backends: that PyTorch gave the convolutions to.
    """

    implementation: int
    outcome: str
    detail: str
    times: tuple[PageTime, ...]
    speedup: float | None
    speedup_half_width: float | None
    speedup_text: str
    speedup_interval: str
    first: str
    memory: str
    flow: str
    tensors: tuple[PageTensor, ...]
    labels: tuple[int, ...]
    operators: str
    kernels: str
    backends: str


class PageCase(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A case and its rows, fastest first.

    Attributes:
        id: the case id.
        name: of the layer, where it has one.
        text: the case in words.
        run: index into the machine's runs, of which it is shown.
        groups: g.
        per_group: C / g.
        operation: of the case, as are the next ones.
        direction: likewise.
        dtype: likewise, with `tf32` where that is its math mode.
        memory_format: likewise.
        shape: everything else, in words: what cells of one map must have in common.
        flops: per launch.
        min_bytes: that a launch must move at the least.
        least: the least time by its run's ceilings and what bounds it; empty where these are not
            known.
        best: index of the row to use; -1 where nothing was timed.
        how_sure: `clear`, `close` or `one round`; empty where nothing was timed.
        advice: in one line.
        rows: those that are not unsupported.
        unsupported: reason, and the implementations that have it.
        command: that measures it again; empty where another tool did.
    """

    id: str
    name: str
    text: str
    run: int
    groups: int
    per_group: int
    operation: str
    direction: str
    dtype: str
    memory_format: str
    shape: str
    flops: int
    min_bytes: int
    least: str
    best: int
    how_sure: str
    advice: str
    rows: tuple[PageRow, ...]
    unsupported: tuple[tuple[str, str], ...]
    command: str


FIELDS = {
    "case": PageCase.__struct_fields__,
    "row": PageRow.__struct_fields__,
    "time": PageTime.__struct_fields__,
    "tensor": PageTensor.__struct_fields__,
}
"""The names of what is written as arrays."""
