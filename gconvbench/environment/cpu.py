"""Facts of the host, as Linux tells them."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from gconvbench.environment.reading import Field, UnreadableError, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CPU_IDENTITY", "HOST", "HOST_SOFT", "cache_bytes", "cpu_model", "cpu_quota"]

_GIB = 2**30
_CPUS = Path("/sys/devices/system/cpu")
_GOVERNOR = _CPUS / "cpu0/cpufreq/scaling_governor"
_STEPPING = ("cpu family", "model", "stepping")


def cpu_model() -> str:
    """`model name` of /proc/cpuinfo (x86), else what the platform module knows."""
    return _cpuinfo().get("model name") or platform.processor() or platform.machine()


def cpu_quota(own: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> object:
    """Cores that the process may use up, by the tightest of its cgroups; `none` without a limit.

    cgroup v2: `cpu.max` (Linux, Documentation/admin-guide/cgroup-v2.rst). v1: `cpu.cfs_quota_us`
    and `cpu.cfs_period_us` (Documentation/scheduler/sched-bwc.rst).
    """
    quotas = [quota for folder in _own_cgroups(own, root) if (quota := _quota_of(folder))]
    return round(min(quotas), 3) if quotas else "none"


def _own_cgroups(own: Path, root: Path) -> Iterator[Path]:
    """The folders of the process's groups with a cpu controller, and of all groups around them.

    In a container the path may be the host's, of which only the root is there.
    """
    for line in own.read_text("utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        parts = path.strip("/").split("/")
        for depth in range(len(parts) + 1):
            yield root / controllers / "/".join(parts[:depth])


def _quota_of(folder: Path) -> float | None:
    try:
        quota, period = first_line(folder / "cpu.max").split()
    except OSError:
        try:
            quota = first_line(folder / "cpu.cfs_quota_us")
            period = first_line(folder / "cpu.cfs_period_us")
        except OSError:
            return None
    return None if quota in {"max", "-1"} else int(quota) / int(period)


def _cpuinfo() -> dict[str, str]:
    """The first processor of /proc/cpuinfo."""
    first = Path("/proc/cpuinfo").read_text("utf-8").partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _stepping() -> str:
    """`25/17/1`: tells processors apart that a virtual machine calls by one name."""
    cpuinfo = _cpuinfo()
    if not cpuinfo.keys() >= {*_STEPPING}:
        message = "/proc/cpuinfo does not say"
        raise UnreadableError(message)
    return "/".join(cpuinfo[name] for name in _STEPPING)


def _is_virtual() -> bool:
    """The hypervisor bit of CPUID (leaf 1, ECX bit 31), which Linux lists among the flags."""
    flags = _cpuinfo().get("flags")
    if flags is None:
        message = "/proc/cpuinfo lists no flags"
        raise UnreadableError(message)
    return "hypervisor" in flags.split()


def cache_bytes(level: str) -> int:
    """Of the first core's cache of a level, such as `3`; raises where Linux lists none."""
    for cache in sorted((_CPUS / "cpu0/cache").glob("index*")):
        if first_line(cache / "level") == level and first_line(cache / "type") != "Instruction":
            return int(first_line(cache / "size").removesuffix("K")) * 1024
    message = "Linux lists no such cache"
    raise UnreadableError(message)


def _kernel() -> str:
    """The version alone: whoever builds a kernel may append any name."""
    version = re.match(r"\d+(\.\d+)*", platform.release())
    if not version:
        message = "uname's release does not begin with a number"
        raise UnreadableError(message)
    return version[0]


def _hugepages() -> str:
    """The one in brackets of `always [madvise] never`."""
    return re.findall(r"\[(\w+)\]", first_line("/sys/kernel/mm/transparent_hugepage/enabled"))[0]


CPU_IDENTITY: tuple[Field, ...] = (
    Field("device_type", "the device asked for", lambda: "cpu"),
    Field("device_name", "/proc/cpuinfo model name", cpu_model),
    Field("cpu_stepping", "/proc/cpuinfo family, model, stepping", _stepping),
    Field("architecture", "uname machine", platform.machine),
    Field("cpu_capability", "torch.backends.cpu", torch.backends.cpu.get_cpu_capability),
    Field("l2_bytes", "/sys/devices/system/cpu/cpu0/cache", lambda: cache_bytes("2")),
    Field("l3_bytes", "/sys/devices/system/cpu/cpu0/cache", lambda: cache_bytes("3")),
    Field(
        "memory_gib",
        "sysconf SC_PHYS_PAGES",
        lambda: round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / _GIB),
    ),
)
HOST: tuple[Field, ...] = (
    Field("cores", "sched_getaffinity", lambda: len(os.sched_getaffinity(0))),
    Field("cpu_quota", "cgroup cpu.max or cpu.cfs_quota_us", cpu_quota),
    Field("virtual", "/proc/cpuinfo hypervisor flag", _is_virtual),
)
"""Decides on the CPU; on a GPU it is worth a warning, as launches come from the host."""
HOST_SOFT: tuple[Field, ...] = (
    Field("os", "uname system", platform.system),
    Field("kernel", "uname release, its version", _kernel),
    Field("python", "platform.python_version", platform.python_version),
    Field("libc", "platform.libc_ver", lambda: " ".join(platform.libc_ver())),
    Field("governor", "cpu0/cpufreq/scaling_governor", lambda: first_line(_GOVERNOR)),
    Field("hugepages", "transparent_hugepage/enabled", _hugepages),
    Field("smt", "cpu/smt/active", lambda: first_line(_CPUS / "smt/active") == "1"),
    Field("numa_nodes", "node/online", lambda: first_line("/sys/devices/system/node/online")),
)
