"""Grouped convolution, per direction."""

from gconvbench.adapters.asv_suite import Suite

_AXES = ("groups=2,8,32", "channels=64,256", "batch=1,8", "dtype=float32,bfloat16", "size=14")


class Fprop(Suite):
    """The forward pass."""

    axes = (*_AXES, "operation=conv", "direction=fprop")
    implementations = ("native", "native_channels_last", "split_concat")
