from __future__ import annotations

import pytest

from gconvbench.cases import Case, case_id, parse_case, parse_descriptor
from gconvbench.errors import UsageError

CANONICAL = {
    "g2mb1ic96ih50iw17oc192kh3kw3sh1sw1ph1pw1:conv:float32:contiguous:fprop": Case(
        groups=2, in_channels=96, out_channels=192, height=50, width=17, padding=(1, 1)
    ),
    "g1mb1ic64ih28iw28oc64kh3kw2sh1sw2ph0pw0dh1dw0:conv_shuffle:float32:channels_last:"
    "training:bias:tf32": Case(
        operation="conv_shuffle", kernel_size=(3, 2), stride=(1, 2), dilation=(2, 1),
        memory_format="channels_last", direction="training", bias=True, math_mode="tf32",
    ),
}  # fmt: skip
SQUARE = Case(batch=2, in_channels=16, out_channels=8, height=14, width=14)


@pytest.mark.parametrize(("text", "case"), CANONICAL.items())
def test_an_id_is_written_in_one_way_and_reads_back(text: str, case: Case) -> None:
    assert case_id(case) == text
    assert parse_case(text) == case


def variant(text: str) -> Case:
    return parse_case(f"ic16ih14oc8kh3{text}")


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ("", {}),
        ("g1mb2", {}),
        ("ph1", {"padding": (1, 1)}),
        ("ph1pw0", {"padding": (1, 0)}),
        ("oh14", {"padding": (1, 1)}),
        ("oh12ow16", {"padding": (0, 2)}),
        ("oh7sh2", {"stride": (2, 2), "padding": (1, 1)}),
        ("kw1oh12ow14", {"kernel_size": (3, 1)}),
        ("dh1", {"dilation": (2, 2)}),
        ("oh14dh1", {"dilation": (2, 2), "padding": (2, 2)}),
        ("iw20sw3", {"width": 20, "stride": (1, 3)}),
        ("_mb1_g4_", {"batch": 1, "groups": 4}),
        (":conv_shuffle", {"operation": "conv_shuffle"}),
        (":conv:bfloat16:channels_last:wgrad:bias",
         {"dtype": "bfloat16", "memory_format": "channels_last", "direction": "wgrad",
          "bias": True}),
    ],
)  # fmt: skip
def test_benchdnn_shorthand_is_read(extra: str, expected: dict[str, object]) -> None:
    fields = {name: getattr(SQUARE, name) for name in SQUARE.__struct_fields__}
    assert variant(extra) == Case(**(fields | expected))


@pytest.mark.parametrize(
    ("text", "name", "count"),
    [
        ("ic16ih14oc8kh3", "", 1),
        ('ic16ih14oc8kh3n"resnet:conv1"', "resnet:conv1", 1),
        ('ic16ih14oc8kh3n"conv1*4"', "conv1", 4),
        ('  ic16ih14oc8kh3_n"conv 1"*3:conv ', "conv 1", 3),
        ("ic16ih14oc8kh3*2", "", 2),
    ],
)
def test_name_and_count_are_kept_beside_the_case(text: str, name: str, count: int) -> None:
    parsed = parse_descriptor(text)
    assert (parsed.case, parsed.name, parsed.count) == (SQUARE, name, count)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "field 'ic' is missing"),
        ("ic16ih14kh3", "field 'oc' is missing"),
        ("ic16ih14oc8kh3id3", "three-dimensional; only 2-D"),
        ("ic16ih14oc8kh3ic16", "field 'ic' is given twice"),
        ("ic16ih14oc8kh3xx1", "field 'xx' is not known"),
        ("ic16ih14oc8kh3 sh1", "cannot read ' sh1'"),
        ("ic16ih14oc8kh", "cannot read 'kh'"),
        ("ic16ih14oc8kh3oh99ph1", "oh (99) does not follow from the other fields, which give 14"),
        ("ic16ih14oc8kh3sh0", "stride (0) must be between 1"),
        ("ic16ih14oc8kh3g3", "in_channels (16) must be a multiple of groups (3)"),
        ("ic16ih14oc8kh3:cnv", "operation 'cnv' is not known; did you mean 'conv'?"),
        ("ic16ih14oc8kh3:conv:", "dtype '' is not known"),
        ("ic16ih14oc8kh3:conv:float32:contiguous:fprop:bais", "did you mean 'bias'?"),
        ("ic16ih14oc8kh3:conv:float16:contiguous:fprop:tf32", "float32 only"),
        ('ic16ih14oc8kh3n"open', "does not parse"),
    ],
)
def test_a_refused_id_is_quoted_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_descriptor(text)
    assert str(caught.value).startswith(f"case id {text!r}")
    assert reason in str(caught.value)
