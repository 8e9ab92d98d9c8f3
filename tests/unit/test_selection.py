from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gconvbench import workloads
from gconvbench.cases import Case, case_id
from gconvbench.cli.selection import select
from gconvbench.errors import UsageError
from tests.fakes import SMALL, SMALL_ID

if TYPE_CHECKING:
    from pathlib import Path

    from gconvbench.cli.selection import Selection

OTHER = Case(groups=4, batch=3)


def cases_of(selection: Selection) -> list[Case]:
    return [one.case for one in selection.expansion.cases]


def test_nothing_named_means_the_sweep_quick() -> None:
    selection = select()
    assert selection.expansion == workloads.load("quick").expand()
    assert (selection.sweeps, selection.devices) == (("quick",), ())


def test_axes_alone_vary_the_default_case() -> None:
    selection = select(axes=["groups=1,2", "size=7"])
    assert cases_of(selection) == [
        Case(groups=groups, height=7, width=7, padding=(1, 1)) for groups in (1, 2)
    ]
    assert selection.sweeps == ()


def test_ids_files_and_sweeps_are_united_each_case_once(tmp_path: Path) -> None:
    file = tmp_path / "cases.txt"
    file.write_text(f"# a comment\n\n  {case_id(OTHER)}  # named\n{SMALL_ID}\n", "utf-8")
    selection = select(ids=[SMALL_ID], files=[file], sweeps=["quick"])
    quick = [one.case for one in workloads.load("quick").expand().cases]
    assert cases_of(selection) == [*quick, SMALL, OTHER]
    assert selection.sweeps == ("quick",)


def test_a_benchdnn_line_keeps_its_name_and_count() -> None:
    (one,) = select(ids=['mb1ic64ih28oc64kh3ph1n"conv1*3"']).expansion.cases
    assert (one.case, one.name, one.count) == (Case(padding=(1, 1)), "conv1", 3)


@pytest.mark.parametrize("axis", ["batch=3,5", "channels=12,24", "kernel=1,3", "bias=true,false"])
def test_axes_replace_one_field_of_a_named_case(axis: str) -> None:
    first, second = cases_of(select(ids=[SMALL_ID], axes=[axis]))
    assert first != second
    assert {case.groups for case in (first, second)} == {SMALL.groups}
    assert {case.padding for case in (first, second)} == {SMALL.padding}


def test_a_case_named_twice_keeps_its_first_name() -> None:
    first, *_ = workloads.load("forum").expand().cases
    shape, _, rest = case_id(first.case).partition(":")
    named = f'{shape}n"again*9":{rest}'
    selection = select(sweeps=["forum"], ids=[named])
    assert selection.expansion.cases == workloads.load("forum").expand().cases


def test_axes_replace_values_in_every_sweep() -> None:
    cases = cases_of(select(sweeps=["quick", "forum"], ids=[SMALL_ID], axes=["dtype=float64"]))
    assert {case.dtype for case in cases} == {"float64"}


def test_what_is_left_out_is_kept_beside_what_is_not() -> None:
    expansion = select(axes=["groups=1,3"]).expansion
    assert len(expansion.cases) == 1
    assert [one.combination for one in expansion.excluded] == ["groups=3"]


@pytest.mark.parametrize(
    ("options", "devices"),
    [
        ({"device": "cuda:1"}, ("cuda:1",)),
        ({"device": "cpu,cuda"}, ("cpu", "cuda")),
        ({"axes": ["device=cpu,cuda"]}, ("cpu", "cuda")),
        ({"axes": ["device=cpu"], "device": "cuda"}, ("cuda",)),
    ],
)
def test_devices_come_from_the_option_or_the_axis(
    options: dict[str, Any], devices: tuple[str, ...]
) -> None:
    assert select(**options).devices == devices


def test_a_sweep_may_name_devices_unless_the_option_does(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('device = ["cpu", "cuda:0"]')
    assert select(sweeps=[str(file)]).devices == ("cpu", "cuda:0")
    assert select(sweeps=[str(file)], device="cpu").devices == ("cpu",)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"device": "gpu"}, "device 'gpu' is not known; allowed: cpu, cuda"),
        ({"axes": ["device="]}, "device '' is not known"),
        ({"axes": ["grups=1"]}, "did you mean 'groups'?"),
        ({"axes": ["groups=3,5"]}, "no possible case is left of 2; the first: in_channels (64)"),
        ({"ids": ["ic3"]}, "case id 'ic3': field 'oc' is missing"),
        ({"sweeps": ["quik"]}, "did you mean 'quick'?"),
    ],
)
def test_what_cannot_be_selected_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(**options)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff", "is not UTF-8 text"),
        (b"# nothing\n\n", "names no case; write one id per line"),
    ],
)
def test_a_cases_file_without_cases_is_refused(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "cases.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=reason):
        select(files=[file])
