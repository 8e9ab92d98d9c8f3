"""Change points and drifts in histories: one value per run, runs in order.

Works without the rest: `find_changes` takes the logarithms of any positive figure, one per run,
and `group_changes` brings the changes of many series together by commit range.
"""

from gconvbench.history.across import step_across
from gconvbench.history.asv_results import asv_history
from gconvbench.history.changes import FEWEST_RUNS, ChangePoint, Drift, Findings, find_changes
from gconvbench.history.events import Event, group_changes
from gconvbench.history.judged import (
    Judged,
    changed_between,
    dispatch_changed,
    judge_history,
)
from gconvbench.history.series import (
    History,
    HistoryRun,
    Key,
    Series,
    collect_series,
    logs_of,
)

__all__ = [
    "FEWEST_RUNS",
    "ChangePoint",
    "Drift",
    "Event",
    "Findings",
    "History",
    "HistoryRun",
    "Judged",
    "Key",
    "Series",
    "asv_history",
    "changed_between",
    "collect_series",
    "dispatch_changed",
    "find_changes",
    "group_changes",
    "judge_history",
    "logs_of",
    "step_across",
]
