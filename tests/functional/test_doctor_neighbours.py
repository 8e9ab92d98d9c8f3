"""`gconvbench doctor` beside real neighbours, which take the cores of whatever else is tested."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.functional.test_doctor import CPU, by_name
from tests.functional.test_labels import busy_neighbour

if TYPE_CHECKING:
    from tests.functional.conftest import Command


def test_busy_neighbours_on_every_core_are_said(gconvbench: Command) -> None:
    with ExitStack() as stack:
        for core in os.sched_getaffinity(0):
            stack.enter_context(busy_neighbour(core))
        done = gconvbench("doctor", *CPU, "--json")
    assert done.code == 3, done.out
    contention = by_name(json.loads(done.out)["examination"])["contention"]
    assert contention["state"] in {"advice", "unfit"}
    assert contention["figures"]["share_away"] > 0.05
    assert "no core for" in contention["found"]
