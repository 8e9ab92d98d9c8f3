"""A grouped convolution that writes its channels shuffled, in one kernel written in Triton."""

from __future__ import annotations

from gconvbench.implementations.triton_implementation import TritonImplementation

__all__ = ["TritonFusedShuffle"]


class TritonFusedShuffle(TritonImplementation):
    """The kernels of the convolution alone, told other strides: the shuffle is no pass of its own.

    Channel i of group j is written to, and its gradient read from, place i g + j.
    """

    name = "triton_fused_shuffle"
    idea = "own Triton kernels that write their channels shuffled, autotuned"
    operations = ("conv_shuffle",)
