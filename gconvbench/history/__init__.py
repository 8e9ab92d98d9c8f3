"""When did it change? Steps and slow climbs in the history of one case. Imports no torch."""

from gconvbench.history.changes import FEWEST_RUNS, ChangePoint, Drift, Findings, find_changes

__all__ = ["FEWEST_RUNS", "ChangePoint", "Drift", "Findings", "find_changes"]
