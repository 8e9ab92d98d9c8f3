"""The fingerprint carries what decides a comparison, and nothing of the person."""

from __future__ import annotations

import json
import os
import platform
import random
import re
import socket
import string
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import torch

from gconvbench.environment import machine_slug, read_environment
from gconvbench.environment.cpu import cpu_quota
from gconvbench.environment.reading import Field, Reader, UnreadableError
from gconvbench.environment.variables import VARIABLES
from gconvbench.records import WITHHELD, Environment

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "ghp_" + "Mallory7" * 7 + "zzzz"
HOSTILE = {
    "GITHUB_TOKEN": TOKEN,
    "AWS_ACCESS_KEY_ID": "AKIAMALLORY7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": TOKEN[::-1],
    "HOME": "/srv/mallory",
    "USER": "mallory",
    "LOGNAME": "mallory",
    "HOSTNAME": "mallorys-laptop",
    "LD_PRELOAD_NOT": "mallory",
}
ALLOWED = [field.name for field in VARIABLES if field.name.isupper()]
USUAL = {
    "ATEN_CPU_CAPABILITY": ["avx2", "avx512", "default"],
    "CUBLAS_WORKSPACE_CONFIG": [":4096:8", ":16:8", ":4096:2:16:8"],
    "CUDA_LAUNCH_BLOCKING": ["0", "1"],
    "KMP_AFFINITY": ["granularity=fine,compact,1,0", "verbose,none"],
    "MALLOC_MMAP_THRESHOLD_": ["33554432"],
    "NVIDIA_TF32_OVERRIDE": ["0", "1"],
    "OMP_NUM_THREADS": ["16", "4,2"],
    "OMP_PROC_BIND": ["TRUE", "close"],
    "ONEDNN_DEFAULT_FPMATH_MODE": ["BF16"],
    "ONEDNN_MAX_CPU_ISA": ["AVX512_CORE_BF16", "avx2_vnni_2", "AVX512_CORE_AMX_FP16", "ALL"],
    "PYTORCH_CUDA_ALLOC_CONF": ["expandable_segments:True,max_split_size_mb:128"],
}


def document(environment: Environment) -> str:
    return json.dumps(msgspec.to_builtins(environment))


@pytest.mark.parametrize("value", [TOKEN, "/srv/mallory/x", "mallory", "mallory7@laptop", "1" * 64])
def test_nothing_of_a_hostile_environment_is_recorded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    folder = tmp_path / "mallory"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name, planted in HOSTILE.items():
        monkeypatch.setenv(name, planted)
    for name in ALLOWED:
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LD_PRELOAD", f"/srv/mallory/lib{value}.so:{value}")
    monkeypatch.setattr(socket, "gethostname", lambda: "mallorys-laptop")
    monkeypatch.setattr(platform, "node", lambda: "mallorys-laptop")
    monkeypatch.setattr(platform, "release", lambda: "6.1.2-mallory")
    text = document(read_environment("cpu", threads=1))
    assert not re.search(r"mallory|yrollaM|ghp_|/srv|laptop|AKIA|1{64}", text, re.IGNORECASE)
    assert text.count(WITHHELD) == len(ALLOWED) + 2


def test_no_token_has_room_in_any_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(0)  # noqa: S311 (tokens to be refused)
    for length in (12, 20, 36, 64):
        for alphabet in (string.hexdigits, string.ascii_letters + string.digits + ".,:=+-_"):
            token = "".join(draw.choices(alphabet, k=length)) + "a"
            for name in ALLOWED:
                monkeypatch.setenv(name, token)
            identity = read_environment("cpu", threads=1).identity
            assert {identity[name] for name in ALLOWED} == {WITHHELD}


@pytest.mark.parametrize("name", USUAL)
def test_the_usual_values_of_a_variable_are_recorded(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for value in USUAL[name]:
        monkeypatch.setenv(name, value)
        assert read_environment("cpu", threads=1).identity[name] == value


def test_the_list_is_the_only_way_in(monkeypatch: pytest.MonkeyPatch) -> None:
    before = document(read_environment("cpu", threads=1))
    draw = random.Random(1)  # noqa: S311
    for number in range(300):
        name = "".join(draw.choices(string.ascii_uppercase, k=12))
        monkeypatch.setenv(f"{name}_{number}", f"value{number}")
    assert document(read_environment("cpu", threads=1)) == before


def test_a_variable_that_matters_is_part_of_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    without = read_environment("cpu", threads=1)
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    with_it = read_environment("cpu", threads=1)
    assert without.identity["NVIDIA_TF32_OVERRIDE"] == "unset"
    assert with_it.identity["NVIDIA_TF32_OVERRIDE"] == "0"
    assert machine_slug(without) != machine_slug(with_it)


def test_libraries_that_people_preload_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "/opt/x/libjemalloc.so.2:/usr/lib/libtcmalloc_minimal.so.4.5")
    preloaded = read_environment("cpu", threads=1).identity["preloaded"]
    assert preloaded == "libjemalloc.so.2:libtcmalloc_minimal.so.4.5"


