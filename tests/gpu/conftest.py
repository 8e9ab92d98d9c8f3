"""Parts of the tests on a card, for several processes at a time: `SHARD=2/8` is one of eight."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep every so manieth test, so that long ones of one module are dealt out.

    Those that profile come last: launches may be slower after them.
    """
    items.sort(key=lambda one: "profiler" in one.name or "kernels_are" in one.name)
    number, slash, count = os.environ.get("SHARD", "").partition("/")
    if slash:
        kept = items[int(number) :: int(count)]
        config.hook.pytest_deselected(items=[one for one in items if one not in kept])
        items[:] = kept
