"""The fingerprint carries what decides a comparison, and nothing of the person."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from gconvbench.environment import machine_slug, read_environment

if TYPE_CHECKING:
    import pytest

SECRETS = {
    "GITHUB_TOKEN": "ghp_verysecret",
    "AWS_SECRET_ACCESS_KEY": "alsosecret",
    "HOME": "/srv/alice",
    "USER": "alice",
    "HOSTNAME": "alices-laptop",
    "LD_PRELOAD_NOT": "x",
    "PYTORCH_CUDA_ALLOC_CONF": "/srv/alice/secret path with spaces",
}


def test_nothing_of_a_hostile_environment_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    text = json.dumps(msgspec.to_builtins(read_environment("cpu", threads=1)))
    for hidden in ("secret", "alice", "/srv", "laptop", "ghp_"):
        assert hidden not in text


def test_a_variable_that_matters_is_part_of_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    without = read_environment("cpu", threads=1)
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    with_it = read_environment("cpu", threads=1)
    assert "NVIDIA_TF32_OVERRIDE" not in without.identity
    assert with_it.identity["NVIDIA_TF32_OVERRIDE"] == "0"
    assert machine_slug(without) != machine_slug(with_it)


def test_threads_are_part_of_the_identity() -> None:
    assert read_environment("cpu", threads=2).identity["threads"] == 2


def test_the_folder_is_named_after_the_device_and_a_hash() -> None:
    slug = machine_slug(read_environment("cpu", threads=1))
    assert slug == slug.lower()
    assert len(slug.rsplit("-", 1)[1]) == 8
    assert slug == machine_slug(read_environment("cpu", threads=1))


def test_what_cannot_be_read_is_null_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.chdir(str(tmp_path))
    environment = read_environment("cpu", threads=1)
    assert environment.under_test["commit"] is None
    assert environment.unknown["commit"] == "the current directory is no git checkout"
