"""What stands for a case where many launches are needed."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gconvbench.accuracy import Proof, proof, prove
from gconvbench.cases import Case, flops
from gconvbench.implementations.block_diagonal import BlockDiagonal
from gconvbench.implementations.merged_groups import MergedGroups
from gconvbench.implementations.native import Native

CASE = Case(groups=4, batch=2, in_channels=8, out_channels=8, height=12, width=7, padding=(1, 1))


def probe_of(case: Case, share: float, monkeypatch: pytest.MonkeyPatch) -> Case:
    """Where a launch may execute this share of the case's FLOPs."""
    monkeypatch.setattr(proof, "_PROBE_FLOPS", int(share * flops(case)))
    return Proof.of(case, device="cpu", seed=0).probe(Native())


@pytest.mark.parametrize(
    ("share", "batch", "height"), [(1, 2, 12), (0.5, 1, 12), (0.3, 1, 7), (0.01, 1, 1)]
)
def test_images_are_left_out_first_and_then_rows(
    share: float, batch: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = probe_of(CASE, share, monkeypatch)
    assert (probe.batch, probe.height, probe.width) == (batch, height, CASE.width)
    assert (probe.groups, probe.weight_shape) == (CASE.groups, CASE.weight_shape)


@pytest.mark.parametrize(
    ("changes", "height"),
    [
        ({"padding": (0, 0)}, 3),
        ({"padding": (0, 0), "dilation": (2, 1)}, 5),
        ({"padding": (9, 9)}, 1),
        (
            {"kernel_size": (2, 1), "dilation": (8, 1), "padding": (4, 0)},
            5,
        ),  # no tap hits four rows
    ],
)
def test_a_window_keeps_rows_to_look_at(
    changes: dict[str, Any], height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(**({"groups": 4, "in_channels": 8, "out_channels": 8, "height": 12, "width": 7}
                   | changes))  # fmt: skip
    assert probe_of(case, 1e-3, monkeypatch).height == height


def test_what_multiplies_zeros_is_cut_down_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "_PROBE_FLOPS", 2 * flops(CASE))
    of_case = Proof.of(CASE, device="cpu", seed=0)
    assert of_case.probe(Native()) == CASE
    assert of_case.probe(MergedGroups(2)) == CASE
    dense = of_case.probe(BlockDiagonal())
    assert (dense.batch, dense.height) == (1, 12)
    assert prove(BlockDiagonal(), of_case).probe.startswith("g4mb1ic8ih12")


def test_a_probe_of_the_case_itself_has_its_operands_and_another_has_its_own() -> None:
    of_case = Proof.of(CASE, device="cpu", seed=0)
    same = of_case.probe_operands(CASE)
    assert torch.equal(same.x, of_case.operands.x)
    assert same.x.data_ptr() != of_case.operands.x.data_ptr()
    smaller = Case(groups=4, in_channels=8, out_channels=8, height=5, width=7, padding=(1, 1))
    assert of_case.probe_operands(smaller).x.shape == smaller.input_shape
