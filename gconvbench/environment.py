"""The fingerprint of machine and software, from an allow-list: no user, host, home or token.

A field that cannot be read is null, with the reason in `Environment.unknown`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from gconvbench import __version__
from gconvbench.records import Environment

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["device_telemetry", "machine_slug", "read_environment"]

_VARIABLES = (
    "ATEN_CPU_CAPABILITY",
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_LAUNCH_BLOCKING",
    "DNNL_MAX_CPU_ISA",
    "KMP_AFFINITY",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TRIM_THRESHOLD_",
    "MKL_NUM_THREADS",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "PYTORCH_CUDA_ALLOC_CONF",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)
"""The environment variables that change what is measured. No other is looked at."""
_PLAIN = re.compile(r"[\w.,:=+-]{0,64}")
"""What a variable's value may look like: no path, no secret worth the name."""
_GIB = 2**30

Facts = dict[str, Any]


class _UnreadableError(Exception):
    """A fact that is not there, said in words of our own."""


class _Reader:
    """Collects facts; one that raises becomes null with its reason."""

    def __init__(self) -> None:
        self.unknown: dict[str, str] = {}

    def read(self, sources: dict[str, Callable[[], Any]]) -> Facts:
        facts: Facts = {}
        for name, source in sources.items():
            try:
                facts[name] = source()
            except Exception as error:  # noqa: BLE001 (drivers raise what they like)
                facts[name] = None
                kind = "" if isinstance(error, _UnreadableError) else f"{type(error).__name__}: "
                self.unknown[name] = f"{kind}{error}".splitlines()[0][:120]
        return facts


def read_environment(device: str, *, threads: int) -> Environment:
    """Read everything about this process, this machine and `device`."""
    reader = _Reader()
    on_cuda = device != "cpu"
    device_facts = _cuda_identity(device) if on_cuda else _cpu_identity()
    identity = reader.read(device_facts | _settings(threads))
    identity |= {name: _variable(name) for name in _VARIABLES if name in os.environ}
    return Environment(
        identity=identity,
        under_test=reader.read(_software() | (_driver() if on_cuda else {})),
        soft=reader.read(_soft() | (_card(device) if on_cuda else {})),
        unknown=reader.unknown,
    )


def machine_slug(environment: Environment) -> str:
    """A folder name: the device's name and a short hash of the identity, never a host name."""
    name = re.sub(r"[^a-z0-9]+", "-", str(environment.identity["device_name"]).lower()).strip("-")
    text = json.dumps(environment.identity, sort_keys=True)
    return f"{name[:40] or 'unknown'}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def device_telemetry(device: str) -> Facts:
    """Clocks (MHz), power (W), temperature (C) and clock-event reasons now; empty on the CPU."""
    if device == "cpu":
        return {}
    import pynvml  # noqa: PLC0415 (only where there is a card)

    def handle() -> Any:  # noqa: ANN401 (NVML's handles have no public type)
        return _nvml_handle(device)

    reader = _Reader()
    return reader.read(
        {
            "sm_clock_mhz": lambda: pynvml.nvmlDeviceGetClockInfo(handle(), pynvml.NVML_CLOCK_SM),
            "memory_clock_mhz": lambda: pynvml.nvmlDeviceGetClockInfo(
                handle(), pynvml.NVML_CLOCK_MEM
            ),
            "power_w": lambda: pynvml.nvmlDeviceGetPowerUsage(handle()) / 1e3,
            "temperature_c": lambda: pynvml.nvmlDeviceGetTemperature(
                handle(), pynvml.NVML_TEMPERATURE_GPU
            ),
            "clock_event_reasons": lambda: pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle()),
        }
    )


def _cpu_identity() -> dict[str, Callable[[], Any]]:
    return {
        "device_type": lambda: "cpu",
        "device_name": _cpu_model,
        "architecture": platform.machine,
        "cpu_capability": torch.backends.cpu.get_cpu_capability,
        "cores": lambda: len(os.sched_getaffinity(0)),
        "memory_gib": lambda: round(
            os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / _GIB
        ),
        "onednn_enabled": lambda: torch.backends.mkldnn.enabled,
    }


