"""Torch gets one thread in tests.

Tensors are small here, and on a busy machine two threads wait for each other ten times longer than
they compute.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported, which comes later
