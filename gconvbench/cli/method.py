"""What follows from options, by the names that the command line's modules use."""

from gconvbench.planning import (
    ALL,
    DEFAULT,
    chosen_implementations,
    default_device,
    make_method,
)

__all__ = ["ALL", "DEFAULT", "chosen_implementations", "default_device", "make_method"]
