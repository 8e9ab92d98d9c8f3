"""The fingerprint of a card, from a scripted torch and NVML."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import torch

from gconvbench.environment import device_telemetry, machine_slug, read_environment

CARD = {
    "name": "NVIDIA H100",
    "major": 9,
    "minor": 0,
    "multi_processor_count": 132,
    "L2_cache_size": 52428800,
    "total_memory": 85 * 10**9,
    "uuid": "12ab",
}


class NVMLError(Exception):
    """What all of NVML's errors are."""


class NotSupportedError(NVMLError):
    """The type says it all."""


class NotFoundError(NVMLError):
    """Likewise."""


def refuse(*arguments: Any) -> Any:
    message = "card of /srv/mallory"
    raise NotSupportedError(message)


def found(**handles: str) -> Any:
    def by_uuid(uuid: str) -> str:
        if uuid.replace("-", "_") not in handles:
            raise NotFoundError
        return handles[uuid.replace("-", "_")]

    return by_uuid


NVML = {
    "nvmlInit": lambda: None,
    "NVMLError": NVMLError,
    "NVML_CLOCK_SM": 1,
    "NVML_CLOCK_MEM": 2,
    "NVML_TEMPERATURE_GPU": 0,
    "nvmlDeviceGetHandleByUUID": found(GPU_12ab="handle"),
    "nvmlDeviceGetMigMode": refuse,
    "nvmlDeviceGetEccMode": lambda handle: [1, 0],
    "nvmlDeviceGetEnforcedPowerLimit": lambda handle: 700000,
    "nvmlDeviceGetApplicationsClock": lambda handle, kind: {1: 1980, 2: 2619}[kind],
    "nvmlDeviceGetMaxClockInfo": lambda handle, kind: {1: 1995, 2: 2620}[kind],
    "nvmlDeviceGetUUID": lambda handle: "GPU-12ab",
    "nvmlDeviceGetVbiosVersion": lambda handle: "96.00",
    "nvmlDeviceGetPersistenceMode": lambda handle: 1,
    "nvmlDeviceGetMaxPcieLinkGeneration": lambda handle: 5,
    "nvmlDeviceGetCurrPcieLinkWidth": lambda handle: 16,
    "nvmlSystemGetDriverVersion": lambda: "570.86.15",
    "nvmlDeviceGetClockInfo": lambda handle, kind: {1: 345, 2: 2619}[kind],
    "nvmlDeviceGetPowerUsage": lambda handle: 71500,
    "nvmlDeviceGetTotalEnergyConsumption": lambda handle: 12500,
    "nvmlDeviceGetComputeRunningProcesses": lambda handle: ["one", "other"],
    "nvmlDeviceGetTemperature": lambda handle, kind: 31,
    "nvmlDeviceGetCurrentClocksEventReasons": lambda handle: 1,
}


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    scripted = SimpleNamespace(**NVML)
    monkeypatch.setitem(sys.modules, "pynvml", scripted)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(**CARD))
    return scripted


def test_a_card_is_known_by_what_decides_its_speed(nvml: SimpleNamespace) -> None:
    identity = read_environment("cuda", threads=1).identity
    expected = {
        "device_type": "cuda",
        "device_name": "NVIDIA H100",
        "architecture": "sm_90",
        "sm_count": 132,
        "l2_bytes": 52428800,
        "memory_gib": 79,
        "ecc": 1,
        "power_limit_w": 700,
        "application_sm_clock_mhz": 1980,
        "application_memory_clock_mhz": 2619,
        "max_sm_clock_mhz": 1995,
        "max_memory_clock_mhz": 2620,
    }
    assert {name: identity[name] for name in expected} == expected
    assert identity["cpu_model"]
    assert "cores" not in identity


def test_where_it_sits_is_worth_a_warning_and_its_driver_is_under_test(
    nvml: SimpleNamespace,
) -> None:
    environment = read_environment("cuda:0", threads=1)
    soft = {"uuid": "GPU-12ab", "vbios": "96.00", "persistence": 1, "pcie_generation": 5,
            "pcie_width": 16}  # fmt: skip
    assert soft.items() <= environment.soft.items()
    assert environment.soft["cores"]
    assert environment.under_test["driver"] == "570.86.15"


def test_sources_name_the_function_that_was_asked(nvml: SimpleNamespace) -> None:
    sources = read_environment("cuda", threads=1).sources
    assert sources["power_limit_w"] == "NVML nvmlDeviceGetEnforcedPowerLimit"
    assert sources["max_sm_clock_mhz"] == "NVML nvmlDeviceGetMaxClockInfo NVML_CLOCK_SM"


def test_what_a_card_refuses_is_null_by_the_type_of_its_error(nvml: SimpleNamespace) -> None:
    environment = read_environment("cuda", threads=1)
    assert environment.identity["mig"] is None
    assert environment.unknown["mig"] == "NotSupportedError"


def test_without_nvml_everything_else_is_still_read(
    monkeypatch: pytest.MonkeyPatch, nvml: SimpleNamespace
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    environment = read_environment("cuda", threads=1)
    assert environment.identity["sm_count"] == 132
    assert environment.identity["power_limit_w"] is None
    assert environment.unknown["driver"] == "ModuleNotFoundError"


def test_without_any_card_nothing_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_properties", refuse)
    environment = read_environment("cuda", threads=1)
    assert environment.unknown["device_name"] == "NotSupportedError"
    assert machine_slug(environment).startswith("unknown-")


def test_a_card_at_rest_and_a_card_at_work_are_one_machine(nvml: SimpleNamespace) -> None:
    at_rest = read_environment("cuda", threads=1)
    nvml.nvmlDeviceGetClockInfo = lambda handle, kind: 1980
    nvml.nvmlDeviceGetPowerUsage = lambda handle: 690000
    nvml.nvmlDeviceGetTemperature = lambda handle, kind: 80
    assert read_environment("cuda", threads=1) == at_rest


def test_a_part_of_a_card_is_read_by_the_card(nvml: SimpleNamespace) -> None:
    nvml.nvmlDeviceGetHandleByUUID = found(MIG_12ab="part")
    nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle = {"part": "card"}.__getitem__
    nvml.nvmlDeviceGetTemperature = lambda handle, kind: {"card": 44}[handle]
    assert device_telemetry("cuda")["temperature_c"] == 44


def test_a_card_that_nvml_does_not_know_is_null_with_the_reason(nvml: SimpleNamespace) -> None:
    nvml.nvmlDeviceGetHandleByUUID = found()
    environment = read_environment("cuda", threads=1)
    assert environment.identity["power_limit_w"] is None
    assert environment.unknown["power_limit_w"] == "NotFoundError"


def test_telemetry_has_units(nvml: SimpleNamespace) -> None:
    assert device_telemetry("cpu") == {}
    assert device_telemetry("cuda") == {
        "sm_clock_mhz": 345,
        "memory_clock_mhz": 2619,
        "power_w": 71.5,
        "energy_j": 12.5,
        "temperature_c": 31,
        "clock_event_reasons": 1,
        "compute_processes": 2,
    }


def test_what_is_asked_since_later_leaves_a_machine_its_name_until_it_is_set(
    monkeypatch: pytest.MonkeyPatch, nvml: SimpleNamespace
) -> None:
    environment = read_environment("cuda", threads=1)
    before = {k: v for k, v in environment.identity.items() if k != "TRITON_INTERPRET"}
    known = msgspec.structs.replace(environment, identity=before)
    assert machine_slug(environment) == machine_slug(known)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert machine_slug(read_environment("cuda", threads=1)) != machine_slug(known)
