"""A run in fresh worker processes for who only wants its result: a notebook, an explanation."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gconvbench.runner.begin import begin_run
from gconvbench.runner.execute import execute
from gconvbench.runner.process import WorkerProcess
from gconvbench.store import load_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gconvbench.protocol import Description
    from gconvbench.records import Job, KernelLine, Method, Plan, Record
    from gconvbench.runner.execute import Observer
    from gconvbench.store import Run

__all__ = ["Silent", "results_folder", "run_apart"]


def run_apart(  # noqa: PLR0913 (a run is made of these)
    device: str,
    method: Method,
    plan_of: Callable[[Sequence[Description]], Plan],
    results: Path,
    *,
    timeout_s: float,
    observer: Observer | None = None,
) -> Run:
    """Rounds of fresh workers, as `gconvbench run` has them; the caller holds the device's lock.

    Args:
        device: where to measure.
        method: how to measure.
        plan_of: the plan, once it is known which implementations there are.
        results: where to store the run.
        timeout_s: the most that one job may take, in seconds.
        observer: hears of it; by default nobody.

    Raises:
        UsageError: the device cannot be used, or nothing of the plan can be done.
        NotMeasuredError: a worker or a record was lost for good.
    """
    with WorkerProcess(device, method) as worker:
        plan = plan_of(worker.ready.implementations)
        writer = begin_run(results, plan, method, device, worker=worker)
        stored = load_run(writer.path)
        execute(stored, writer, observer or Silent(), worker=worker, timeout_s=timeout_s)
    return load_run(writer.path)


@contextlib.contextmanager
def results_folder(asked: str | Path | None = None) -> Iterator[Path]:
    """Where to store: as asked for, or where it is gone afterwards."""
    if asked is not None:
        yield Path(asked)
        return
    with tempfile.TemporaryDirectory(prefix="gconvbench-") as name:
        yield Path(name)


class Silent:
    """Watches a run and says nothing."""

    def job_started(self, job: Job, number: int) -> None:
        """Nothing."""

    def job_done(self, record: Record) -> None:
        """Nothing."""

    def kernels_seen(self, line: KernelLine) -> None:
        """Nothing."""
