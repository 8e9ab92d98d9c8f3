"""The grouped convolution and its gradients as implicit GEMMs written in Triton."""

from __future__ import annotations

from gconvbench.implementations.triton_implementation import TritonImplementation

__all__ = ["TritonImplicitGemm"]


class TritonImplicitGemm(TritonImplementation):
    """The kernels on their own."""

    name = "triton_implicit_gemm"
    idea = "own Triton kernels: tiles of pixels times channels per group, autotuned"
