"""What a person hands to a function of the package: a layer, a device, a count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from torch.nn import Conv2d

from gconvbench.cases import Case, parse_case
from gconvbench.errors import UsageError
from gconvbench.modules import case_of_module, device_of_module
from gconvbench.planning import default_device, refuse_device

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["meant_case", "meant_device", "whole_number"]


def meant_case(
    function: str, what: object, input_shape: Sequence[int] | None, **fields: str | None
) -> Case:
    """The case of a module with an input's shape, of an id, or itself.

    Args:
        function: that was called, for its messages.
        what: a `torch.nn.Conv2d`, a `Case`, or a case id.
        input_shape: (N, C, H, W) of a module's input.
        **fields: of the case, where they are to be others.

    Raises:
        UsageError: it is none of these, or the shape is missing or too much.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    return msgspec.structs.replace(_case(function, what, input_shape), **given)


def _case(function: str, what: object, input_shape: Sequence[int] | None) -> Case:
    if isinstance(what, Conv2d):
        if input_shape is None:
            message = (
                "input_shape is missing; a module needs that of its input (N, C, H, W), such as "
                f"(8, {what.in_channels}, 27, 27)"
            )
            raise UsageError(message)
        return case_of_module(what, input_shape)
    if not isinstance(what, Case | str):
        message = (
            f"{function} takes one torch.nn.Conv2d, a Case or a case id, not "
            f"{type(what).__name__}; of a model name one layer, such as model[0]; other "
            "convolutions are not measured"
        )
        raise UsageError(message)
    case = parse_case(what) if isinstance(what, str) else what
    if input_shape is not None:
        message = f"input_shape {input_shape!r} is given twice; a case has its own; leave it out"
        raise UsageError(message)
    return case


def meant_device(what: object, device: str | None) -> str:
    """The device that is named, else the module's, of a case `cuda` where there is one.

    Raises:
        UsageError: it is none.
    """
    if device is not None:
        refuse_device(device)
        return device
    return device_of_module(what) if isinstance(what, Conv2d) else default_device()


def whole_number(name: str, value: int) -> int:
    """The value, where it is a whole number from 1.

    Raises:
        UsageError: it is not.
    """
    if not isinstance(value, int) or value < 1:
        message = f"{name} ({value!r}) must be a whole number from 1"
        raise UsageError(message)
    return value
