"""What a comparison may be about, and the settings of torch it must not be about."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
from typing import Any

import torch

from gconvbench import __version__
from gconvbench.environment.reading import Field, UnreadableError, or_none

__all__ = ["SOFTWARE", "settings"]

_COMMIT = re.compile(r"[0-9a-f]{40,64}")


def settings(threads: int) -> tuple[Field, ...]:
    """How this process is set up. The worker sets TF32 anew per case: these are its defaults."""
    return (Field("threads", "--threads", lambda: threads), *_SETTINGS)


def _setting(name: str, path: str, absent: Any = None) -> Field:  # noqa: ANN401
    """A value or a function of torch's; `absent` is how a torch behaves that does not have it."""

    def read() -> Any:  # noqa: ANN401
        found: Any = torch
        for part in path.split("."):
            if absent is not None and not hasattr(found, part):
                return absent
            found = getattr(found, part)
        return found() if callable(found) else found

    return Field(name, f"torch.{path}", read)


def _precision(name: str, path: str, before: str) -> Field:
    """`fp32_precision` of torch from 2.9 on, else the switch `before` in the same words.

    `none` leaves the choice to the settings above it, where `none` is ieee.
    """
    new = _setting(name, f"{path}.fp32_precision", absent="")
    old = _setting(name, before, absent=False)

    def read() -> str:
        precision = new.read() or ("tf32" if old.read() else "ieee")
        return "ieee" if precision == "none" else precision

    return Field(name, f"{new.source} or {before}", read)


_SETTINGS: tuple[Field, ...] = (
    _setting("interop_threads", "get_num_interop_threads"),
    _setting("cudnn_enabled", "backends.cudnn.enabled"),
    _setting("cudnn_benchmark", "backends.cudnn.benchmark"),
    _setting("cudnn_deterministic", "backends.cudnn.deterministic"),
    _setting("cudnn_depthwise_kernel", "backends.cudnn.depthwise_kernel", absent="auto"),
    _precision("cudnn_conv_precision", "backends.cudnn.conv", "backends.cudnn.allow_tf32"),
    _setting("deterministic_algorithms", "are_deterministic_algorithms_enabled"),
    _setting("float32_matmul_precision", "get_float32_matmul_precision"),
    _precision("matmul_precision", "backends.cuda.matmul", "backends.cuda.matmul.allow_tf32"),
    _setting(
        "matmul_fp16_reduction", "backends.cuda.matmul.allow_fp16_reduced_precision_reduction"
    ),
    _setting(
        "matmul_bf16_reduction", "backends.cuda.matmul.allow_bf16_reduced_precision_reduction"
    ),
    _setting(
        "matmul_fp16_accumulation", "backends.cuda.matmul.allow_fp16_accumulation", absent=False
    ),
    _setting("onednn_enabled", "backends.mkldnn.enabled"),
    _setting("onednn_deterministic", "backends.mkldnn.deterministic", absent=False),
    _precision("onednn_conv_precision", "backends.mkldnn.conv", "backends.mkldnn.allow_tf32"),
)


def _built_with(pattern: str) -> str:
    match = re.search(pattern, torch.__config__.show())
    return match[1] if match else "none"


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _git(*arguments: str) -> str:
    """Git's answer about the current directory.

    Raises:
        UnreadableError: no git, or no repository here.
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
        raise UnreadableError(message) from None
    return done.stdout.strip()


def _commit() -> str:
    commit = _git("rev-parse", "HEAD")
    if not _COMMIT.fullmatch(commit):
        message = "git answers with no commit"
        raise UnreadableError(message)
    return commit


SOFTWARE: tuple[Field, ...] = (
    Field("gconvbench", "its version", lambda: __version__),
    Field("torch", "torch.__version__", lambda: str(torch.__version__)),
    Field("torch_git", "torch.version.git_version", lambda: torch.version.git_version),
    Field("cuda", "torch.version.cuda", lambda: or_none(torch.version.cuda)),
    Field("cudnn", "torch.backends.cudnn.version", lambda: or_none(torch.backends.cudnn.version())),
    Field("onednn", "torch.__config__", lambda: _built_with(r"MKL-DNN v([\d.]+)")),
    Field("mkl", "torch.__config__", lambda: _built_with(r"Math Kernel Library Version ([\d.]+)")),
    Field("triton", "installed distribution", lambda: _version("triton")),
    Field("commit", "git rev-parse HEAD", _commit),
    Field(
        "commit_dirty",
        "git status, tracked files",
        lambda: bool(_git("status", "--porcelain", "--untracked-files=no")),
    ),
)
