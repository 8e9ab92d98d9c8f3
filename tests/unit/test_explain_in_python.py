"""`gconvbench.explain`: what it takes, what it refuses, what it leaves behind."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import gconvbench
from gconvbench import explained
from gconvbench.cases import Case, case_id
from gconvbench.errors import UsageError
from tests.unit.test_explanation_text import TIMES

TINY = Case(groups=2, in_channels=4, out_channels=4, height=5, width=5)


def test_a_module_is_explained_with_its_input() -> None:
    module = torch.nn.Conv2d(6, 4, 3, groups=2, dtype=torch.float64)
    found = gconvbench.explain(module, input_shape=(2, 6, 5, 5), threads=1)

    assert found.case == Case(
        groups=2, batch=2, in_channels=6, out_channels=4, height=5, width=5, bias=True,
        dtype="float64",
    )  # fmt: skip
    assert found.sees == [[0, 1, 2], [0, 1, 2], [3, 4, 5], [3, 4, 5]]
    assert not found.is_wrong
    assert "Nothing is lost to the groups" in repr(found)
    assert "time=True measures it" in repr(found)
    assert "<svg" in found._repr_html_()


def test_a_case_and_its_id_are_the_same() -> None:
    options: dict[str, Any] = {"device": "cpu", "threads": 1}
    by_case = gconvbench.explain(TINY, **options).explanation

    assert gconvbench.explain(case_id(TINY), **options).explanation == by_case


def test_another_direction_may_be_asked_for() -> None:
    found = gconvbench.explain(TINY, direction="training", device="cpu", threads=1).explanation

    assert found.equality is not None
    assert set(found.equality.native) == {"output", "grad_input", "grad_weight"}


def test_times_are_those_of_the_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def grouped_times(case: Case, device: str, method: Any, *, rounds: int) -> Any:
        asked.append((case, device, rounds))
        return TIMES

    monkeypatch.setattr(explained, "grouped_times", grouped_times)
    shuffled = case_id(TINY).replace(":conv:", ":conv_shuffle:")
    found = gconvbench.explain(shuffled, device="cpu", time=True, rounds=2)

    assert asked == [(TINY, "cpu", 2)]
    assert found.times == TIMES
    assert "native takes 1.290 ms with 2 groups" in " ".join(repr(found).split())


def test_the_process_is_left_as_it_was_found() -> None:
    before = torch.get_num_threads()
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    torch.set_default_dtype(torch.float64)
    try:
        gconvbench.explain(TINY, device="cpu", threads=1)

        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.get_num_threads() == before
    assert torch.equal(torch.rand(2), expected)


def test_it_works_under_no_grad_and_inference_mode() -> None:
    with torch.no_grad(), torch.inference_mode():
        assert not gconvbench.explain(TINY, direction="wgrad", device="cpu", threads=1).is_wrong


@pytest.mark.parametrize(
    ("what", "options", "reason"),
    [
        (torch.nn.Conv2d(2, 2, 1), {}, r"input_shape is missing"),
        (torch.nn.Conv1d(2, 2, 1), {}, "explain takes one torch.nn.Conv2d, a Case or a case id"),
        (TINY, {"input_shape": (1, 2, 4, 4)}, "is given twice"),
        (TINY, {"device": "tpu"}, "device 'tpu' is not known"),
        (TINY, {"device": "cuda:77"}, "device 'cuda:77' "),
        (TINY, {"rounds": 0}, r"rounds \(0\) must be a whole number from 1"),
        (TINY, {"direction": "back"}, "direction 'back' is not known"),
        (TINY, {"math_mode": "tf32", "device": "cpu"}, "math_mode tf32 does not exist on cpu"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_line(
    what: Any, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        gconvbench.explain(what, **options)
    assert "\n" not in str(caught.value)


def test_neither_the_function_nor_a_module_hides_the_other() -> None:
    import gconvbench.explaining  # noqa: PLC0415

    assert callable(gconvbench.explain)
    assert gconvbench.explained.explain is gconvbench.explain
    assert "explain" in dir(gconvbench)
