"""Grouped convolution and a channel shuffle, a benchmark per direction."""

from gconvbench.adapters.asv_suite import Suite

_AXES = (
    "operation=conv_shuffle",
    "groups=2,8,32",
    "channels=64,256",
    "batch=1,8",
    "dtype=float32,bfloat16",
    "size=14",
)
_IMPLEMENTATIONS = ("native_view_shuffle", "native_index_shuffle", "split_interleaved")


class Fprop(Suite):
    """The output."""

    axes = (*_AXES, "direction=fprop")
    implementations = _IMPLEMENTATIONS


class Dgrad(Suite):
    """The gradient of the input."""

    axes = (*_AXES, "direction=dgrad")
    implementations = _IMPLEMENTATIONS


class Wgrad(Suite):
    """The gradient of the weight."""

    axes = (*_AXES, "direction=wgrad")
    implementations = _IMPLEMENTATIONS


class Training(Suite):
    """The output and both gradients."""

    axes = (*_AXES, "direction=training")
    implementations = _IMPLEMENTATIONS