def test_threads_are_part_of_the_identity() -> None:
    assert read_environment("cpu", threads=2).identity["threads"] == 2


def test_the_folder_is_named_after_the_device_and_a_hash() -> None:
    slug = machine_slug(read_environment("cpu", threads=1))
    assert slug == slug.lower()
    assert len(slug.rsplit("-", 1)[1]) == 8
    assert slug == machine_slug(read_environment("cpu", threads=1))
    nameless = Environment(identity={"device_name": None}, under_test={}, soft={})
    assert machine_slug(nameless).startswith("unknown-")


def test_two_processes_on_one_machine_have_one_identity() -> None:
    program = (
        "import sys, msgspec; from gconvbench.environment import read_environment; "
        "sys.stdout.buffer.write(msgspec.json.encode(read_environment('cpu', threads=1)))"
    )
    first, second = (
        msgspec.json.decode(
            subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout,
            type=Environment,
        )
        for _ in range(2)
    )
    assert first == second
    assert first.identity


def test_every_field_has_a_source_and_every_null_a_reason() -> None:
    environment = read_environment("cpu", threads=1)
    facts = environment.identity | environment.under_test | environment.soft
    assert len(facts) == sum(map(len, (environment.identity, environment.under_test,
                                       environment.soft)))  # fmt: skip
    assert environment.sources.keys() == facts.keys()
    assert all(environment.sources.values())
    assert environment.unknown.keys() == {name for name, value in facts.items() if value is None}


def test_what_cannot_be_read_is_null_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    environment = read_environment("cpu", threads=1)
    assert environment.under_test["commit"] is None
    assert environment.unknown["commit"] == "the current directory is no git checkout"


def test_what_git_says_is_recorded_only_if_it_is_a_commit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "git").write_text(f"#!/bin/sh\necho {TOKEN}\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    environment = read_environment("cpu", threads=1)
    assert environment.unknown["commit"] == "git answers with no commit"
    assert TOKEN not in document(environment)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError(f"/srv/mallory/x\n{TOKEN}"), "RuntimeError"),
        (FileNotFoundError(2, "x", "/srv/mallory"), "FileNotFoundError: No such file or directory"),
        (OSError("/srv/mallory"), "OSError"),
        (UnreadableError("our own words"), "our own words"),
    ],
)
def test_a_reason_has_no_foreign_words(error: Exception, reason: str) -> None:
    def read() -> Any:
        raise error

    reader = Reader()
    assert reader.read([Field("x", "there", read)]) == {"x": None}
    assert reader.unknown == {"x": reason}
    assert reader.sources == {"x": "there"}


def test_tf32_has_the_same_words_in_every_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    class Before29:
        enabled = True
        allow_tf32 = True

    monkeypatch.setattr(torch.backends, "cudnn", Before29)
    environment = read_environment("cpu", threads=1)
    assert environment.identity["cudnn_conv_precision"] == "tf32"
    assert environment.identity["cudnn_depthwise_kernel"] == "auto"
    assert environment.identity["cudnn_benchmark"] is None
    assert environment.unknown["cudnn_benchmark"] == "AttributeError"


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        ("0::/", {}, "none"),
        ("0::/", {"cpu.max": "max 100000"}, "none"),
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/a/b", {"a/cpu.max": "100000 100000", "a/b/cpu.max": "max 100000"}, 1.0),
        ("0::/host/only", {"cpu.max": "50000 100000"}, 0.5),
        (
            "4:memory:/m\n3:cpu,cpuacct:/a\n0::/",
            {"cpu,cpuacct/a/cpu.cfs_quota_us": "200000", "cpu,cpuacct/a/cpu.cfs_period_us": "1000"},
            200.0,
        ),
        ("1:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "none"),
    ],
)
def test_the_tightest_quota_of_both_kinds_of_cgroups(
    tmp_path: Path, own: str, files: dict[str, str], quota: object
) -> None:
    (tmp_path / "own").write_text(f"{own}\n")
    for name, text in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    assert cpu_quota(tmp_path / "own", tmp_path / "root") == quota
