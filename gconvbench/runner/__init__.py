"""Plans runs and drives workers, from a process that never imports torch."""

from gconvbench.runner.apart import results_folder, run_apart
from gconvbench.runner.begin import begin_run, make_header, name_at, unsupported_records
from gconvbench.runner.connection import WorkerLostError
from gconvbench.runner.doctor import examination_of, examine_fully
from gconvbench.runner.estimate import Duration, estimate_duration
from gconvbench.runner.execute import Observer, execute
from gconvbench.runner.lock import device_lock
from gconvbench.runner.order import jobs_of, round_order
from gconvbench.runner.process import WorkerProcess
from gconvbench.runner.schedule import FEWEST_ROUNDS, open_jobs, spent_s

__all__ = [
    "FEWEST_ROUNDS",
    "Duration",
    "Observer",
    "WorkerLostError",
    "WorkerProcess",
    "begin_run",
    "device_lock",
    "estimate_duration",
    "examination_of",
    "examine_fully",
    "execute",
    "jobs_of",
    "make_header",
    "name_at",
    "open_jobs",
    "results_folder",
    "round_order",
    "run_apart",
    "spent_s",
    "unsupported_records",
]