def _cuda_identity(device: str) -> dict[str, Callable[[], Any]]:
    import pynvml  # noqa: PLC0415

    properties = torch.cuda.get_device_properties(device)

    def nvml(name: str, *arguments: Any) -> Callable[[], Any]:  # noqa: ANN401
        return lambda: getattr(pynvml, name)(_nvml_handle(device), *arguments)

    return {
        "device_type": lambda: "cuda",
        "device_name": lambda: properties.name,
        "architecture": lambda: f"sm_{properties.major}{properties.minor}",
        "sm_count": lambda: properties.multi_processor_count,
        "l2_bytes": lambda: properties.L2_cache_size,
        "memory_gib": lambda: round(properties.total_memory / _GIB),
        "mig": lambda: nvml("nvmlDeviceGetMigMode")()[0],
        "ecc": lambda: nvml("nvmlDeviceGetEccMode")()[0],
        "power_limit_w": lambda: nvml("nvmlDeviceGetEnforcedPowerLimit")() / 1e3,
        "application_sm_clock_mhz": nvml("nvmlDeviceGetApplicationsClock", pynvml.NVML_CLOCK_SM),
        "max_sm_clock_mhz": nvml("nvmlDeviceGetMaxClockInfo", pynvml.NVML_CLOCK_SM),
        "cpu_model": _cpu_model,
    }


def _settings(threads: int) -> dict[str, Callable[[], Any]]:
    cudnn = torch.backends.cudnn
    settings: dict[str, Callable[[], Any]] = {
        "threads": lambda: threads,
        "cudnn_benchmark": lambda: cudnn.benchmark,
        "cudnn_deterministic": lambda: cudnn.deterministic,
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled,
        "float32_matmul_precision": torch.get_float32_matmul_precision,
        "preloaded": lambda: _basenames(os.environ.get("LD_PRELOAD", "")),
    }
    if hasattr(cudnn, "depthwise_kernel"):
        settings["cudnn_depthwise_kernel"] = lambda: str(cudnn.depthwise_kernel)
    return settings


def _software() -> dict[str, Callable[[], Any]]:
    return {
        "gconvbench": lambda: __version__,
        "torch": lambda: str(torch.__version__),
        "torch_git": lambda: torch.version.git_version,
        "cuda": lambda: torch.version.cuda,
        "cudnn": torch.backends.cudnn.version,
        "onednn": _onednn_version,
        "triton": lambda: _version_or_none("triton"),
        "commit": lambda: _git("rev-parse", "HEAD"),
        "commit_dirty": lambda: bool(_git("status", "--porcelain", "--untracked-files=no")),
    }


def _driver() -> dict[str, Callable[[], Any]]:
    import pynvml  # noqa: PLC0415

    return {"driver": lambda: (pynvml.nvmlInit(), str(pynvml.nvmlSystemGetDriverVersion()))[1]}


def _soft() -> dict[str, Callable[[], Any]]:
    return {
        "os": platform.system,
        "kernel": lambda: platform.release().split("-")[0],
        "python": platform.python_version,
        "libc": lambda: " ".join(platform.libc_ver()),
        "governor": lambda: (
            Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text("ascii").strip()
        ),
    }


def _card(device: str) -> dict[str, Callable[[], Any]]:
    import pynvml  # noqa: PLC0415

    def nvml(name: str) -> Callable[[], Any]:
        return lambda: getattr(pynvml, name)(_nvml_handle(device))

    return {
        "uuid": nvml("nvmlDeviceGetUUID"),
        "vbios": nvml("nvmlDeviceGetVbiosVersion"),
        "persistence": nvml("nvmlDeviceGetPersistenceMode"),
        "pcie_generation": nvml("nvmlDeviceGetCurrPcieLinkGeneration"),
        "pcie_width": nvml("nvmlDeviceGetCurrPcieLinkWidth"),
    }


def _nvml_handle(device: str) -> Any:  # noqa: ANN401
    """NVML's handle of a torch device, matched by UUID: the two number devices differently."""
    import pynvml  # noqa: PLC0415

    pynvml.nvmlInit()
    uuid = str(torch.cuda.get_device_properties(device).uuid)
    return pynvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith("GPU-") else f"GPU-{uuid}")


def _cpu_model() -> str:
    """`model name` of /proc/cpuinfo (x86), else what the platform module knows."""
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _onednn_version() -> str | None:
    match = re.search(r"MKL-DNN v([\d.]+)", torch.__config__.show())
    return match[1] if match else None


def _version_or_none(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str:
    """Git's answer about the current directory.

    Raises:
        _UnreadableError: no git, or no repository here.
    """
    try:
        done = subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607 (whatever git the user has)
            check=True,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        message = "the current directory is no git checkout"
        raise _UnreadableError(message) from None
    return done.stdout.strip()


def _variable(name: str) -> str:
    value = os.environ[name]
    return value if _PLAIN.fullmatch(value) else "<set>"


def _basenames(paths: str) -> str:
    return ":".join(Path(path).name for path in re.split(r"[ :]", paths) if path)
