"""What groups mean in a layer, a network or a checkpoint: in words and as a picture."""

from gconvbench.report.explanation.file import file_lines
from gconvbench.report.explanation.layer import LayerExplained
from gconvbench.report.explanation.network import network_lines
from gconvbench.report.explanation.seen import is_wrong
from gconvbench.report.explanation.text import layer_lines, origin_line, short_lines, wrapped
from gconvbench.report.explanation.times import layer_times, times_plan

__all__ = [
    "LayerExplained",
    "file_lines",
    "is_wrong",
    "layer_lines",
    "layer_times",
    "network_lines",
    "origin_line",
    "short_lines",
    "times_plan",
    "wrapped",
]
