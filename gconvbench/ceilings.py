"""The highest rates of a device: what the roofline of its jobs is drawn with."""

from __future__ import annotations

from gconvbench.protocol import CeilingsMeasured, Refused

__all__ = ["measure_ceilings"]


def measure_ceilings(device: str) -> CeilingsMeasured | Refused:
    """Measure them."""
    return Refused(f"no ceilings can be measured on {device} yet")
