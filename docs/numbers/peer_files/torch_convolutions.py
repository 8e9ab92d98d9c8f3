"""The convolutions by torch.utils.benchmark, each to the half-width that standard input asks for.

Of a ladder of shortest run times the first counts whose interval is narrow enough, and only that
call: what it took to find it is not charged.
"""

import json
import sys
import time

from convolutions import launch
from torch.utils.benchmark import Timer

from gconvbench.stats import median_half_width

LADDER_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


def narrow_enough(name: str, target: float) -> tuple[float, float, bool]:
    """Seconds of the call that counts, its half-width, and whether that is at most `target`."""
    timer = Timer("launch()", globals={"launch": launch(name)}, num_threads=1)
    wall_s, half_width = 0.0, float("inf")
    for min_run_time in LADDER_S:
        start = time.perf_counter()
        measurement = timer.blocked_autorange(min_run_time=min_run_time)
        wall_s = time.perf_counter() - start
        width_s = median_half_width(sorted(measurement.times))
        half_width = float("inf") if width_s is None else width_s / measurement.median
        if half_width <= target:
            return wall_s, half_width, True
    return wall_s, half_width, False


if __name__ == "__main__":
    targets: dict[str, float] = json.load(sys.stdin)
    json.dump({name: narrow_enough(name, target) for name, target in targets.items()}, sys.stdout)
