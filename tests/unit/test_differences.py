"""Two runs may be compared where identity and method agree; unknown is not different."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest

from gconvbench.protocol import Ready
from gconvbench.records import (
    WITHHELD,
    Environment,
    Method,
    comparability,
    decode_line,
    differences,
    encode_line,
    method_differences,
)
from gconvbench.report.console import make_console
from gconvbench.report.environment import comparability_text, print_differences
from gconvbench.runner.workers import why_other_environment
from tests.fakes import make_header

IDENTITY: dict[str, Any] = {"device_name": "H100", "power_limit_w": 700.0, "threads": 1}
UNDER_TEST: dict[str, Any] = {"torch": "2.13.0", "commit": "a" * 40, "commit_dirty": False}
METHOD = Method(clock="host", cache_modes=("hot",), target=0.02)


def environment(**changes: Any) -> Environment:
    fields: dict[str, Any] = {
        "identity": IDENTITY,
        "under_test": UNDER_TEST,
        "soft": {"kernel": "6.1"},
    }
    return Environment(**(fields | changes))


def text_of(found: Any) -> str:
    out = io.StringIO()
    print_differences(found, ("one", "other"), make_console(out))
    return out.getvalue() + comparability_text(comparability(found), found)


def test_equal_environments_and_methods_have_no_differences() -> None:
    assert differences(environment(), environment()) == ()
    assert method_differences(METHOD, METHOD) == ()
    assert comparability(()) == "comparable"


@pytest.mark.parametrize(
    ("changed", "kind", "verdict"),
    [
        ({"identity": IDENTITY | {"power_limit_w": 350.0}}, "identity", "not_comparable"),
        ({"under_test": UNDER_TEST | {"torch": "2.14.0"}}, "under_test", "comparable"),
        ({"soft": {"kernel": "6.2"}}, "soft", "comparable"),
    ],
)
def test_a_difference_weighs_as_its_class(changed: dict[str, Any], kind: str, verdict: str) -> None:
    (found,) = differences(environment(), environment(**changed))
    assert (found.kind, found.is_unknown) == (kind, False)
    assert found.before != found.after
    assert comparability([found]) == verdict


def test_null_against_a_value_is_unknown_and_says_why() -> None:
    other = environment(
        identity=IDENTITY | {"power_limit_w": None}, unknown={"power_limit_w": "NotSupported"}
    )
    (found,) = differences(environment(), other)
    assert (found.before, found.after) == (700.0, None)
    assert (found.unknown_before, found.unknown_after) == ("", "NotSupported")
    assert comparability([found]) == "unknown"
    assert text_of([found]).endswith("cannot be told because of 1 unknown field: power_limit_w")


def test_a_field_that_an_older_file_lacks_is_unknown_on_its_side() -> None:
    older = environment(identity={"device_name": "H100", "threads": 1})
    (found,) = differences(older, environment())
    assert (found.unknown_before, found.unknown_after) == ("not recorded", "")
    (found,) = differences(environment(), older)
    assert (found.unknown_before, found.unknown_after) == ("", "not recorded")
    assert comparability([found]) == "unknown"


def test_what_nobody_knows_of_either_is_no_difference() -> None:
    nothing = environment(identity=IDENTITY | {"power_limit_w": None})
    assert differences(nothing, nothing) == ()


def test_two_withheld_values_may_differ_and_one_does() -> None:
    set_to_anything = environment(identity=IDENTITY | {"KMP_AFFINITY": WITHHELD})
    unset = environment(identity=IDENTITY | {"KMP_AFFINITY": "unset"})
    (found,) = differences(set_to_anything, set_to_anything)
    assert found.is_unknown
    (found,) = differences(set_to_anything, unset)
    assert not found.is_unknown


def test_one_difference_outweighs_any_number_of_unknown_fields() -> None:
    other = environment(identity={"device_name": "A100"})
    found = differences(environment(), other)
    assert sorted(one.is_unknown for one in found) == [False, True, True]
    assert comparability(found) == "not_comparable"
    assert text_of(found).endswith("not comparable because of 1 field: device_name")


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("clock", "cuda_events", "method"),
        ("cache_modes", ("cold", "hot"), "method"),
        ("target", 0.01, "method"),
        ("max_samples", 50, "method"),
        ("warmup_time_s", 0.5, "method"),
        ("threads", 2, "method"),
        ("inputs", "zeros", "method"),
        ("check_only", True, "method"),
        ("seed", 1, "soft"),
    ],
)
def test_all_of_the_method_decides_but_the_seed(field: str, value: Any, kind: str) -> None:
    (found,) = method_differences(METHOD, msgspec.structs.replace(METHOD, **{field: value}))
    assert (found.field, found.kind, found.after) == (field, kind, value)
    assert found.is_decisive == (kind == "method")


def test_differences_are_printed_by_weight_in_80_columns() -> None:
    other = environment(
        identity=IDENTITY | {"device_name": "A100", "power_limit_w": None},
        under_test=UNDER_TEST | {"commit": "b" * 40},
        soft={"kernel": "6.2"},
    )
    method = msgspec.structs.replace(METHOD, cache_modes=("cold", "hot"))
    found = (*differences(environment(), other), *method_differences(METHOD, method))
    text = text_of(found)
    assert max(map(len, text.splitlines())) <= 80
    places = [
        text.index(words)
        for words in (
            "may not be compared", "device_name", "cache_modes", "unknown, not different",
            "power_limit_w", "what a comparison may be about", "commit", "worth a warning",
            "kernel", "not comparable because of 2 fields: device_name, cache_modes",
        )
    ]  # fmt: skip
    assert places == sorted(places)


def test_a_run_goes_on_only_where_identity_and_software_are_the_same() -> None:
    def reason(**changes: Any) -> str | None:
        return why_other_environment(environment(), Ready(environment(**changes), "box", ()))

    assert reason() is None
    assert reason(identity=IDENTITY | {"device_name": "A100"}) == (
        "identity field 'device_name' is 'A100' now, the run began with 'H100'; start a new run"
    )
    assert reason(under_test=UNDER_TEST | {"torch": "2.14.0"}) == (
        "under_test field 'torch' is '2.14.0' now, the run began with '2.13.0'; start a new run"
    )
    assert reason(under_test=UNDER_TEST | {"commit": "b" * 40, "commit_dirty": True}) is None
    assert reason(soft={"kernel": "6.2"}) is None
    assert reason(identity=IDENTITY | {"power_limit_w": None}) is None


def test_a_file_without_sources_is_still_read() -> None:
    line = encode_line(make_header(environment=environment()))
    older = line.replace(b',"sources":{}', b"")
    assert older != line
    assert decode_line(older) == decode_line(line)
