"""The table of ceilings: what a clock found fault with is marked, and the mark explained."""

from __future__ import annotations

import io
from typing import Any

from gconvbench.records import Ceilings, Check, Environment, Examination, RooflineDocument
from gconvbench.report.ceilings import print_ceilings
from gconvbench.report.console import make_console

LONGEST = ("allocator grew", "host_bound")


def lines_of(*checks: Check, budget_s: float | None = None, **changes: Any) -> list[str]:
    """Round figures, made up."""
    examination = Examination(created="2025-01-01", scope="quick", checks=checks)
    ceilings = Ceilings(
        created="2025-01-01", bytes_per_s=1.0e12,
        flops_per_s={"float16": 512.5e12, "float32:tf32": 128.5e12},
        launch_s=4e-6, replay_s=2e-6,
        sizes={"copy_bytes": 1 << 30, "float16": 8192, "float32:tf32": 16384},
        work={"float16": "product", "float32:tf32": "transposed product"},
        **changes,
    )  # fmt: skip
    document = RooflineDocument(
        name="20250101T000000Z-abc", created="2025-01-01", device="cuda", machine="card",
        environment=Environment(identity={}, under_test={}, soft={}), ceilings=ceilings,
        examination=examination, budget_s=budget_s,
    )  # fmt: skip
    text = io.StringIO()
    print_ceilings(document, make_console(text))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    return lines


def test_without_labels_nothing_is_said_of_them() -> None:
    assert "host" not in "\n".join(lines_of()).replace("as called", "")
    assert len(lines_of(labels={"copy": LONGEST})) > len(lines_of())


def test_each_label_stands_below_its_rate_and_is_explained_once() -> None:
    lines = lines_of(labels={"copy": ("host_bound",), "float32:tf32": LONGEST, "replay": LONGEST})
    after = {
        start: lines[i + 1].strip()
        for i, line in enumerate(lines)
        for start in ("bandwidth", "2.0 µs in a replayed", "float16", "float32:tf32")
        if line.strip().startswith(start)
    }
    assert after["bandwidth"] == "host_bound"
    assert after["2.0 µs in a replayed"] == "allocator grew, host_bound"
    assert after["float32:tf32"] == "allocator grew, host_bound"
    assert after["float16"].startswith("float32:tf32")
    text = " ".join(lines)
    assert text.count("host_bound: the device waited for the host") == 1
    assert text.count("allocator grew: memory was taken from the device") == 1
    assert "What is so marked was measured too slow: measure again." in text


def test_conditions_that_make_ceilings_too_low_are_said() -> None:
    busy = Check(name="contention", state="unfit", found="no core for 56 % of the time")
    text = " ".join(lines_of(busy, budget_s=0.5))
    assert "searched for about 0.5 s" in text
    assert "the instrument was not fit: contention: no core for 56 % of the time" in text
    assert "not fit" not in " ".join(lines_of(budget_s=20.0))
