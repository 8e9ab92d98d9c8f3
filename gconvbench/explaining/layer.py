"""One layer explained: everything that can be seen of it by launching it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import torch
from msgspec.structs import replace

from gconvbench.cases import case_id
from gconvbench.device import set_math_mode
from gconvbench.explaining.equality import equality_of, equality_on
from gconvbench.explaining.launches import launches_of
from gconvbench.explaining.poison import connections_of
from gconvbench.explaining.two_layers import two_layers_of
from gconvbench.implementations.native import Native
from gconvbench.implementations.split_concat import SplitConcat
from gconvbench.operands import normal_operands
from gconvbench.records import Explanation

if TYPE_CHECKING:
    from torch import Tensor

    from gconvbench.cases import Case
    from gconvbench.implementations import Implementation

__all__ = ["Place", "explain_layer"]


class Place(NamedTuple):
    """Where layers are explained.

    Attributes:
        device: `cpu`, `cuda` or `cuda:1`.
        device_name: of the processor or card.
        machine: as runs are filed by.
        seed: of all operands.
    """

    device: str
    device_name: str
    machine: str
    seed: int


def explain_layer(
    asked: Case,
    place: Place,
    *,
    native: Implementation | None = None,
    weight: Tensor | None = None,
    name: str = "",
) -> Explanation:
    """Launch the layer in all the ways that show what its groups mean.

    Of an operation that goes on after the convolution, the convolution is explained.

    Args:
        asked: the layer.
        place: where.
        native: in the place of PyTorch's own convolution.
        weight: the layer's own, `(K, C / g, R, S)`, laid out and on the device; else drawn.
        name: of the layer.
    """
    case = replace(asked, operation="conv")
    native = native or Native()
    device, seed = place.device, place.seed
    set_math_mode(case.math_mode, device)
    operands = normal_operands(case, seed=seed, device=device)
    if weight is not None:
        operands = dataclasses.replace(operands, weight=weight)
    common = Explanation(
        case=case_id(case),
        device=device,
        device_name=place.device_name,
        machine=place.machine,
        torch=str(torch.__version__),
        connections=connections_of(native, case, seed=seed, device=device, weight=weight),
        native=launches_of(native, case, operands, device=device),
        asked="" if case == asked else case_id(asked),
        name=name,
    )
    if case.groups == 1:
        return common
    if weight is None:
        equality = equality_of(native, case, seed=seed, device=device)
    else:
        equality = equality_on(native, case, operands, seed=seed, device=device)
    seen = common.connections.rows
    return replace(
        common,
        split=launches_of(SplitConcat(), case, operands, device=device),
        equality=equality,
        two_layers=two_layers_of(native, case, seed=seed, device=device) if seen else None,
    )
