"""Benchmarking and regression-testing grouped 2-D convolution in PyTorch on a single GPU."""

__version__ = "0.1.0"
__all__ = ["__version__"]
