"""What other tools are told of a machine: its facts for asv, its machine_info for pytest-benchmark.

Both come from the stored environment, whose fields are an allow-list: no user, no host name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gconvbench.records import Environment, Scalar

__all__ = ["NONE", "machine_facts", "machine_info"]

NONE = "none"
"""What is known to be absent; what is not known is empty."""
_OF_THE_CHECKOUT = frozenset({"commit", "commit_dirty"})
"""Other tools have their own place for it."""


def machine_facts(environment: Environment, machine: str) -> dict[str, str]:
    """The facts that asv has of a machine: its own six, and those that a time depends on.

    asv begins a new series where one of them changes, and its pages filter by them.

    Args:
        environment: where it was measured.
        machine: the slug that its folder is called by.
    """
    identity, tested, soft = environment.identity, environment.under_test, environment.soft
    on_gpu = identity.get("device_type") == "cuda"
    memory_gib = _text(identity.get("memory_gib"))
    return {
        "machine": machine,
        "os": _text(soft.get("os")),
        "arch": _text(identity.get("architecture")),
        "cpu": _text(identity.get("cpu_model" if on_gpu else "device_name")),
        "num_cpu": _text(identity.get("cores", soft.get("cores"))),
        "ram": f"{memory_gib} GiB" if memory_gib and not on_gpu else "",
        "gpu": _text(identity.get("device_name")) if on_gpu else NONE,
        "driver": _text(tested.get("driver", None if on_gpu else NONE)),
        "cuda": _text(tested.get("cuda")),
        "cudnn": _text(tested.get("cudnn")),
        "threads": _text(identity.get("threads")),
    }


def machine_info(environment: Environment, machine: str) -> dict[str, Any]:
    """The machine_info of pytest-benchmark, with the fingerprint without its commit inside.

    Args:
        environment: where it was measured.
        machine: the slug that stands where pytest-benchmark writes the host's name.
    """
    facts = machine_facts(environment, machine)
    tested = environment.under_test
    return {
        "node": machine,
        "processor": facts["arch"],
        "machine": facts["arch"],
        "python_version": _text(environment.soft.get("python")),
        "release": _text(environment.soft.get("kernel")),
        "system": facts["os"],
        "cpu": {"brand_raw": facts["cpu"], "count": facts["num_cpu"]},
        "gconvbench": {
            "machine": machine,
            "identity": dict(environment.identity),
            "under_test": {k: v for k, v in tested.items() if k not in _OF_THE_CHECKOUT},
            "soft": dict(environment.soft),
        },
    }


def _text(value: Scalar) -> str:
    return "" if value is None else str(value)
