"""What other tools are told of a machine: facts from an allow-list, as text."""

from __future__ import annotations

import platform

from gconvbench.interchange.machine import machine_facts, machine_info
from gconvbench.records import Environment

CPU = Environment(
    identity={
        "device_type": "cpu", "device_name": "Epyc", "architecture": "x86_64", "memory_gib": 24,
        "cores": 2, "threads": 1,
    },
    under_test={
        "torch": "2.9", "cuda": "none", "cudnn": None, "commit": "c", "commit_dirty": False,
    },
    soft={"os": "Linux", "kernel": "6.1", "python": "3.11.7"},
)  # fmt: skip
GPU = Environment(
    identity={
        "device_type": "cuda", "device_name": "H200", "architecture": "sm_90", "memory_gib": 139,
        "cpu_model": "Xeon", "threads": 4,
    },
    under_test={"torch": "2.9", "cuda": "13.0", "cudnn": 91900, "driver": "580.1"},
    soft={"os": "Linux", "cores": 16, "python": "3.12.1"},
)  # fmt: skip


def test_facts_of_a_cpu() -> None:
    assert machine_facts(CPU, "epyc-1") == {
        "machine": "epyc-1", "os": "Linux", "arch": "x86_64", "cpu": "Epyc", "num_cpu": "2",
        "ram": "24 GiB", "gpu": "none", "driver": "none", "cuda": "none", "cudnn": "",
        "threads": "1",
    }  # fmt: skip


def test_facts_of_a_card_name_the_card_and_not_its_memory_as_the_hosts() -> None:
    assert machine_facts(GPU, "h200-1") == {
        "machine": "h200-1", "os": "Linux", "arch": "sm_90", "cpu": "Xeon", "num_cpu": "16",
        "ram": "", "gpu": "H200", "driver": "580.1", "cuda": "13.0", "cudnn": "91900",
        "threads": "4",
    }  # fmt: skip


def test_machine_info_has_the_fingerprint_without_its_commit_and_no_host_name() -> None:
    info = machine_info(CPU, "epyc-1")
    assert info["node"] == "epyc-1"
    assert info["gconvbench"]["identity"] == CPU.identity
    assert info["gconvbench"]["under_test"] == {"torch": "2.9", "cuda": "none", "cudnn": None}
    assert platform.node() not in str(info) or not platform.node()


def test_an_environment_of_which_nothing_is_known_has_all_facts_empty() -> None:
    facts = machine_facts(Environment(identity={}, under_test={}, soft={}), "box")
    assert {value for key, value in facts.items() if key != "machine"} == {"", "none"}
