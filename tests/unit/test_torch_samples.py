"""PyTorch's own sample inputs of conv2d, through every implementation that supports them."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
import torch

from gconvbench.accuracy import reference_results, result_limit
from gconvbench.accuracy.expected import same_as
from gconvbench.cases import Case
from gconvbench.errors import UsageError
from gconvbench.implementations import BUILT_IN, Operands, result_names, why_unsupported

# Importing PyTorch's test tools would freeze the settings of its backends for the whole process.
with mock.patch.object(torch.backends, "disable_global_flags"):
    from torch.testing._internal import common_methods_invocations as invocations

DTYPES = ("float32", "float64")


def pair(value: Any) -> tuple[int, int]:
    rows, columns = value if isinstance(value, tuple) else (value, value)
    return rows, columns


def case_of(sample: Any, dtype: str) -> Case:
    """The case of a sample; raises `UsageError` where there is none."""
    names = ("weight", "bias", "stride", "padding", "dilation", "groups")
    given = dict(zip(names, sample.args, strict=False)) | sample.kwargs
    x = sample.input if sample.input.dim() == 4 else sample.input.unsqueeze(0)
    kernel, dilation = pair(tuple(given["weight"].shape[2:])), pair(given.get("dilation", 1))
    padding = given.get("padding", 0)
    if padding == "valid":
        padding = 0
    elif padding == "same":
        wide = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        if any(extra % 2 for extra in wide):
            message = "padding on one side only"
            raise UsageError(message)
        padding = (wide[0] // 2, wide[1] // 2)
    return Case(
        groups=given.get("groups", 1), batch=x.shape[0], in_channels=x.shape[1],
        out_channels=given["weight"].shape[0], height=x.shape[2], width=x.shape[3],
        kernel_size=kernel, stride=pair(given.get("stride", 1)), padding=pair(padding),
        dilation=dilation, bias=given.get("bias") is not None, dtype=dtype, direction="training",
    )  # fmt: skip


def operands_of(sample: Any, case: Case) -> Operands:
    given = dict(zip(("weight", "bias"), sample.args, strict=False)) | sample.kwargs
    generator = torch.Generator().manual_seed(0)
    grad = torch.randn(case.output_shape, generator=generator, dtype=torch.float64)
    bias = given.get("bias")
    return Operands(
        x=sample.input.detach().reshape(case.input_shape),
        weight=given["weight"].detach(),
        bias=None if bias is None else bias.detach(),
        grad_output=grad.to(sample.input.dtype),
    )


def samples(dtype: str) -> list[Any]:
    (info,) = (one for one in invocations.op_db if one.name == "nn.functional.conv2d")
    return list(info.sample_inputs("cpu", getattr(torch, dtype), requires_grad=False))


@pytest.mark.parametrize("dtype", DTYPES)
def test_pytorch_s_own_samples_are_right_in_every_implementation(dtype: str) -> None:
    used, left_out, compared = 0, 0, set()
    for sample in samples(dtype):
        try:
            case = case_of(sample, dtype)
        except UsageError:
            left_out += 1
            continue
        used += 1
        operands = operands_of(sample, case)
        expected = reference_results(case, operands)
        for one in BUILT_IN:
            if one.on_request or why_unsupported(one, case, "cpu"):
                continue
            compared.add(one.name)
            results = one.launch(case, operands.copy())()
            for name, result in zip(result_names(case), results, strict=True):
                same = same_as(case, name, expected[name])
                limit = result_limit(case, name, one, device="cpu", rows=same.groups)
                _, error = same.errors(result)
                assert error is not None, (one.name, case)
                assert error <= limit, (one.name, name, case)
    assert used >= 10
    assert left_out <= 2
    assert {"native", "split_concat", "im2col_bmm", "tap_accumulate"} <= compared
