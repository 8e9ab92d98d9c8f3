"""Facts of a card, from torch and NVML. Nothing here asks a card before a field is read."""

from __future__ import annotations

from typing import Any

import torch

from gconvbench.environment.cpu import cpu_model
from gconvbench.environment.reading import Field, Reader

__all__ = ["DRIVER", "card_identity", "card_limits", "card_soft", "device_telemetry"]

_GIB = 2**30


def card_identity(device: str) -> tuple[Field, ...]:
    """What must be the same card, set up the same way."""

    def torchs(name: str) -> Any:  # noqa: ANN401 (torch's properties have many types)
        return getattr(torch.cuda.get_device_properties(device), name)

    def nvml(name: str, function: str, *constants: str, per: int = 1) -> Field:
        return _nvml_field(device, name, function, *constants, per=per)

    source = "torch.cuda.get_device_properties"
    return (
        Field("device_type", "the device asked for", lambda: "cuda"),
        Field("device_name", source, lambda: torchs("name")),
        Field("architecture", source, lambda: f"sm_{torchs('major')}{torchs('minor')}"),
        Field("sm_count", source, lambda: torchs("multi_processor_count")),
        Field("l2_bytes", source, lambda: torchs("L2_cache_size")),
        Field("memory_gib", source, lambda: round(torchs("total_memory") / _GIB)),
        nvml("mig", "nvmlDeviceGetMigMode"),
        nvml("ecc", "nvmlDeviceGetEccMode"),
        nvml("power_limit_w", "nvmlDeviceGetEnforcedPowerLimit", per=1000),
        nvml("application_sm_clock_mhz", "nvmlDeviceGetApplicationsClock", "NVML_CLOCK_SM"),
        nvml("application_memory_clock_mhz", "nvmlDeviceGetApplicationsClock", "NVML_CLOCK_MEM"),
        nvml("max_sm_clock_mhz", "nvmlDeviceGetMaxClockInfo", "NVML_CLOCK_SM"),
        nvml("max_memory_clock_mhz", "nvmlDeviceGetMaxClockInfo", "NVML_CLOCK_MEM"),
        Field("cpu_model", "/proc/cpuinfo model name", cpu_model),
    )


def l2_bytes(device: str) -> int | None:
    """The size of the card's last cache; None where the driver names none."""
    return getattr(torch.cuda.get_device_properties(device), "L2_cache_size", 0) or None


def card_soft(device: str) -> tuple[Field, ...]:
    """What another card of the same kind, or another slot, would change.

    The link's generation is the highest possible: a link at rest falls back to the lowest.
    """
    return (
        _nvml_field(device, "uuid", "nvmlDeviceGetUUID"),
        _nvml_field(device, "vbios", "nvmlDeviceGetVbiosVersion"),
        _nvml_field(device, "persistence", "nvmlDeviceGetPersistenceMode"),
        _nvml_field(device, "pcie_generation", "nvmlDeviceGetMaxPcieLinkGeneration"),
        _nvml_field(device, "pcie_width", "nvmlDeviceGetCurrPcieLinkWidth"),
    )


def card_limits(device: str) -> tuple[Field, ...]:
    """What the card is held to, and how busy it is: the share of the last moments with a kernel.

    The sample period is a sixth of a second to a second (NVML API reference, `nvmlUtilization_t`).
    """

    def utilization() -> float:
        nvml = _nvml()
        return float(nvml.nvmlDeviceGetUtilizationRates(_handle(nvml, device)).gpu) / 100

    return (
        Field("utilization", "NVML nvmlDeviceGetUtilizationRates", utilization),
        _nvml_field(
            device,
            "power_limit_default_w",
            "nvmlDeviceGetPowerManagementDefaultLimit",
            per=1000,
        ),
        _nvml_field(
            device,
            "slowdown_temperature_c",
            "nvmlDeviceGetTemperatureThreshold",
            "NVML_TEMPERATURE_THRESHOLD_SLOWDOWN",
        ),
    )


def device_telemetry(device: str) -> dict[str, Any]:
    """What the card does now; empty on the CPU.

    Clocks (MHz), power (W), energy since the driver was loaded (J), temperature (C), clock-event
    reasons, and how many processes compute on it: how many, not whose.
    """
    if device == "cpu":
        return {}
    return Reader().read((
        _nvml_field(device, "sm_clock_mhz", "nvmlDeviceGetClockInfo", "NVML_CLOCK_SM"),
        _nvml_field(device, "memory_clock_mhz", "nvmlDeviceGetClockInfo", "NVML_CLOCK_MEM"),
        _nvml_field(device, "power_w", "nvmlDeviceGetPowerUsage", per=1000),
        _nvml_field(device, "energy_j", "nvmlDeviceGetTotalEnergyConsumption", per=1000),
        _nvml_field(device, "temperature_c", "nvmlDeviceGetTemperature", "NVML_TEMPERATURE_GPU"),
        _nvml_field(device, "clock_event_reasons", "nvmlDeviceGetCurrentClocksEventReasons"),
        _compute_processes(device),
    ))  # fmt: skip


def _compute_processes(device: str) -> Field:
    function = "nvmlDeviceGetComputeRunningProcesses"

    def read() -> int:
        nvml = _nvml()
        return len(getattr(nvml, function)(_handle(nvml, device)))

    return Field("compute_processes", f"NVML {function}", read)


def _nvml_field(device: str, name: str, function: str, *constants: str, per: int = 1) -> Field:
    """A field that NVML reads, in units of `per` of its own; of modes the current one."""

    def read() -> Any:  # noqa: ANN401 (NVML answers with texts, numbers and pairs)
        nvml = _nvml()
        arguments = [getattr(nvml, constant) for constant in constants]
        value = getattr(nvml, function)(_handle(nvml, device), *arguments)
        value = value[0] if isinstance(value, list | tuple) else value
        return value if per == 1 else value / per

    return Field(name, " ".join(("NVML", function, *constants)), read)


def _nvml() -> Any:  # noqa: ANN401 (a module without types)
    import pynvml  # noqa: PLC0415 (only where there is a card)

    pynvml.nvmlInit()
    return pynvml


def _handle(nvml: Any, device: str) -> Any:  # noqa: ANN401
    """NVML's handle of a torch device, matched by UUID: the two number devices differently.

    Of a part of a card (MIG) that of the card, whose clocks, power and heat it shares.
    """
    uuid = str(torch.cuda.get_device_properties(device).uuid).removeprefix("GPU-")
    try:
        return nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except nvml.NVMLError:
        part = nvml.nvmlDeviceGetHandleByUUID(f"MIG-{uuid.removeprefix('MIG-')}")
        return nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(part)


DRIVER = Field(
    "driver",
    "NVML nvmlSystemGetDriverVersion",
    lambda: str(_nvml().nvmlSystemGetDriverVersion()),
)
