"""The environment variables that change what is measured. No other is looked at."""

from __future__ import annotations

import os
import re

from gconvbench.environment.reading import Field
from gconvbench.records import UNSET, WITHHELD

__all__ = ["VARIABLES"]

_SWITCH = "[01]"
_NUMBER = r"\d{1,4}"
_BYTES = r"\d{1,12}"
_THREADS = rf"{_NUMBER}(,{_NUMBER}){{0,3}}"
_ISA = r"all|default|sse41|avx(2|512|10)?(_(core|vnni|bf16|fp16|amx|[12]|256|512)){0,4}"
_FPMATH = "strict|bf16|f16|tf32|any"
_AFFINITY = (
    r"compact|scatter|balanced|disabled|none|(no)?(respect|verbose|warnings)|\d{1,2}"
    "|(granularity=)?(fine|thread|core|tile|die|node|group|socket)"
)
_ALLOCATOR = (
    "backend:(native|cudaMallocAsync)"
    "|(expandable_segments|release_lock_on_cudamalloc|pinned_use_cuda_host_register):(True|False)"
    r"|(max_split_size_mb|roundup_power2_divisions|pinned_num_register_threads):\d{1,6}"
    r"|garbage_collection_threshold:\d(\.\d{1,3})?"
)

_ALLOWED = {
    "ATEN_CPU_CAPABILITY": "default|avx2|avx512|avx512_vnni|amx|vsx|zvector|sve(128|256)?",
    "CUBLAS_WORKSPACE_CONFIG": r"(:\d{1,5}:\d{1,2}){1,2}",
    "CUDA_DEVICE_MAX_CONNECTIONS": _THREADS,
    "CUDA_LAUNCH_BLOCKING": _SWITCH,
    "CUDA_MODULE_LOADING": "LAZY|EAGER|DEFAULT",
    "DNNL_DEFAULT_FPMATH_MODE": _FPMATH,
    "DNNL_MAX_CPU_ISA": _ISA,
    "KMP_AFFINITY": rf"({_AFFINITY})(,({_AFFINITY})){{0,6}}",
    "KMP_BLOCKTIME": rf"{_NUMBER}|infinite",
    "MALLOC_MMAP_MAX_": _BYTES,
    "MALLOC_MMAP_THRESHOLD_": _BYTES,
    "MALLOC_TRIM_THRESHOLD_": _BYTES,
    "MKL_NUM_THREADS": _THREADS,
    "NVIDIA_TF32_OVERRIDE": _SWITCH,
    "OMP_NUM_THREADS": _THREADS,
    "OMP_PLACES": "threads|cores|sockets|ll_caches|numa_domains",
    "OMP_PROC_BIND": "true|false|master|primary|close|spread",
    "OMP_WAIT_POLICY": "active|passive",
    "ONEDNN_DEFAULT_FPMATH_MODE": _FPMATH,
    "ONEDNN_MAX_CPU_ISA": _ISA,
    "PYTORCH_ALLOC_CONF": rf"({_ALLOCATOR})(,({_ALLOCATOR})){{0,6}}",
    "PYTORCH_CUDA_ALLOC_CONF": rf"({_ALLOCATOR})(,({_ALLOCATOR})){{0,6}}",
    "TORCHDYNAMO_DISABLE": _SWITCH,
    "TORCHINDUCTOR_MAX_AUTOTUNE": _SWITCH,
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": _SWITCH,
    "TORCH_COMPILE_DISABLE": _SWITCH,
    "TORCH_CUDNN_V8_API_DISABLED": _SWITCH,
    "TRITON_INTERPRET": "[01]|true|false|yes|no|on|off|y|n",
}
"""What the value of each may look like: known words and short numbers, in which no path and no
token has room. Any other value is withheld."""

_PRELOADED = re.compile(
    r"lib(asan|gomp|hwloc|iomp5|jemalloc|mimalloc|omp|tcmalloc(_minimal)?|tsan)"
    r"(-[0-9a-f]{8})?\.so(\.\d{1,3}){0,3}"
)
"""Libraries that people preload to change times: allocators, OpenMP, sanitizers."""


def _variable(name: str, pattern: str) -> Field:
    allowed = re.compile(pattern, re.IGNORECASE | re.ASCII)

    def read() -> str:
        value = os.environ.get(name, "")
        if not value:
            return UNSET
        return value if allowed.fullmatch(value) else WITHHELD

    return Field(name, "environment variable", read)


def _preloaded() -> str:
    """The names; empty without any, as runs of schema 1 and 2 have it."""
    paths = re.split(r"[ :]", os.environ.get("LD_PRELOAD", ""))
    names = [path.rpartition("/")[2] for path in paths if path]
    return ":".join(name if _PRELOADED.fullmatch(name) else WITHHELD for name in names)


VARIABLES: tuple[Field, ...] = (
    *(_variable(name, pattern) for name, pattern in _ALLOWED.items()),
    Field("preloaded", "environment variable LD_PRELOAD", _preloaded),
)
"""All of them, those that are not set too: another run may have set them."""
