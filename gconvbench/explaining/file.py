"""The convolutions of a file explained, with the file's own weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gconvbench.cases import DTYPES, Case
from gconvbench.device import why_device_lacks
from gconvbench.errors import UsageError
from gconvbench.explaining.assumptions import Named, assume_groups, convolution_names
from gconvbench.explaining.checkpoint import read_checkpoint
from gconvbench.explaining.layer import explain_layer
from gconvbench.failure import one_line
from gconvbench.operands import lay_out
from gconvbench.records import FileExplanation, FileLayer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from gconvbench.explaining.layer import Place
    from gconvbench.records import Assumed, Explanation

__all__ = ["explain_file"]

_PIXELS = 8
"""Rows and columns of the input, or as many as the window needs: the file does not tell them."""
_MOST_WEIGHTS = 1 << 28
"""Of one layer: a gibibyte in float32."""


def explain_file(path: str, groups: Mapping[str, int], place: Place) -> FileExplanation:
    """Every 4-dimensional weight, with the groups that it may have.

    Args:
        path: a checkpoint of PyTorch or a safetensors file.
        groups: of some weights, where the user knows them.
        place: where the grouped ones are computed.

    Raises:
        UsageError: the file cannot be read, or has no such weight, or `groups` does not fit.
    """
    found = read_checkpoint(path)
    named = [Named(name, tuple(one.shape)) for name, one in found.tensors.items()]
    if not convolution_names(named):
        message = (
            f"state dict {path!r} has {len(named)} tensors and none of 4 dimensions, as weights of "
            "2-D convolutions have; give another file"
        )
        raise UsageError(message)
    assumed = assume_groups(named, groups, norms_precede=found.in_model_order)
    layers = (_layer(name, found.tensors[name], one, place) for name, one in assumed.items())
    return FileExplanation(
        path=path,
        form=found.form,
        nested=found.nested,
        layers=tuple(layers),
        tensors=len(named),
        ignored=found.ignored,
    )


def _layer(name: str, weight: Tensor, assumed: Assumed, place: Place) -> FileLayer:
    dtype = str(weight.dtype).removeprefix("torch.")
    explanation, note = None, ""
    if assumed.groups > 1 and not (note := _why_not(weight, dtype)):
        explanation, note = _explained(name, weight, dtype, assumed, place)
    return FileLayer(
        name=name,
        shape=tuple(weight.shape),
        dtype=dtype,
        assumed=assumed,
        explanation=explanation,
        note=note,
    )


def _why_not(weight: Tensor, dtype: str) -> str:
    if dtype not in DTYPES:
        return f"dtype {dtype} is not computed; allowed: {', '.join(DTYPES)}"
    if weight.numel() > _MOST_WEIGHTS:
        return f"{weight.numel():,} weights are too many to launch it; at most {_MOST_WEIGHTS:,}"
    return "" if torch.isfinite(weight).all() else "some of its weights are not finite"


def _explained(
    name: str, weight: Tensor, dtype: str, assumed: Assumed, place: Place
) -> tuple[Explanation | None, str]:
    filters, per_group, *kernel = weight.shape
    rows, columns = kernel
    is_wide = max(rows, columns) > _PIXELS  # then one output, or the work would know no bounds
    try:
        case = Case(
            groups=assumed.groups,
            in_channels=per_group * assumed.groups,
            out_channels=filters,
            height=max(_PIXELS, rows),
            width=max(_PIXELS, columns),
            kernel_size=(rows, columns),
            padding=(0, 0) if is_wide else (rows // 2, columns // 2),
            dtype=dtype,
        )
    except UsageError as error:
        return None, str(error)
    if reason := why_device_lacks(case, place.device):
        return None, reason
    try:
        own = lay_out(case, weight.detach(), place.device)
        return explain_layer(case, place, weight=own, name=name), ""
    except RuntimeError as error:
        return None, one_line(error)
